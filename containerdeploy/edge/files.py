"""The edge's state on disk. `table.json` is the truth; the rest is rendered from it.

<state>/edge/            0700
    table.json           the table
    edge.lock            held while the table changes
    conf/                what the proxy's container sees, read-only
        haproxy.cfg  table.map
    run/                 where the proxy makes its sockets
"""

from __future__ import annotations

import fcntl
import os
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from containerdeploy.edge.table import Table
from containerdeploy.errors import EdgeError, HostNotReady, Locked
from containerdeploy.files import private_folder, write_atomically, write_together

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

EDGE_UID = 10213
"""Who runs the proxy when root runs cdeploy: nobody else on a usual host."""

READABLE = 0o644
"""Readable by all: whoever runs the proxy reads it, in a folder that only they can enter."""
LOCK_WAIT = 60.0
POLL = 0.005
"""Seconds between two tries; flock has no waiting with a deadline."""


class EdgeFiles:
    """The files of one host's edge.

    Args:
        folder: `Host.edge_state`.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.conf = folder / "conf"
        self.run = folder / "run"
        self.config = self.conf / "haproxy.cfg"
        self.candidate = self.conf / "candidate.cfg"
        self.map = self.conf / "table.map"

    @property
    def uid(self) -> int:
        """Who owns the proxy's files and runs it: who runs cdeploy, but never root."""
        return os.getuid() or EDGE_UID

    def prepare(self) -> None:
        """Make the folders, with the owner that the proxy runs as."""
        try:
            private_folder(self.folder)
            for folder in (self.conf, self.run):
                private_folder(folder)
                if folder.stat().st_uid != self.uid:
                    os.chown(folder, self.uid, self.uid)
        except OSError as error:
            raise HostNotReady(
                f"the edge's folder {self.folder} can't be made: {error}",
                hint="make it writable, or set another `state` in host.toml",
            ) from error

    def table(self) -> Table:
        """The table on disk; an empty one where there is none yet."""
        path = self.folder / "table.json"
        try:
            return Table.from_json(path.read_text())
        except FileNotFoundError:
            return Table()
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise EdgeError(
                f"{path} is not a table that cdeploy wrote: {error}",
                hint="move it away and run `cdeploy up` for each stack of this host",
            ) from error

    def texts(self) -> tuple[str, str]:
        """haproxy.cfg and table.map as they are on disk; "" for one that is not there."""
        return _text(self.config), _text(self.map)

    def write(self, table: Table, config: str, entries: str) -> None:
        """Write all of it; the table first, for it is what the others are rendered from.

        Raises:
            EdgeError: it can't be written (a full disk); all of it is as it was.
        """
        files = [(self.folder / "table.json", table.to_json().encode(), 0o600)]
        if self.texts() != (config, entries):
            files += [
                (self.map, entries.encode(), READABLE),
                (self.config, config.encode(), READABLE),
            ]
        try:
            write_together(files)
        except OSError as error:
            raise EdgeError(
                f"the edge's table in {self.folder} can't be written: {error.strerror}; it is "
                "as it was",
                hint="is the disk full?",
            ) from error

    def write_candidate(self, config: str) -> None:
        """Write a configuration beside the one that stands, for the proxy's own checker."""
        write_atomically(self.candidate, config.encode(), mode=READABLE)

    def drop_candidate(self) -> None:
        """Remove it again."""
        self.candidate.unlink(missing_ok=True)

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Hold the edge for a change, against other threads and processes.

        Raises:
            Locked: another change went on for longer than `LOCK_WAIT` seconds.
        """
        if not self.folder.is_dir():
            raise HostNotReady("there is no edge on this host", hint="run `cdeploy bootstrap`")
        handle = os.open(self.folder / "edge.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            deadline = time.monotonic() + LOCK_WAIT
            while not _taken(handle):
                if time.monotonic() >= deadline:
                    raise Locked(
                        f"another cdeploy has been changing the edge for {LOCK_WAIT:g} s",
                        hint="wait for it, or see what it does with `cdeploy history`",
                    )
                time.sleep(POLL)
            yield
        finally:
            os.close(handle)


def _taken(handle: int) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _text(path: Path) -> str:
    try:
        return path.read_text()
    except FileNotFoundError:
        return ""
