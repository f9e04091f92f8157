"""The entry point: one file a command; each parses, calls one use case, and prints."""

from __future__ import annotations

import os
import signal
import sys
from typing import TYPE_CHECKING

from containerdeploy import __version__

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import FrameType


def main(argv: Sequence[str] | None = None) -> int:
    """Run cdeploy.

    Args:
        argv: the arguments without the program's name; those of this process when None.

    Returns:
        the exit code (`containerdeploy.cli.exits`).
    """
    args = list(sys.argv[1:] if argv is None else argv)
    for stream in (sys.stdout, sys.stderr):
        # A terminal that can't show a character gets a question mark, not a traceback.
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")
    if args == ["--version"]:  # the quickest answer: nothing else is loaded
        sys.stdout.write(f"cdeploy {__version__}\n")
        return 0
    signal.signal(signal.SIGTERM, _terminated)
    from containerdeploy.cli.app import run

    return run(args, os.environ)


def _terminated(_signal: int, _frame: FrameType | None) -> None:
    """SIGTERM is Ctrl-C: what is begun is undone or finished, then the process ends."""
    raise KeyboardInterrupt
