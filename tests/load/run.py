"""A load in a process of its own, begun and ended by a test."""

from __future__ import annotations

import os
import select
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from tests.load.result import Result

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.load.profile import Profile

ROOT = Path(__file__).resolve().parents[2]
READY = b"ready\n"
START = 15.0
"""Seconds for a Python process to start, on a busy machine."""
CLOSE = 20.0
"""Seconds beyond the longest request for the result to be there."""


class Load:
    """A load that runs. `stop` ends it and returns what came of it."""

    def __init__(self, profile: Profile) -> None:
        self.profile = profile
        self._result: Result | None = None
        self._process = subprocess.Popen(
            (sys.executable, "-m", "tests.load", profile.to_json()),
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )

    def wait_ready(self) -> None:
        """Wait until every client has had its first answer (or loss).

        Raises:
            RuntimeError: the load did not start; with its own words.
        """
        # What a client may take for its first request, whatever it meets.
        deadline = time.monotonic() + START + self._longest
        said = b""
        assert self._process.stdout is not None
        out = self._process.stdout.fileno()
        while said != READY:
            readable, _, _ = select.select([out], [], [], max(0.0, deadline - time.monotonic()))
            more = os.read(out, 1) if readable else b""
            if not more:
                self.kill()
                raise RuntimeError(f"the load did not start: {said!r} {self._words()}")
            said += more

    def stop(self) -> Result:
        """Let everything in flight end, and return the result; the same when called again.

        Raises:
            RuntimeError: the load's process failed; with its own words.
        """
        if self._result is None:
            try:
                # Closes its standard input, which is what ends it.
                out, words = self._process.communicate(timeout=self._longest + CLOSE)
            except subprocess.TimeoutExpired:
                self.kill()
                raise RuntimeError(f"the load did not end: {self._words()}") from None
            if self._process.returncode != 0:
                raise RuntimeError(f"the load failed: {words.decode(errors='replace')}")
            self._result = Result.from_json(out.decode().removeprefix(READY.decode()))
        return self._result

    def wait(self, timeout: float) -> None:
        """Wait until the load has ended by itself.

        Raises:
            RuntimeError: it had not within `timeout` seconds.
        """
        assert self._process.stdout is not None
        ended = select.select([self._process.stdout.fileno()], [], [], timeout)[0]
        if not ended:
            raise RuntimeError(f"the load still runs after {timeout:g} s")

    def kill(self) -> None:
        """End the process at once; harmless when it has ended."""
        self._process.kill()
        self._process.wait()

    @property
    def _longest(self) -> float:
        """The longest that one request may take, dripping and connecting included."""
        return self.profile.slow_seconds * 2 + self.profile.timeout

    def _words(self) -> str:
        assert self._process.stderr is not None
        return self._process.stderr.read().decode(errors="replace")

    def close(self) -> None:
        """End the process if it still runs, and let go of its pipes."""
        self.kill()
        for pipe in (self._process.stdin, self._process.stdout, self._process.stderr):
            if pipe is not None:
                pipe.close()


@contextmanager
def load(profile: Profile) -> Iterator[Load]:
    """A load that has begun: every client has had an answer. Ended when the block ends."""
    running = Load(profile)
    try:
        running.wait_ready()
        yield running
    finally:
        running.close()
