"""A test run's claim on what it makes, so that a killed run's leftovers are known as such.

Everything of a run carries its id in its name (`<instance>.test.<run>.<what>`;
no stack, service or volume name has a dot, so nothing else looks like it). The
run holds a lock file in the state folder while it lives; a lock dies with its
process, so what belongs to a run whose lock is free was left behind.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import secrets
import time
from pathlib import Path
from typing import TYPE_CHECKING

from containerdeploy.errors import HostNotReady
from containerdeploy.events import note, quiet

if TYPE_CHECKING:
    from types import TracebackType

    from containerdeploy.engines.base import Engine
    from containerdeploy.events import Emit
    from containerdeploy.host import Host

ROLE = "test"
YOUNG = 60.0
"""Seconds in which a lock file that nobody holds may still be about to be locked."""


class Claim:
    """One test run: its id, its names, and its lock. A context manager.

    Raises:
        HostNotReady: the state folder can't be written.
    """

    def __init__(self, host: Host) -> None:
        self._host = host
        self.run = secrets.token_hex(4)
        self._file = _lock_file(host, self.run)
        try:
            self._file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._fd = os.open(self._file, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            fcntl.flock(self._fd, fcntl.LOCK_EX)
        except OSError as error:
            raise HostNotReady(
                f"can't write the lock of a test run, {self._file}: {error.strerror}",
                hint="make the state folder writable for this user: `cdeploy bootstrap`",
            ) from error

    def name(self, *parts: str) -> str:
        """The name of a container, network or volume of this run."""
        return ".".join((_prefix(self._host) + self.run, *parts))

    def release(self) -> None:
        """Give the lock back; what still exists by then counts as left behind."""
        self._file.unlink(missing_ok=True)
        os.close(self._fd)

    def __enter__(self) -> Claim:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.release()


def sweep(engine: Engine, host: Host, emit: Emit = quiet) -> None:
    """Remove what killed test runs of this instance left behind, and say so."""
    containers = [c.name for c in engine.containers(host.instance) if c.role == ROLE]
    networks = [network.name for network in engine.networks(host.instance)]
    volumes = list(engine.volumes(host.instance))
    prefix = _prefix(host)
    runs = {
        name.removeprefix(prefix).partition(".")[0]
        for name in (*containers, *networks, *volumes)
        if name.startswith(prefix)
    }
    removed: list[str] = []
    for run in sorted(run for run in runs if _left_behind(host, run)):
        for names, remove in (
            (containers, engine.remove),
            (networks, engine.remove_network),
            (volumes, engine.remove_volume),
        ):
            for name in names:
                if name == prefix + run or name.startswith(f"{prefix}{run}."):
                    remove(name)
                    removed.append(name)
        _lock_file(host, run).unlink(missing_ok=True)
    if removed:
        note(emit, f"removed what a killed test run left behind: {', '.join(removed)}")


def sweep_if_killed(engine: Engine, host: Host, emit: Emit = quiet) -> None:
    """`sweep`, where a lock file tells that a test run was killed; else the engine isn't asked."""
    killed = [
        file
        for file in host.locks.glob("test-*.lock")
        if _left_behind(host, file.stem.removeprefix("test-"))
    ]
    if not killed:
        return
    sweep(engine, host, emit)
    for file in killed:
        # A run makes its file an instant before it locks it: only an old one is nobody's.
        with contextlib.suppress(FileNotFoundError):
            if time.time() - file.stat().st_mtime > YOUNG:
                file.unlink()


def _left_behind(host: Host, run: str) -> bool:
    try:
        fd = os.open(_lock_file(host, run), os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return True
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    finally:
        os.close(fd)
    return True


def _lock_file(host: Host, run: str) -> Path:
    return host.locks / f"test-{run}.lock"


def _prefix(host: Host) -> str:
    return f"{host.instance}.{ROLE}."
