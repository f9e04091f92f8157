"""cdeploy: single-function containers, tested, beside the old, switched with nothing lost."""

__version__ = "0.1.0"
