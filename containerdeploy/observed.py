"""What runs: read from the engine's labels and the edge's table, never from memory."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from containerdeploy.edge.table import Table

LABEL = "cdeploy"
"""Every label that cdeploy sets starts with this and a dot."""


@dataclass(frozen=True, slots=True)
class Container:
    """One container of this instance.

    Attributes:
        state: the engine's word: created, running, paused, restarting, exited or dead.
        role: "service", "job", "test", "holder" or "edge".
        address: the fixed IPv4 address in the stack's network; kept while stopped.
        finished: when it last stopped (seconds since the epoch), 0.0 when unknown.
    """

    id: str
    name: str
    state: str
    role: str
    image: str
    stack: str = ""
    service: str = ""
    release: str = ""
    replica: int = 0
    address: str = ""
    port: int | None = None
    rollout: str = ""
    created: float = 0.0
    finished: float = 0.0
    labels: tuple[tuple[str, str], ...] = ()

    @property
    def running(self) -> bool:
        """Whether its process runs, or the engine is about to run it again."""
        return self.state in ("running", "restarting", "paused")


@dataclass(frozen=True, slots=True)
class Network:
    """A bridge network of this instance: its name, subnet and gateway."""

    id: str
    name: str
    subnet: str
    gateway: str = ""
    stack: str = ""


@dataclass(frozen=True, slots=True)
class Observed:
    """A snapshot of one stack on this host.

    Attributes:
        containers: those of this stack, whatever their state.
        network: the stack's network, or None when there is none yet.
        table: the edge's table, with all stacks in it.
    """

    stack: str
    table: Table
    containers: tuple[Container, ...] = ()
    network: Network | None = None
    subnets: tuple[str, ...] = field(default=())

    def of(self, service: str, release: str = "") -> tuple[Container, ...]:
        """The service containers of one service (and one release), by replica."""
        found = [
            container
            for container in self.containers
            if container.role == "service"
            and container.service == service
            and (not release or container.release == release)
        ]
        return tuple(sorted(found, key=lambda c: (c.release, c.replica)))
