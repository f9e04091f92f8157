"""A site in memory: the real use cases on the fake engine and the fake edge."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from containerdeploy import deploy
from containerdeploy.edge.fake import FakeEdge
from containerdeploy.engines.base import ContainerSpec
from containerdeploy.engines.fake import Behaviour, FakeEngine
from containerdeploy.host import Host
from containerdeploy.ledger import Ledger
from containerdeploy.stack import Health, Route, Service, Stack

if TYPE_CHECKING:
    from containerdeploy.events import Event

HEALTHY = Behaviour(health="healthy")


@dataclass
class FakeSite:
    """What `Site` is, in memory but for the ledger."""

    host: Host
    engine: FakeEngine = field(default_factory=FakeEngine)
    edge: FakeEdge = field(default_factory=FakeEdge)
    events: list[Event] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.ledger = Ledger(self.host.ledger)
        # The holder is what the edge's pod has on every stack's network.
        image = self.engine.add_image("edge:1")
        spec = ContainerSpec(name=self.host.holder, image=image.id, network="none", labels={})
        self.engine.start(self.engine.create(spec))

    def image(self, ref: str, behaviour: Behaviour = HEALTHY) -> None:
        """An image that is here; its containers are healthy unless told otherwise."""
        self.engine.add_image(ref, behaviour=behaviour, has_healthcheck=True)

    def up(self, stack: Stack, **keys):
        """`cdeploy up`."""
        return deploy.up(self, stack, {}, self.events.append, **keys)

    def running(self, stack: str = "shop") -> set[tuple[str, str, int]]:
        """What runs: (service, release, replica)."""
        return {
            (c.service, c.release, c.replica)
            for c in self.engine.containers(self.host.instance, stack)
            if c.running
        }

    def serves(self, stack: str = "shop") -> dict[str, tuple[str, ...]]:
        """What the edge sends traffic to, by service key."""
        return {
            key: entry.addresses(entry.live_colour)
            for key, entry in self.edge.table().entries.items()
            if entry.live_colour and entry.stack == stack
        }


def make_site(folder: Path) -> FakeSite:
    """A site whose state lies in a folder."""
    return FakeSite(Host(file=folder / "host.toml", state=folder / "state"))


def service(name: str, tag: str = "1", **keys) -> Service:
    """A service at image ``name:tag``."""
    usual = {"port": 8000, "protocol": "http", "health": Health(timeout=1.0)}
    return Service(name=name, image=f"{name}:{tag}", **{**usual, **keys})


def route(host: str) -> tuple[Route, ...]:
    """A route by host."""
    return (Route(host=host),)
