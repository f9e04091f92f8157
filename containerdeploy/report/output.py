"""A stream that people or programs read: lines, colours where they show, and no broken pipe."""

from __future__ import annotations

import os
import shutil
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import TextIO

CODES = {"bold": "1", "dim": "2", "red": "31", "green": "32", "yellow": "33", "cyan": "36"}
CYCLE = ("36", "33", "35", "32", "34", "96", "93", "95", "92", "94")
"""Colours of the services in interleaved logs."""


def is_terminal(stream: TextIO, env: Mapping[str, str]) -> bool:
    """Whether a person with a terminal that can move its cursor looks at this stream."""
    return stream.isatty() and env.get("TERM", "") not in ("", "dumb")


class Output:
    """Writes lines to a stream.

    A reader that goes away (``| head``) is no error: what follows is dropped, so
    that a rollout under way is never broken by who reads it. `gone` tells those
    who only print.
    """

    def __init__(self, stream: TextIO, *, colour: bool = False) -> None:
        self.stream = stream
        self.colour = colour
        self.gone = False

    def line(self, text: str = "") -> None:
        """Write a line, at once."""
        if self.gone:
            return
        try:
            self.stream.write(text + "\n")
            self.stream.flush()
        except BrokenPipeError:
            self.gone = True
            self._forget()

    def _forget(self) -> None:
        """Send the rest nowhere, so that the interpreter's last flush is quiet too."""
        try:
            number = self.stream.fileno()
        except (OSError, ValueError):
            return  # no stream of the system's (a test's buffer): nothing is flushed at exit
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, number)
        os.close(nowhere)

    def paint(self, text: str, *styles: str) -> str:
        """The text in these styles (`CODES`), where colours show."""
        if not self.colour or not text:
            return text
        return f"\x1b[{';'.join(CODES[style] for style in styles)}m{text}\x1b[0m"

    def tint(self, text: str, number: int) -> str:
        """The text in the nth colour of a cycle."""
        if not self.colour:
            return text
        return f"\x1b[{CYCLE[number % len(CYCLE)]}m{text}\x1b[0m"

    @property
    def width(self) -> int:
        """Columns of the terminal; 0 (unbounded) where there is none."""
        return shutil.get_terminal_size().columns if self.stream.isatty() else 0


def outputs(*, colour: bool | None, env: Mapping[str, str]) -> tuple[Output, Output]:
    """Standard output and standard error.

    Args:
        colour: whether to colour; None decides by terminal and NO_COLOR (no-color.org).
    """

    def wanted(stream: TextIO) -> bool:
        if colour is not None:
            return colour
        return is_terminal(stream, env) and not env.get("NO_COLOR")

    return (
        Output(sys.stdout, colour=wanted(sys.stdout)),
        Output(sys.stderr, colour=wanted(sys.stderr)),
    )
