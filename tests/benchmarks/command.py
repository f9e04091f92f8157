"""A program, run and timed from the outside, as a user would meet it."""

from __future__ import annotations

import subprocess
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

TIMEOUT = 600.0


class CommandFailed(Exception):
    """A program that the benchmark needs ended with an error; with its last words."""


@dataclass(frozen=True, slots=True)
class Ended:
    """How a program ended: seconds of wall clock, and what it printed."""

    seconds: float
    stdout: str
    stderr: str


def run(
    argv: Sequence[str],
    *,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    timeout: float = TIMEOUT,
) -> Ended:
    """Run a program to its end.

    Raises:
        CommandFailed: it is not there, took longer than `timeout` seconds, or failed.
    """
    begun = time.monotonic()
    try:
        ended = subprocess.run(
            argv,
            env=env,
            cwd=cwd,
            timeout=timeout,
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            check=False,
        )
    except FileNotFoundError as error:
        raise CommandFailed(f"{argv[0]} is not here") from error
    except subprocess.TimeoutExpired as error:
        raise CommandFailed(f"{' '.join(argv)}: not done after {timeout:g} s") from error
    seconds = time.monotonic() - begun
    if ended.returncode != 0:
        last = (ended.stdout + ended.stderr)[-4000:]
        raise CommandFailed(f"{' '.join(argv)}: exit code {ended.returncode}\n{last}")
    return Ended(seconds, ended.stdout, ended.stderr)
