"""The command line starts quickly: what it does not need, it does not load."""

from __future__ import annotations

import subprocess
import sys

import pytest

from containerdeploy import __version__

HEAVY = ("rich", "docker", "pydantic", "httpx", "sqlite3", "asyncio")
SCRIPT = """
import sys
from containerdeploy.cli.main import main
code = main({args!r})  # given by hand, it returns instead of ending the process
print("loaded:", *sorted(name for name in {heavy!r} if name in sys.modules))
sys.exit(code)
"""


def started(*args: str, heavy: tuple[str, ...] = HEAVY) -> list[str]:
    script = SCRIPT.format(args=args, heavy=heavy)
    ended = subprocess.run(
        (sys.executable, "-c", script), capture_output=True, text=True, timeout=60, check=False
    )
    assert ended.returncode == 0, ended.stderr
    return ended.stdout.splitlines()


@pytest.mark.parametrize("args", [("--help",), ("up", "--help"), ("status", "--help")])
def test_help_loads_nothing_heavy(args):
    """The help of cdeploy and of its commands loads none of the heavy libraries."""
    lines = started(*args)
    assert lines[-1].strip() == "loaded:"
    assert lines[0].startswith("Usage: cdeploy")


def test_version_loads_not_even_typer():
    """`--version` is answered before anything is loaded."""
    assert started("--version", heavy=(*HEAVY, "typer")) == [f"cdeploy {__version__}", "loaded:"]


def test_version_is_said_among_other_options(cdeploy):
    """`--version` wins over what else is given."""
    assert cdeploy("--no-color", "--version").out == f"cdeploy {__version__}\n"


def test_nothing_given_is_a_call_for_help(cdeploy):
    """`cdeploy` alone prints its help and is no error."""
    ran = cdeploy()
    assert ran.code == 0
    assert ran.out.startswith("Usage: cdeploy")
