"""Small words to set up what is desired and what is observed."""

from __future__ import annotations

from pathlib import Path

from containerdeploy.addresses import edge_address
from containerdeploy.edge.table import Entry, Member, Table, slots_for
from containerdeploy.host import Host
from containerdeploy.observed import Container, Network, Observed
from containerdeploy.release import Release, release_of
from containerdeploy.rollout import Desired, plan_rollout
from containerdeploy.stack import Route, Service, Stack

HOST = Host(file=Path("/etc/host.toml"), state=Path("/state"))
SUBNET = "10.213.4.0/22"


def image(tag: str) -> str:
    """A made-up image id."""
    return f"sha256:{tag}"


def service(name: str = "web", **keys) -> Service:
    """A service with a port, unless `port=None`."""
    return Service(name=name, **{"image": "x", "port": 8000, "protocol": "http", **keys})


def release(one: Service, tag: str = "one", stack: str = "shop") -> Release:
    """The release of a service at a made-up image."""
    return release_of(stack, one, image(tag), {})


def desired(*services: Service, tags: dict[str, str] | None = None) -> Desired:
    """A stack of these services, at image "one" unless `tags` says otherwise."""
    stack = Stack("shop", services, file="stack.toml")
    tags = tags or {}
    releases = {one.name: release(one, tags.get(one.name, "one")) for one in services}
    return Desired(stack, releases)


class World:
    """An observed stack that is built up container by container."""

    def __init__(self) -> None:
        self.table = Table()
        self.containers: list[Container] = []
        self.next = 16

    def network(self) -> World:
        self.table = self.table.join("shop", Member("cdeploy-shop", SUBNET, edge_address(SUBNET)))
        return self

    def has(
        self,
        one: Service,
        tag: str = "one",
        *,
        state: str = "running",
        live: bool = True,
        colour="blue",
    ) -> World:
        """All replicas of a service's release, in a state; live in a colour when they run."""
        self.network()
        known = release(one, tag)
        addresses = []
        for replica in range(1, one.replicas + 1):
            address = f"10.213.4.{self.next}"
            self.next += 1
            addresses.append(address)
            self.containers.append(
                Container(
                    id=f"id{self.next}",
                    name=HOST.container_name("shop", one.name, known.id, replica),
                    state=state,
                    role="service",
                    image=known.image,
                    stack="shop",
                    service=one.name,
                    release=known.id,
                    replica=replica,
                    address=address,
                    finished=float(self.next) if state == "exited" else 0.0,
                )
            )
        if not live or state != "running":
            return self
        if one.port:
            entry = Entry(
                "shop",
                one.name,
                one.protocol,
                one.port,
                slots=slots_for(one.replicas),
                holds=one.strategy == "replace",
            )
            self.table = self.table.shaped(entry).offer(entry.key, colour, addresses, known.id)
            self.table = self.table.switch({entry.key: colour})
            routes = {route.key: entry.key for route in one.routes}
            self.table = self.table.route("shop", {**self._routes(), **routes})
        names = {used: f"shop/{used}" for used in one.uses}
        self.table = self.table.admit(dict.fromkeys(addresses, names))
        return self

    def _routes(self) -> dict[str, str]:
        return {r: k for r, k in self.table.routes.items() if k.startswith("shop/")}

    def observed(self) -> Observed:
        network = Network("n", "cdeploy-shop", SUBNET) if self.table.members else None
        return Observed("shop", self.table, tuple(self.containers), network)


def plan_of(want: Desired, world: World):
    """The plan from a world to what is desired."""
    return plan_rollout(want, world.observed(), HOST)


def ids(plan) -> list[str]:
    """The ids of a plan's steps, with release ids left out of names."""
    releases = set(plan.releases.values())
    text = []
    for step in plan:
        known = step.id
        for one in releases:
            known = known.replace(one, "NEW")
        text.append(known)
    return text


def route(host: str, path: str = "/") -> Route:
    """A host route."""
    return Route(host=host, path=path)
