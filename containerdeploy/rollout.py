"""Decisions: desired against observed gives a plan. Pure: no I/O, clock or randomness."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from containerdeploy.addresses import Addresses, edge_address, free_subnet, gateway_of
from containerdeploy.claims import check_claims
from containerdeploy.edge.edits import (
    Admit,
    Dismiss,
    Edit,
    Forget,
    ForgetStack,
    Join,
    Live,
    Offer,
    Routes,
    Shape,
    applied,
)
from containerdeploy.edge.table import HOLD, Member, other
from containerdeploy.plan import (
    CALL,
    Drain,
    EditEdge,
    Job,
    MakeNetwork,
    Plan,
    Probe,
    Prune,
    Remove,
    Revive,
    Smoke,
    Start,
    Step,
    Stop,
)
from containerdeploy.situation import Situation, situation_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from containerdeploy.host import Host
    from containerdeploy.observed import Container, Observed
    from containerdeploy.release import Release
    from containerdeploy.stack import Stack

STACK_PREFIX = 22
"""Each stack gets a /22: room for 1,000 containers, kept ones included."""
JOIN = "edge: prepare"
SWITCH = "switch"
SETTLE = "edge: settle"


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


def plan_rollout(desired: Desired, observed: Observed, host: Host) -> Plan:
    """The steps from what is observed to what is desired.

    Raises:
        Conflict: another stack on this host claims a route of this one.
        HostNotReady: the address pool is used up.
    """
    check_claims(desired.stack, observed.table, host)
    return _Planner(desired, observed, host).plan()


class _Planner:
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
        self.subnet = subnet or free_subnet(host.pool, observed.subnets, STACK_PREFIX)
        used = {c.address for c in observed.containers if c.address}
        self.pool = Addresses(self.subnet, used | set(observed.table.callers))
        self.all = [
            situation_of(service, desired.releases[service.name], observed)
            for service in self.stack.in_order()
        ]
        self.by_name = {s.service.name: s for s in self.all}
        self.gone = self._gone()

    # -- the story -----------------------------------------------------------

    def plan(self) -> Plan:
        fresh = [s for s in self.all if s.missing]
        self._clear_leftovers()
        self._allocate(fresh)
        prepare = self._prepare(fresh)
        last: tuple[str, ...] = prepare
        for situation in [s for s in fresh if s.replaces]:
            last = self._replace(situation, last)
        for situation in [s for s in fresh if not s.replaces]:
            self._candidate(situation, last)
        self._switch()
        self._retire()
        self._settle()
        self._prune()
        return Plan(
            stack=self.stack.name,
            steps=tuple(self.steps),
            outcomes={s.service.name: s.outcome for s in self.all}
            | dict.fromkeys(self.gone, "removed"),
            releases={s.service.name: s.release.id for s in self.all},
        )

    def _add(self, step: Step) -> str:
        self.steps.append(step)
        return step.id

    def _why(self, situation: Situation) -> str:
        name, release = situation.service.name, situation.release.id
        if not situation.fresh:
            number = situation.service.replicas
            return f"{name} is to have {number} replica{'s' if number > 1 else ''}"
        if not situation.live:
            return f"{name} does not run yet; release {release}"
        changed = self.desired.changes.get(name, "")
        what = f"{name} changed ({changed})" if changed else f"{name} changed"
        return f"{what}; release {release} beside {situation.live_release}"

    # -- before the switch -----------------------------------------------------

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

    def _clear_leftovers(self) -> None:
        """Jobs, test containers and candidates of a rollout that was interrupted."""
        for situation in self.all:
            self.doomed += situation.leftovers
            # A kept container on another subnet can't come back at its address.
            self.doomed += [c for c in situation.kept if not self._usable(c)]
        self.doomed += [c for c in self.observed.containers if c.role == "job"]
        for container in self.doomed:
            self._add(
                Remove(
                    id=f"remove {container.name}",
                    why="left behind by an interrupted rollout",
                    service=container.service,
                    container=container.name,
                )
            )

    def _usable(self, container: Container) -> bool:
        from ipaddress import ip_address, ip_network

        return bool(container.address) and ip_address(container.address) in ip_network(self.subnet)

    def _kept(self, situation: Situation, replica: int) -> Container | None:
        for container in situation.kept:
            same = container.release == situation.release.id and container.replica == replica
            if same and container not in self.doomed:
                return container
        return None

    def _allocate(self, fresh: list[Situation]) -> None:
        for situation in self.all:
            name = situation.service.name
            self.serving[name] += [c.address for c in situation.staying]
        for situation in fresh:
            for replica in situation.missing:
                kept = self._kept(situation, replica)
                address = kept.address if kept else self.pool.take()
                self.addresses[situation.service.name, replica] = address
                self.serving[situation.service.name].append(address)
            if self._has_job(situation):
                self.addresses[situation.service.name, 0] = self.pool.take()

    def _has_job(self, situation: Situation) -> bool:
        return bool(situation.fresh and situation.service.before_switch)

    def _names(self, situation: Situation, *, old: bool = False) -> dict[str, str]:
        """What a caller of a rollout may call: pinned to its own world where there are two."""
        names = {}
        for name in situation.service.uses:
            used = self.by_name[name]
            pin = ""
            if used.fresh and not used.replaces:
                colour = used.live_colour if old else used.colour
                pin = f"@{colour}" if colour else ""
            names[name] = used.key + pin
        return names

    def _live_names(self, situation: Situation) -> dict[str, str]:
        return {name: self.by_name[name].key for name in situation.service.uses}

    def _prepare(self, fresh: list[Situation]) -> tuple[str, ...]:
        """The network, and the edge's knowledge of new services and of each world's callers."""
        after: tuple[str, ...] = tuple(step.id for step in self.steps)
        member = Member(self.network, self.subnet, edge_address(self.subnet))
        known = self.observed.table
        if self.observed.network is None or known.members.get(self.stack.name) != member:
            after = (
                self._add(
                    MakeNetwork(
                        id=f"network {self.network}",
                        why=f"stack {self.stack.name} has a network of its own",
                        network=self.network,
                        stack=self.stack.name,
                        subnet=self.subnet,
                        gateway=gateway_of(self.subnet),
                        edge_address=member.address,
                        after=after,
                    )
                ),
            )
        edits: list[Edit] = [Join(self.stack.name, member)]
        undo: list[Edit] = []
        for situation in self.all:
            entry = situation.wanted_entry()
            if entry is not None:
                edits.append(Shape(entry))
                undo.append(Shape(situation.entry) if situation.entry else Forget(entry.key))
        for situation in fresh:
            names = self._names(situation)
            for replica in (*situation.missing, *((0,) if self._has_job(situation) else ())):
                address = self.addresses[situation.service.name, replica]
                edits.append(Admit(address, names))
                undo.append(Dismiss(address))
            if situation.wanted_entry() is not None and situation.fresh:
                undo.append(Offer(situation.key, situation.colour, (), ""))
            for container in situation.leaving:
                edits.append(Admit(container.address, self._names(situation, old=True)))
                undo.append(Admit(container.address, self._live_names(situation)))
        if self.stack.name not in known.members:
            undo.append(ForgetStack(self.stack.name))
        if applied(edits, known) == known:
            return after
        step = EditEdge(
            id=JOIN,
            why="the edge knows the new replicas' places before they start",
            edits=tuple(edits),
            after=after,
            undo=(EditEdge(id="edge: forget the candidates", why="undo", edits=tuple(undo)),),
        )
        return (self._add(step),)

    def _start(self, situation: Situation, replica: int, after: tuple[str, ...]) -> str:
        """Start and probe one replica; the id of the probe."""
        service, release = situation.service, situation.release
        kept = self._kept(situation, replica)
        name = self.host.container_name(self.stack.name, service.name, release.id, replica)
        address = self.addresses[service.name, replica]
        why = self._why(situation)
        undo: Step = Remove(id=f"remove {name}", why="undo", service=service.name, container=name)
        if kept:
            why += " (kept from before)"
            undo = Stop(
                id=f"stop {name}",
                why="undo",
                service=service.name,
                container=name,
                stop_timeout=service.stop_timeout,
                timeout=service.stop_timeout + CALL,
            )
        start = self._add(
            Start(
                id=f"start {service.name} {replica}",
                why=why,
                service=service.name,
                after=after,
                release=release,
                replica=replica,
                container=name,
                address=address,
                existing=kept is not None,
                undo=(undo,),
            )
        )
        return self._add(
            Probe(
                id=f"ready? {service.name} {replica}",
                why="no traffic before it is ready",
                service=service.name,
                after=(start,),
                container=name,
                address=address,
                timeout=service.health.timeout + CALL,
            )
        )

    def _job(self, situation: Situation, after: tuple[str, ...]) -> tuple[str, ...]:
        service, release = situation.service, situation.release
        if not self._has_job(situation):
            return after
        name = self.host.container_name(self.stack.name, service.name, release.id, 0) + "-job"
        return (
            self._add(
                Job(
                    id=f"before_switch {service.name}",
                    why="once, with the new image, before traffic",
                    service=service.name,
                    after=after,
                    release=release,
                    container=name,
                    address=self.addresses[service.name, 0],
                    argv=service.before_switch,
                    timeout=service.before_switch_timeout,
                )
            ),
        )

    def _uses_ready(self, situation: Situation) -> tuple[str, ...]:
        return tuple(i for name in situation.service.uses for i in self.ready.get(name, ()))

    def _offer(self, situation: Situation, probes: tuple[str, ...]) -> tuple[str, ...]:
        """Put a candidate into its idle colour, and smoke it there."""
        service = situation.service
        if service.port is None or not situation.fresh:
            return probes
        offer = self._add(
            EditEdge(
                id=f"offer {service.name}",
                why=f"the edge can reach the candidate ({situation.colour}); nobody is sent there",
                service=service.name,
                after=probes,
                edits=(
                    Offer(
                        situation.key,
                        situation.colour,
                        tuple(self.serving[service.name]),
                        situation.release.id,
                    ),
                ),
            )
        )
        self.ready[service.name] = (offer,)
        smoked = any(c.kind == "http" for c in service.checks) and service.protocol == "http"
        if not smoked:
            return (offer,)
        return (
            self._add(
                Smoke(
                    id=f"smoke {service.name}",
                    why="its http checks, through the edge, before any traffic",
                    service=service.name,
                    after=(offer,),
                    key=situation.key,
                    colour=situation.colour,
                    timeout=sum(c.timeout for c in service.checks) + CALL,
                )
            ),
        )

    def _candidate(self, situation: Situation, after: tuple[str, ...]) -> None:
        after = (*after, *self._uses_ready(situation))
        after = self._job(situation, after)
        probes = tuple(self._start(situation, n, after) for n in situation.missing)
        self.ready.setdefault(situation.service.name, probes)
        self._offer(situation, probes)

    def _replace(self, situation: Situation, after: tuple[str, ...]) -> tuple[str, ...]:
        """Callers wait while the one writer is replaced; each step has its undo."""
        service, key = situation.service, situation.key
        old_colour = situation.live_colour
        routed = service.port is not None and old_colour is not None
        after = self._job(situation, (*after, *self._uses_ready(situation)))
        if routed and old_colour is not None:
            hold = self._add(
                EditEdge(
                    id=f"hold {service.name}",
                    why=f"callers wait (up to {service.hold:g} s) while the one writer is replaced",
                    service=service.name,
                    after=after,
                    edits=(Live(key, HOLD),),
                    undo=(
                        EditEdge(
                            id=f"release {service.name}",
                            why="undo",
                            service=service.name,
                            edits=(Live(key, old_colour),),
                        ),
                    ),
                )
            )
            after = (self._drain(situation, (hold,)),)
        for container in situation.live:
            revive = Revive(
                id=f"start {container.name}",
                why="undo",
                service=service.name,
                container=container.name,
            )
            ready = Probe(
                id=f"ready? {container.name}",
                why="undo",
                service=service.name,
                container=container.name,
                address=container.address,
                timeout=service.health.timeout + CALL,
            )
            after = (self._stop(service.name, container, after, undo=(revive, ready)),)
        probes = tuple(self._start(situation, n, after) for n in situation.missing)
        if not routed or old_colour is None:
            self.ready[service.name] = probes
            return probes
        served = self._offer(situation, probes)
        release = self._add(
            EditEdge(
                id=f"release {service.name}",
                why="the new one is ready: callers go on",
                service=service.name,
                after=served,
                edits=(Live(key, situation.colour),),
                undo=(
                    EditEdge(
                        id=f"hold {service.name} again",
                        why="undo",
                        service=service.name,
                        edits=(Live(key, HOLD),),
                    ),
                ),
            )
        )
        self.ready[service.name] = (release,)
        return (release,)

    # -- the switch and after ------------------------------------------------------

    def _switch(self) -> None:
        edits: list[Edit] = []
        for situation in self.all:
            if situation.service.port is None:
                continue
            addresses = tuple(self.serving[situation.service.name])
            edits.append(Offer(situation.key, situation.colour, addresses, situation.release.id))
            edits.append(Live(situation.key, situation.colour))
        edits += [Live(f"{self.stack.name}/{name}", "") for name in self.gone]
        routes = {route.key: s.key for s in self.all for route in s.service.routes}
        edits.append(Routes(self.stack.name, routes))
        before = [s for s in self.steps if not isinstance(s, Remove | MakeNetwork)]
        known = self.observed.table
        expected = applied((e for s in before if isinstance(s, EditEdge) for e in s.edits), known)
        if applied(edits, expected) == expected and not any(
            s.leaving or s.missing for s in self.all
        ):
            return
        changed = [s.service.name for s in self.all if s.outcome != "unchanged"]
        changed += list(self.gone)
        why = "routes change" if not changed else ", ".join(changed) + " in one transaction"
        after = _leaves(self.steps)
        self._add(EditEdge(id=SWITCH, why=why, after=after, edits=tuple(edits), is_switch=True))

    def _drain(self, situation: Situation, after: tuple[str, ...]) -> str:
        colour = situation.live_colour or "blue"
        seconds = situation.service.drain
        return self._add(
            Drain(
                id=f"drain {situation.service.name}",
                why=f"what is in flight finishes first (up to {seconds:g} s)",
                service=situation.service.name,
                after=after,
                key=situation.key,
                colour=colour,
                seconds=seconds,
                timeout=seconds + CALL,
            )
        )

    def _stop(
        self,
        service: str,
        container: Container,
        after: tuple[str, ...],
        undo: tuple[Step, ...] = (),
    ) -> str:
        known = self.stack[service].stop_timeout if service in self.stack else 10.0
        return self._add(
            Stop(
                id=f"retire {container.name}",
                why="stopped and kept for a rollback",
                service=service,
                after=after,
                undo=undo,
                container=container.name,
                stop_timeout=known,
                timeout=known + CALL,
            )
        )

    def _retire(self) -> None:
        for situation in self.all:
            if situation.replaces:
                continue
            self._retire_one(situation)
        for name, containers in self.gone.items():
            after: tuple[str, ...] = (SWITCH,)
            entry = self.observed.table.entries.get(f"{self.stack.name}/{name}")
            if entry is not None and entry.live_colour is not None:
                drain = Drain(
                    id=f"drain {name}",
                    why=f"{name} is no longer in the stack",
                    service=name,
                    after=after,
                    key=entry.key,
                    colour=entry.live_colour,
                    seconds=30.0,
                    timeout=30.0 + CALL,
                )
                after = (self._add(drain),)
            for container in containers:
                self._stop(name, container, after)

    def _retire_one(self, situation: Situation) -> None:
        if not situation.leaving:
            return
        after: tuple[str, ...] = (SWITCH,)
        if situation.entry is not None and situation.live_colour is not None:
            after = (self._drain(situation, after),)
        for container in situation.leaving:
            self._stop(situation.service.name, container, after)

    def _settle(self) -> None:
        """The table as it is to be in the end: one world, only live callers."""
        edits: list[Edit] = []
        admitted: set[str] = set()
        for situation in self.all:
            addresses = self.serving[situation.service.name]
            entry = situation.wanted_entry()
            if entry is not None:
                live, release = tuple(addresses), situation.release.id
                edits += [
                    Shape(entry),
                    Offer(situation.key, situation.colour, live, release),
                    Offer(situation.key, other(situation.colour), (), ""),
                    Live(situation.key, situation.colour),
                ]
            for address in addresses:
                edits.append(Admit(address, self._live_names(situation)))
                admitted.add(address)
        edits += [Forget(f"{self.stack.name}/{name}") for name in self.gone]
        expected = applied(self._edits(), self.observed.table)
        inside = [a for a in expected.callers if _inside(a, self.subnet)]
        edits += [Dismiss(address) for address in inside if address not in admitted]
        if applied(edits, expected) == expected:
            return
        self._add(
            EditEdge(
                id=SETTLE,
                why="one world again: the old places are given back",
                edits=tuple(edits),
                after=_leaves(self.steps),
            )
        )

    def _edits(self) -> Iterable[Edit]:
        return (e for step in self.steps if isinstance(step, EditEdge) for e in step.edits)

    def _prune(self) -> None:
        after = _leaves(self.steps)
        for situation in self.all:
            by_release: dict[str, list[Container]] = defaultdict(list)
            for container in situation.kept:
                if container not in self.doomed and container.release != situation.release.id:
                    by_release[container.release].append(container)
            order = sorted(
                by_release, key=lambda r: max(c.finished for c in by_release[r]), reverse=True
            )
            if situation.fresh and situation.live_release:
                order.insert(0, situation.live_release)
            for release in order[situation.service.keep :]:
                containers = by_release.get(release) or list(situation.leaving)
                self._add(
                    Prune(
                        id=f"prune {situation.service.name} {release}",
                        why=f"{situation.service.keep} earlier release(s) are kept",
                        service=situation.service.name,
                        after=after,
                        release_id=release,
                        containers=tuple(c.name for c in containers),
                        image=containers[0].image,
                    )
                )


def _leaves(steps: list[Step]) -> tuple[str, ...]:
    """The ids of steps that no other step waits for."""
    waited = {i for step in steps for i in step.after}
    return tuple(step.id for step in steps if step.id not in waited)


def _inside(address: str, subnet: str) -> bool:
    from ipaddress import ip_address, ip_network

    return ip_address(address) in ip_network(subnet)
