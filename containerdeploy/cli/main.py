"""The entry point: one file a command; each parses, calls one use case, and prints."""

from __future__ import annotations

import gc
import os
import signal
import sys
import threading
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
    # Loading the program makes thousands of lasting objects: looking through them again
    # and again for garbage costs more than all of it (10 ms, measured).
    gc.set_threshold(50_000)
    signal.signal(signal.SIGTERM, _terminated)
    from containerdeploy.cli.app import run

    code = run(args, os.environ)
    if argv is None:
        _leave(code)
    return code


def _leave(code: int) -> None:
    """End the process at once, where nothing is left to be done.

    Taking the loaded program apart object by object, as Python does at its end,
    costs a fifth of a command that finds nothing to do (30 to 50 ms, measured).
    A thread that is still at work (a build that was called off) is waited for: by
    the ordinary end, to which this returns.
    """
    if any(not one.daemon for one in threading.enumerate() if one is not threading.main_thread()):
        return
    try:
        for stream in (sys.stdout, sys.stderr):
            if stream is not None:
                stream.flush()
    except (OSError, ValueError):
        return  # the reader has gone, or the stream is closed: the ordinary end copes
    os._exit(code)


def _terminated(_signal: int, _frame: FrameType | None) -> None:
    """SIGTERM is Ctrl-C: what is begun is undone or finished, then the process ends."""
    raise KeyboardInterrupt
