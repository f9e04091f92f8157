"""What all tests share."""

from __future__ import annotations

import os

import pytest
from hypothesis import HealthCheck, settings

# Two cores are shared with an engine: a slow example is no failure.
settings.register_profile("default", deadline=None, max_examples=100)
settings.register_profile(
    "thorough",
    deadline=None,
    max_examples=2000,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "default"))


@pytest.fixture(autouse=True)
def _own_environment(monkeypatch):
    """A test sees none of the developer's own settings of cdeploy."""
    for name in list(os.environ):
        if name.startswith("CDEPLOY_"):
            monkeypatch.delenv(name)
