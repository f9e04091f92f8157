"""Decisions: desired against observed gives a plan. Pure: no I/O, clock or randomness."""

from __future__ import annotations

from typing import TYPE_CHECKING

from containerdeploy.addresses import edge_address, gateway_of
from containerdeploy.candidates import beside, bring_back, replacing
from containerdeploy.claims import check_claims
from containerdeploy.draft import SWITCH, Desired, Draft
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
from containerdeploy.edge.table import Member, other
from containerdeploy.plan import DropNetwork, EditEdge, MakeNetwork, Plan, Step
from containerdeploy.retirement import clear_leftovers, prune_old, retire_old

if TYPE_CHECKING:
    from containerdeploy.edge.table import Table
    from containerdeploy.host import Host
    from containerdeploy.observed import Observed

JOIN = "edge: prepare"
SETTLE = "edge: settle"

__all__ = ["Desired", "plan_rollout"]


def plan_rollout(desired: Desired, observed: Observed, host: Host) -> Plan:
    """The steps from what is observed to what is desired.

    Raises:
        Conflict: another stack on this host claims a route of this one.
        HostNotReady: the address pool is used up.
    """
    check_claims(desired.stack, observed.table, host)
    draft = Draft(desired, observed, host)
    clear_leftovers(draft)
    draft.allocate()
    last = _prepare(draft)
    for situation in draft.fresh:
        if situation.replaces:
            last = replacing(draft, situation, last)
    for situation in draft.fresh:
        if not situation.replaces:
            beside(draft, situation, last)
    _switch(draft)
    retire_old(draft)
    _settle(draft)
    prune_old(draft)
    return Plan(
        stack=draft.stack.name,
        steps=tuple(draft.steps),
        outcomes={s.service.name: s.outcome for s in draft.all}
        | dict.fromkeys(draft.gone, "removed"),
        releases={s.service.name: s.release.id for s in draft.all},
    )


def _prepare(draft: Draft) -> tuple[str, ...]:
    """The network, and the edge's knowledge of new services and of each world's callers."""
    after: tuple[str, ...] = tuple(step.id for step in draft.steps)
    member = Member(draft.network, draft.subnet, edge_address(draft.subnet))
    known = draft.observed.table
    if draft.observed.network is None or known.members.get(draft.stack.name) != member:
        after = (
            draft.add(
                MakeNetwork(
                    id=f"network {draft.network}",
                    why=f"stack {draft.stack.name} has a network of its own",
                    network=draft.network,
                    stack=draft.stack.name,
                    subnet=draft.subnet,
                    gateway=gateway_of(draft.subnet),
                    edge_address=member.address,
                    after=after,
                    undo=_undo_network(draft),
                )
            ),
        )
    edits: list[Edit] = [Join(draft.stack.name, member)]
    undo: list[Edit] = []
    for situation in draft.all:
        entry = situation.wanted_entry()
        if entry is not None:
            edits.append(Shape(entry))
            undo.append(Shape(situation.entry) if situation.entry else Forget(entry.key))
    for situation in draft.fresh:
        names = draft.names(situation)
        for replica in (*situation.missing, *((0,) if situation.has_job else ())):
            address = draft.addresses[situation.service.name, replica]
            edits.append(Admit(address, names))
            undo.append(Dismiss(address))
        if situation.wanted_entry() is not None and situation.fresh and not situation.again:
            undo.append(Offer(situation.key, situation.colour, (), ""))
        for container in situation.leaving:
            edits.append(Admit(container.address, draft.old_names(situation, container)))
            now = draft.old_names(situation, container, pinned=False)
            undo.append(Admit(container.address, now))
    if draft.stack.name not in known.members:
        undo.append(ForgetStack(draft.stack.name))
    if applied(edits, known) == known:
        return after
    step = EditEdge(
        id=JOIN,
        why="the edge knows the new replicas' places before they start",
        edits=tuple(edits),
        after=after,
        undo=(
            EditEdge(id="edge: forget the candidates", why="undo", edits=tuple(undo)),
            *(one for situation in draft.fresh for one in bring_back(situation)),
        ),
    )
    return (draft.add(step),)


def _undo_network(draft: Draft) -> tuple[Step, ...]:
    """A network that is new goes again; one that was there stays."""
    if draft.observed.network is not None:
        return ()
    name = draft.network
    return (DropNetwork(id=f"network {name} again", why="undo", network=name),)


def _switch(draft: Draft) -> None:
    """Everything that changes, in one transaction."""
    edits: list[Edit] = []
    for situation in draft.all:
        if situation.service.port is None:
            edits.append(Live(situation.key, ""))  # in case it had one
            continue
        addresses = tuple(draft.serving[situation.service.name])
        edits.append(Offer(situation.key, situation.colour, addresses, situation.release.id))
        edits.append(Live(situation.key, situation.colour))
    edits += [Live(f"{draft.stack.name}/{name}", "") for name in draft.gone]
    routes = {route.key: s.key for s in draft.all for route in s.service.routes}
    edits.append(Routes(draft.stack.name, routes))
    expected = draft.table()
    moves = draft.gone or any(s.leaving or s.missing for s in draft.all)
    if not moves and applied(edits, expected) == expected:
        return
    changed = [s.service.name for s in draft.all if s.outcome != "unchanged"]
    changed += list(draft.gone)
    why = "routes change" if not changed else ", ".join(changed) + " in one transaction"
    after = draft.leaves()
    draft.add(
        EditEdge(
            id=SWITCH,
            why=why,
            after=after,
            edits=tuple(edits),
            is_switch=True,
            undo=(_switch_back(draft, expected),),
        )
    )


def _switch_back(draft: Draft, before: Table) -> EditEdge:
    """What a switch takes back that failed midway: it may stand on disk, or in the proxy."""
    edits: list[Edit] = []
    for situation in draft.all:
        entry, colour = before.entries.get(situation.key), situation.colour
        if entry is not None:
            held = Offer(entry.key, colour, entry.addresses(colour), entry.releases[colour])
            edits += [Live(entry.key, entry.live), held]
    for name in draft.gone:
        entry = before.entries.get(f"{draft.stack.name}/{name}")
        if entry is not None:
            edits.append(Live(entry.key, entry.live))
    own = f"{draft.stack.name}/"
    routes = {route: key for route, key in before.routes.items() if key.startswith(own)}
    edits.append(Routes(draft.stack.name, routes))
    return EditEdge(id="switch back", why="undo", edits=tuple(edits))


def _settle(draft: Draft) -> None:
    """The table as it is to be in the end: one world, only live callers."""
    edits: list[Edit] = []
    admitted: set[str] = set()
    for situation in draft.all:
        addresses = draft.serving[situation.service.name]
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
            edits.append(Admit(address, draft.live_names(situation)))
            admitted.add(address)
    portless = [s.service.name for s in draft.all if s.service.port is None]
    edits += [Forget(f"{draft.stack.name}/{name}") for name in (*portless, *draft.gone)]
    expected = draft.table()
    inside = [a for a in expected.callers if draft.inside(a)]
    edits += [Dismiss(address) for address in inside if address not in admitted]
    if applied(edits, expected) == expected:
        return
    draft.add(
        EditEdge(
            id=SETTLE,
            why="one world again: the old places are given back",
            edits=tuple(edits),
            after=draft.leaves(),
        )
    )
