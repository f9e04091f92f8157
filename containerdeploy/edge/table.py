"""The edge's table: which service is behind which route, and which colour of it is live.

A table is a value. Its verbs return a new table and never do I/O; the edge's
driver compares two tables and makes the proxy follow (`containerdeploy.edge.base`).

Each service that has a port owns two *colours*, blue and green. A release's
replicas fill the slots of one colour; `live` says which colour gets traffic.
Inside callers are known by their address: `callers[address][name]` is either a
service key (``shop/api``: whatever is live) or a pinned colour (``shop/api@green``).
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

Colour = Literal["blue", "green"]
COLOURS: tuple[Colour, Colour] = ("blue", "green")
HOLD = "hold"
MIN_SLOTS = 4


def other(colour: Colour) -> Colour:
    """The colour that is not this one."""
    return "green" if colour == "blue" else "blue"


def slots_for(replicas: int) -> int:
    """How many slots are made ahead: a power of two, at least four, so that
    small changes of `replicas` need no reload."""
    slots = MIN_SLOTS
    while slots < replicas:
        slots *= 2
    return slots


@dataclass(frozen=True, slots=True)
class Entry:
    """A service as the edge knows it.

    Attributes:
        port: where callers inside the stack find it.
        ports: where the containers of each colour listen (0: at `port`): two releases may
            differ, and until the switch the old one is dialled and found at its own.
        slots: how many servers each colour can hold.
        holds: whether callers can be held while a single writer is replaced.
        hold_seconds: how long a held caller waits before it gets a 503.
        health_path: for messages only; the edge does not probe.
        servers: the addresses of each colour, by slot ("" is an empty slot).
        live: the colour that gets traffic, "hold", or "" for none (503).
        releases: the release id in each colour, for figures and response headers.
    """

    stack: str
    service: str
    protocol: Literal["http", "tcp"]
    port: int
    slots: int = MIN_SLOTS
    holds: bool = False
    hold_seconds: float = 30.0
    servers: dict[Colour, tuple[str, ...]] = field(
        default_factory=lambda: {"blue": (), "green": ()}
    )
    releases: dict[Colour, str] = field(default_factory=lambda: {"blue": "", "green": ""})
    ports: dict[Colour, int] = field(default_factory=lambda: {"blue": 0, "green": 0})
    live: str = ""

    @property
    def key(self) -> str:
        """``stack/service``."""
        return f"{self.stack}/{self.service}"

    @property
    def shape(self) -> tuple[object, ...]:
        """What needs a reload when it changes."""
        return (self.protocol, self.port, self.slots, self.holds, self.hold_seconds)

    @property
    def live_colour(self) -> Colour | None:
        """The live colour, or None when there is none or callers are held."""
        return next((colour for colour in COLOURS if colour == self.live), None)

    def dials(self, colour: Colour) -> int:
        """The port at which a colour's containers listen."""
        return self.ports[colour] or self.port

    @property
    def listens(self) -> tuple[int, ...]:
        """The ports at which callers inside the stack find it, lowest first."""
        return tuple(sorted({self.port, *(self.dials(colour) for colour in COLOURS)}))

    def addresses(self, colour: Colour) -> tuple[str, ...]:
        """The addresses in a colour, empty slots left out."""
        return tuple(address for address in self.servers[colour] if address)

    def colour_of(self, release: str) -> Colour | None:
        """The colour that a release's replicas fill, if any."""
        for colour in COLOURS:
            if self.releases[colour] == release and self.addresses(colour):
                return colour
        return None

    def filled(self, colour: Colour, addresses: Iterable[str], release: str) -> Entry:
        """This entry with `addresses` in `colour`.

        An address that is there already keeps its slot, so the traffic of the
        others is not touched.
        """
        wanted = list(dict.fromkeys(addresses))
        old = list(self.servers[colour]) + [""] * (self.slots - len(self.servers[colour]))
        slots = [address if address in wanted else "" for address in old[: self.slots]]
        for address in wanted:
            if address not in slots:
                slots[slots.index("")] = address
        while slots and not slots[-1]:
            slots.pop()
        return replace(
            self,
            servers={**self.servers, colour: tuple(slots)},
            releases={**self.releases, colour: release if wanted else ""},
            ports={**self.ports, colour: self.port if wanted else 0},
        )


@dataclass(frozen=True, slots=True)
class Member:
    """A stack whose network the edge is on, and the edge's address there."""

    network: str
    subnet: str
    address: str


@dataclass(frozen=True, slots=True)
class Table:
    """Everything that the edge routes by. Keys of `entries` are ``stack/service``."""

    members: dict[str, Member] = field(default_factory=dict)
    entries: dict[str, Entry] = field(default_factory=dict)
    routes: dict[str, str] = field(default_factory=dict)
    callers: dict[str, dict[str, str]] = field(default_factory=dict)

    # -- shape: what a reload is needed for -------------------------------

    def join(self, stack: str, member: Member) -> Table:
        """The edge is on this stack's network."""
        return replace(self, members={**self.members, stack: member})

    def shaped(self, entry: Entry) -> Table:
        """Know a service in this shape; what its colours hold stays as it is."""
        known = self.entries.get(entry.key)
        if known is not None:
            entry = replace(
                entry,
                slots=max(entry.slots, known.slots),
                servers=known.servers,
                releases=known.releases,
                ports={c: known.dials(c) if known.addresses(c) else 0 for c in COLOURS},
                live=known.live,
            )
        return replace(self, entries={**self.entries, entry.key: entry})

    def forget(self, key: str) -> Table:
        """Know a service no more: its routes and the callers' names for it go too."""
        return Table(
            members=self.members,
            entries={k: entry for k, entry in self.entries.items() if k != key},
            routes={route: k for route, k in self.routes.items() if k != key},
            callers={
                address: {n: t for n, t in names.items() if t.partition("@")[0] != key}
                for address, names in self.callers.items()
            },
        )

    def forget_stack(self, stack: str) -> Table:
        """Know nothing of a stack any more."""
        table = self
        for key in [k for k, entry in self.entries.items() if entry.stack == stack]:
            table = table.forget(key)
        member = self.members.get(stack)
        callers = table.callers
        if member is not None:
            inside = member.subnet
            callers = {a: n for a, n in callers.items() if not _within(a, inside)}
        members = {s: m for s, m in table.members.items() if s != stack}
        return replace(table, members=members, callers=callers)

    # -- what follows at run time ------------------------------------------

    def offer(self, key: str, colour: Colour, addresses: Iterable[str], release: str) -> Table:
        """Fill a colour with these addresses; harmless to traffic while it is idle."""
        return self._with(self.entries[key].filled(colour, addresses, release))

    def withdraw(self, key: str, colour: Colour) -> Table:
        """Empty a colour."""
        return self.offer(key, colour, (), "") if key in self.entries else self

    def switch(self, live: Mapping[str, str]) -> Table:
        """Make these colours live, all at once; "hold" holds callers, "" answers 503."""
        entries = dict(self.entries)
        for key, colour in live.items():
            entries[key] = replace(entries[key], live=colour)
        return replace(self, entries=entries)

    def route(self, stack: str, routes: Mapping[str, str]) -> Table:
        """These are the stack's routes now: route key -> service key."""
        kept = {r: k for r, k in self.routes.items() if not k.startswith(f"{stack}/")}
        return replace(self, routes={**kept, **routes})

    def admit(self, callers: Mapping[str, Mapping[str, str]]) -> Table:
        """These callers may reach these services under these names."""
        added = {address: dict(names) for address, names in callers.items()}
        return replace(self, callers={**self.callers, **added})

    def dismiss(self, addresses: Iterable[str]) -> Table:
        """These callers are gone."""
        gone = set(addresses)
        return replace(self, callers={a: n for a, n in self.callers.items() if a not in gone})

    def _with(self, entry: Entry) -> Table:
        return replace(self, entries={**self.entries, entry.key: entry})

    # -- as text -------------------------------------------------------------

    def to_json(self) -> str:
        """The table as JSON, in a stable order."""
        return json.dumps(asdict(self), indent=1, sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> Table:
        """The table that `to_json` wrote; raises ValueError or KeyError on anything else."""
        raw: dict[str, Any] = json.loads(text)
        return cls(
            members={stack: Member(**member) for stack, member in raw["members"].items()},
            entries={key: _entry(entry) for key, entry in raw["entries"].items()},
            routes=dict(raw["routes"]),
            callers={address: dict(names) for address, names in raw["callers"].items()},
        )


def _entry(raw: dict[str, Any]) -> Entry:
    servers = {colour: tuple(raw["servers"][colour]) for colour in COLOURS}
    releases = {colour: str(raw["releases"][colour]) for colour in COLOURS}
    ports = {colour: int(raw.get("ports", {}).get(colour, 0)) for colour in COLOURS}
    return Entry(**{**raw, "servers": servers, "releases": releases, "ports": ports})


def _within(address: str, subnet: str) -> bool:
    from ipaddress import ip_address, ip_network

    return ip_address(address) in ip_network(subnet)
