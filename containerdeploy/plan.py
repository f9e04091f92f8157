"""A plan: what a rollout will do, step by step, as data that prints as text."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from containerdeploy.edge.edits import Edit
    from containerdeploy.edge.table import Colour
    from containerdeploy.release import Release

CALL = 60.0
"""Seconds that one call to the engine or the edge may take."""
REVIVE = 30.0
"""Seconds that a container that is started again gets to listen: its health settings of
then are not known, those of the file that is just being undone are not its own."""


@dataclass(frozen=True, kw_only=True)
class Step:
    """One thing to do.

    Attributes:
        id: unique in its plan, such as ``start web 2``.
        why: the reason, in words.
        service: the service it is for; "" for the stack or the edge.
        after: ids of the steps that must be done before.
        undo: what takes it back, in this order, when the rollout fails before the switch.
        timeout: seconds until it is given up.
    """

    id: str
    why: str
    service: str = ""
    after: tuple[str, ...] = ()
    undo: tuple[Step, ...] = ()
    timeout: float = CALL

    def __str__(self) -> str:
        return f"{self.id}: {self.why}"


@dataclass(frozen=True, kw_only=True)
class MakeNetwork(Step):
    """Make a stack's network, and put the edge on it."""

    network: str
    stack: str
    subnet: str
    gateway: str
    edge_address: str


@dataclass(frozen=True, kw_only=True)
class DropNetwork(Step):
    """Take the edge off a stack's network, and remove it."""

    network: str


@dataclass(frozen=True, kw_only=True)
class EditEdge(Step):
    """Change the edge's table, in one transaction."""

    edits: tuple[Edit, ...]
    is_switch: bool = False


@dataclass(frozen=True, kw_only=True)
class Start(Step):
    """Start one replica: a new container, or (`existing`) a kept one of the same release."""

    release: Release
    replica: int
    container: str
    address: str
    existing: bool = False


@dataclass(frozen=True, kw_only=True)
class Probe(Step):
    """Wait until a replica is ready; fails at once when it dies."""

    container: str
    address: str


@dataclass(frozen=True, kw_only=True)
class Job(Step):
    """Run a service's `before_switch` once, with the new image, in a container of its own."""

    release: Release
    container: str
    address: str
    argv: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Smoke(Step):
    """Run a service's http checks on the candidate through the edge."""

    key: str
    colour: Colour


@dataclass(frozen=True, kw_only=True)
class Drain(Step):
    """Wait until nothing is in flight in a colour; at the deadline, end what is.

    With `addresses`: only those servers go, the rest of the colour goes on serving.
    """

    key: str
    colour: Colour
    seconds: float
    addresses: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Stop(Step):
    """Stop a container and keep it (retire)."""

    container: str
    stop_timeout: float


@dataclass(frozen=True, kw_only=True)
class Revive(Step):
    """Start a container that was stopped, as it is, and wait for its port (the undo of a stop)."""

    container: str
    address: str
    port: int | None


@dataclass(frozen=True, kw_only=True)
class Remove(Step):
    """Remove a container for good; with `keep_log` the end of its log outlives it."""

    container: str
    keep_log: bool = True


@dataclass(frozen=True, kw_only=True)
class Prune(Step):
    """Remove a release for good: its kept containers, its image's name, its secrets."""

    release_id: str
    containers: tuple[str, ...]
    image: str


@dataclass(frozen=True)
class Plan:
    """Steps in an order in which they could be done one by one, and what each service comes to.

    Attributes:
        outcomes: service -> "new", "changed", "scaled", "mended", "unchanged" or "removed".
        releases: service -> the release id that is live when the plan is done.
    """

    stack: str
    steps: tuple[Step, ...] = ()
    outcomes: dict[str, str] = field(default_factory=dict)
    releases: dict[str, str] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.steps)

    def __iter__(self) -> Iterator[Step]:
        return iter(self.steps)

    def __str__(self) -> str:
        return "\n".join(map(str, self.steps))

    @property
    def switch(self) -> EditEdge | None:
        """The step that switches, if there is one."""
        return next((s for s in self.steps if isinstance(s, EditEdge) and s.is_switch), None)

    @property
    def before_switch(self) -> tuple[Step, ...]:
        """The steps that a failure undoes."""
        switch = self.switch
        return self.steps[: self.steps.index(switch)] if switch else ()
