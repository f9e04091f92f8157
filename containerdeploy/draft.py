"""A plan being drafted: what is known, what is decided so far, and the steps."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from ipaddress import ip_address, ip_network
from typing import TYPE_CHECKING

from containerdeploy.addresses import Addresses, free_subnet
from containerdeploy.edge.edits import applied
from containerdeploy.plan import EditEdge
from containerdeploy.situation import Situation, situation_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from containerdeploy.edge.table import Table
    from containerdeploy.host import Host
    from containerdeploy.observed import Container, Observed
    from containerdeploy.plan import Step
    from containerdeploy.release import Release
    from containerdeploy.stack import Stack

STACK_PREFIX = 22
"""Each stack gets a /22: room for 1,000 containers, kept ones included."""
SWITCH = "switch"


@dataclass(frozen=True, slots=True)
class Desired:
    """What is to be: the stack, its releases, and why they differ from the live ones.

    Attributes:
        releases: by service name.
        changes: service -> what changed in words, such as ``image, env LOG_LEVEL``.
    """

    stack: Stack
    releases: Mapping[str, Release]
    changes: Mapping[str, str] = field(default_factory=dict)


class Draft:
    """Everything that the parts of the planner share.

    Attributes:
        all: the situation of each service, those that are used first.
        gone: services that are observed but no longer in the stack file, with what runs of them.
        doomed: containers that are removed before anything is started.
        addresses: the address of each new replica by (service, number); number 0 is its job.
        serving: the addresses that each service has once the plan is done.
        ready: the steps after which a service's candidate can be called.
    """

    def __init__(self, desired: Desired, observed: Observed, host: Host) -> None:
        self.desired = desired
        self.observed = observed
        self.host = host
        self.stack = desired.stack
        self.steps: list[Step] = []
        self.ready: dict[str, tuple[str, ...]] = {}
        self.addresses: dict[tuple[str, int], str] = {}
        self.serving: dict[str, list[str]] = defaultdict(list)
        self.doomed: list[Container] = []
        self.network = host.stack_network(self.stack.name)
        subnet = observed.network.subnet if observed.network else ""
        self.subnet = subnet or free_subnet(
            host.pool, observed.subnets, STACK_PREFIX, owner=self.stack.name
        )
        self.all = [
            situation_of(service, desired.releases[service.name], observed)
            for service in self.stack.in_order()
        ]
        self.by_name = {s.service.name: s for s in self.all}
        self.gone = self._gone()

    @property
    def fresh(self) -> list[Situation]:
        """Services of which replicas have to be started."""
        return [s for s in self.all if s.missing]

    def add(self, step: Step) -> str:
        """Add a step; its id."""
        self.steps.append(step)
        return step.id

    def leaves(self) -> tuple[str, ...]:
        """The ids of steps that no other step waits for yet."""
        waited = {i for step in self.steps for i in step.after}
        return tuple(step.id for step in self.steps if step.id not in waited)

    def table(self) -> Table:
        """The edge's table after the steps so far."""
        edits = (e for step in self.steps if isinstance(step, EditEdge) for e in step.edits)
        return applied(edits, self.observed.table)

    def inside(self, address: str) -> bool:
        """Whether an address lies in the stack's network."""
        return bool(address) and ip_address(address) in ip_network(self.subnet)

    def _gone(self) -> dict[str, list[Container]]:
        """Services that are observed but no longer in the stack file."""
        gone: dict[str, list[Container]] = {
            entry.service: []
            for entry in self.observed.table.entries.values()
            if entry.stack == self.stack.name and entry.service not in self.stack
        }
        for container in self.observed.containers:
            service = container.service
            if container.role == "service" and container.running and service not in self.stack:
                gone.setdefault(service, []).append(container)
        return gone

    def kept(self, situation: Situation, replica: int) -> Container | None:
        """A stopped container of the desired release that can be started again."""
        for container in situation.kept:
            same = container.release == situation.release.id and container.replica == replica
            if same and container not in self.doomed:
                return container
        return None

    def allocate(self) -> None:
        """Give each new replica and each job an address of its own."""
        used = {c.address for c in self.observed.containers if c.address}
        pool = Addresses(self.subnet, used | set(self.observed.table.callers))
        for situation in self.all:
            name = situation.service.name
            self.serving[name] += [c.address for c in situation.staying]
        for situation in self.fresh:
            for replica in situation.missing:
                kept = self.kept(situation, replica)
                address = kept.address if kept else pool.take()
                self.addresses[situation.service.name, replica] = address
                self.serving[situation.service.name].append(address)
            if situation.has_job:
                self.addresses[situation.service.name, 0] = pool.take()

    def names(self, situation: Situation) -> dict[str, str]:
        """What a candidate may call during the rollout: candidates, where there are any."""
        names = {}
        for name in situation.service.uses:
            used = self.by_name[name]
            apart = used.fresh and not used.replaces
            names[name] = f"{used.key}@{used.colour}" if apart else used.key
        return names

    def old_names(
        self, situation: Situation, container: Container, *, pinned: bool = True
    ) -> dict[str, str]:
        """What a container that is about to be retired may call: whatever it may call now.

        Not what the new release uses: the old one serves until the switch, and what is in
        flight in it ends after it.

        Args:
            pinned: to the old world, where there are two.
        """
        known = self.observed.table.callers.get(container.address)
        if known is None:
            known = self.live_names(situation)
        keys = {name: target.partition("@")[0] for name, target in known.items()}
        return {name: self._in_old_world(key) if pinned else key for name, key in keys.items()}

    def _in_old_world(self, key: str) -> str:
        """Where an old caller finds a service: in the colour that the switch takes it from."""
        used = self.by_name.get(key.rpartition("/")[2])
        entry = self.observed.table.entries.get(key)
        if used is not None and (not used.fresh or used.replaces):
            return key
        colour = used.live_colour if used is not None else entry and entry.live_colour
        return f"{key}@{colour}" if colour else key

    def live_names(self, situation: Situation) -> dict[str, str]:
        """What a caller may call when there is one world."""
        return {name: self.by_name[name].key for name in situation.service.uses}

    def why(self, situation: Situation) -> str:
        """Why replicas of a service are started."""
        name, release = situation.service.name, situation.release.id
        if not situation.fresh:
            number = situation.service.replicas
            return f"{name} is to have {number} replica{'s' if number > 1 else ''}"
        if not situation.live:
            return f"{name} does not run yet; release {release}"
        changed = self.desired.changes.get(name, "")
        what = f"{name} changed ({changed})" if changed else f"{name} changed"
        return f"{what}; release {release} beside {situation.live_release}"
