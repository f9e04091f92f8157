"""The checks: one file a kind, and the environment that they run in."""
