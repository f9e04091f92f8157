"""cdeploy: single-function containers, tested, beside the old, switched without losing a request."""

__version__ = "0.1.0"
