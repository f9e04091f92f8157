"""One rollout of a stack at a time: an flock, which dies with its process."""

from __future__ import annotations

import fcntl
import json
import os
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from containerdeploy.errors import Locked
from containerdeploy.files import private_folder

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

POLL = 0.1
"""Seconds between two tries; flock has no waiting with a deadline."""


@contextmanager
def stack_lock(
    folder: Path,
    stack: str,
    *,
    doing: str,
    wait: float = 0.0,
    waiting: Callable[[str], None] | None = None,
) -> Iterator[None]:
    """Hold the lock of a stack.

    Args:
        doing: what the holder does, for the message that others get.
        wait: seconds to wait for another holder.
        waiting: told once, in words, whom we wait for.

    Raises:
        Locked: who holds it, since when, doing what.
    """
    private_folder(folder)
    path = folder / f"{stack}.lock"
    with os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT, 0o600), "r+") as file:
        _take(file.fileno(), path, stack, wait, waiting)
        file.truncate(0)
        json.dump({"pid": os.getpid(), "since": time.time(), "doing": doing}, file)
        file.flush()
        try:
            yield
        finally:
            file.truncate(0)


def _take(
    handle: int, path: Path, stack: str, wait: float, waiting: Callable[[str], None] | None
) -> None:
    deadline = time.monotonic() + wait
    told = False
    while True:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = _holder(path)
            if time.monotonic() >= deadline:
                raise Locked(
                    f"stack {stack} is locked {holder}",
                    hint="wait for it with --wait 5m, or stop that process",
                ) from None
            if waiting and not told:
                waiting(f"waiting for the lock of stack {stack}, held {holder}")
                told = True
            time.sleep(POLL)
        else:
            return


def _holder(path: Path) -> str:
    try:
        known: dict[str, Any] = json.loads(path.read_text())
    except (OSError, ValueError):
        return "by a process that has just begun"
    seconds = max(0.0, time.time() - known["since"])
    return f"by process {known['pid']} for {seconds:.0f} s ({known['doing']})"
