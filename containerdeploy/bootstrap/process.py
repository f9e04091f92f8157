"""Programs of this host, run with a deadline and with their last words kept."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING

from containerdeploy.errors import HostNotReady

if TYPE_CHECKING:
    from collections.abc import Mapping

LAST_LINES = 25


@dataclass(frozen=True, slots=True)
class Ended:
    """How a program ended: exit code and output (both streams, in order)."""

    code: int
    output: str

    @property
    def last(self) -> str:
        """The last lines of the output."""
        return "\n".join(self.output.strip().splitlines()[-LAST_LINES:])


def run(argv: tuple[str, ...], *, timeout: float, env: Mapping[str, str] | None = None) -> Ended:
    """Run a program to its end.

    Args:
        argv: the program and its arguments; no shell.
        timeout: seconds, after which it is killed.
        env: variables added to our own.

    Raises:
        HostNotReady: there is no such program, or it did not end in time.
    """
    try:
        ended = subprocess.run(
            argv,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=timeout,
            check=False,
            env={**os.environ, **(env or {})},
        )
    except FileNotFoundError as error:
        raise HostNotReady(
            f"this host has no program called {argv[0]}",
            hint="`cdeploy bootstrap` needs Debian or Ubuntu; elsewhere install the "
            "container engine by hand, and run it again",
        ) from error
    except subprocess.TimeoutExpired as error:
        words = (error.output or b"").decode(errors="replace")
        raise HostNotReady(
            f"`{' '.join(argv)}` did not end within {timeout:.0f} s",
            hint="run it by hand to see what it waits for",
            detail="\n".join(words.strip().splitlines()[-LAST_LINES:]),
        ) from error
    return Ended(ended.returncode, ended.stdout.decode(errors="replace"))
