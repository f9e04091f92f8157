"""What `doctor` looks at beyond what a rollout needs: room on the disk, and the ports."""

from __future__ import annotations

import errno
import shutil
import socket
from dataclasses import dataclass
from typing import TYPE_CHECKING

from containerdeploy.bootstrap.base import Finding
from containerdeploy.errors import HostNotReady

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from containerdeploy.engines.base import Engine
    from containerdeploy.events import Emit
    from containerdeploy.host import Host

LEAST = 1 << 30
"""Bytes: a build of a small image takes a few hundred megabytes."""


@dataclass(slots=True)
class RoomPiece:
    """Room on the disk of the state folder."""

    folder: Path
    least: int = LEAST
    name: str = "disk"

    def check(self) -> Finding:
        """Whether there is enough for a build and the ledger."""
        there = next(path for path in (self.folder, *self.folder.parents) if path.exists())
        free = shutil.disk_usage(there).free
        what = f"{free / 1e9:.1f} GB free at {there}"
        if free >= self.least:
            return Finding(True, what)
        why = f"a rollout wants {self.least / 1e9:.1f} GB for images and the ledger"
        return Finding(False, what, why, "`cdeploy prune`, `docker builder prune`")

    def mend(self, emit: Emit) -> str:
        """What to throw away is not ours to choose. Raises `HostNotReady`."""
        raise _only_reported(self.check())


@dataclass(slots=True)
class PortPiece:
    """The edge's ports, which somebody else may hold while our edge is not up."""

    connect: Callable[[], Engine]
    host: Host
    name: str = "ports"

    def check(self) -> Finding:
        """Whether each published port is ours or free."""
        names = [f"{self.host.bind}:{port}" for port in (self.host.http, *self.host.tcp)]
        holders = [
            container
            for container in self.connect().containers(self.host.instance)
            if container.role == "holder" and container.state == "running"
        ]
        if holders:
            return Finding(True, f"{', '.join(names)} held by {self.host.holder}")
        for port in (self.host.http, *self.host.tcp):
            with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                try:
                    probe.bind((self.host.bind, port))
                except OSError as error:
                    if error.errno == errno.EACCES:
                        continue  # the engine may bind it, whoever we are
                    what = f"{self.host.bind}:{port} is taken: {error.strerror}"
                    cure = f"`ss -ltnp 'sport = :{port}'` names who; or set another in host.toml"
                    return Finding(False, what, "the edge publishes it", cure)
        return Finding(True, f"{', '.join(names)} free")

    def mend(self, emit: Emit) -> str:
        """Whoever holds it is not ours to stop. Raises `HostNotReady`."""
        raise _only_reported(self.check())


def _only_reported(finding: Finding) -> HostNotReady:
    return HostNotReady(finding.what, hint=finding.cure)
