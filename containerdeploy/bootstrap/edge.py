"""The edge of this host: its network, its holder and HAProxy, up."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from containerdeploy.bootstrap.base import Finding

if TYPE_CHECKING:
    from collections.abc import Callable

    from containerdeploy.engines.base import Engine
    from containerdeploy.events import Emit
    from containerdeploy.host import Host

WHY = "requests arrive there"


@dataclass(slots=True)
class EdgePiece:
    """The edge's pod.

    Attributes:
        image: gives the edge image's id.
        up: makes the pod stand: (engine, host, image id, emit).
    """

    connect: Callable[[], Engine]
    host: Host
    image: Callable[[], str]
    up: Callable[[Engine, Host, str, Emit], object]
    name: str = "edge"

    def check(self) -> Finding:
        """Whether holder and proxy run, and the proxy from today's image."""
        containers = {
            container.name: container
            for container in self.connect().containers(self.host.instance)
            if container.role in ("holder", "edge")
        }
        for name in (self.host.holder, self.host.edge):
            found = containers.get(name)
            if found is None:
                return Finding(False, f"{name} does not exist", WHY, "`cdeploy bootstrap`")
            if found.state != "running":
                return Finding(False, f"{name} is {found.state}", WHY, "`cdeploy bootstrap`")
        if containers[self.host.edge].image != self.image():
            what = f"{self.host.edge} runs from an older image"
            return Finding(False, what, "its packages are out of date", "`cdeploy bootstrap`")
        return Finding(True, f"{self.host.edge} at {self.host.bind}:{self.host.http}")

    def mend(self, emit: Emit) -> str:
        """Bring it up. Raises `EdgeError` or `EngineError`."""
        self.up(self.connect(), self.host, self.image(), emit)
        return f"the edge answers at {self.host.bind}:{self.host.http}"
