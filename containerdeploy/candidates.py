"""The part of a plan before the switch: start, probe, offer and smoke what is new."""

from __future__ import annotations

from typing import TYPE_CHECKING

from containerdeploy.edge.edits import Live, Offer
from containerdeploy.edge.table import HOLD
from containerdeploy.plan import (
    CALL,
    REVIVE,
    EditEdge,
    Job,
    Probe,
    Remove,
    Revive,
    Smoke,
    Start,
    Step,
    Stop,
)
from containerdeploy.retirement import drain, retire

if TYPE_CHECKING:
    from containerdeploy.draft import Draft
    from containerdeploy.situation import Situation


def beside(draft: Draft, situation: Situation, after: tuple[str, ...]) -> None:
    """Start a candidate beside the old one, in its own world."""
    after = (*after, *_uses_ready(draft, situation))
    after = _job(draft, situation, after)
    probes = tuple(_start(draft, situation, n, after) for n in situation.missing)
    draft.ready.setdefault(situation.service.name, probes)
    _offer(draft, situation, probes)


def replacing(draft: Draft, situation: Situation, after: tuple[str, ...]) -> tuple[str, ...]:
    """Callers wait while the one writer is replaced; each step has its undo."""
    service, key = situation.service, situation.key
    old_colour = situation.live_colour
    routed = service.port is not None and old_colour is not None
    after = _job(draft, situation, (*after, *_uses_ready(draft, situation)))
    if routed and old_colour is not None:
        hold = draft.add(
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
        after = (drain(draft, situation, (hold,)),)
    for container in situation.live:
        revive = Revive(
            id=f"start {container.name}",
            why="undo",
            service=service.name,
            container=container.name,
            address=container.address,
            port=container.port,
            timeout=REVIVE + CALL,
        )
        after = (retire(draft, service.name, container, after, undo=(revive,)),)
    probes = tuple(_start(draft, situation, n, after) for n in situation.missing)
    if not routed or old_colour is None:
        draft.ready[service.name] = probes
        return probes
    served = _offer(draft, situation, probes)
    release = draft.add(
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
    draft.ready[service.name] = (release,)
    return (release,)


def bring_back(situation: Situation) -> tuple[Step, ...]:
    """The undo for a service whose replacement was killed midway before this rollout began:
    what it stopped starts again, and its callers go on."""
    colour = situation.abandoned_colour
    if colour is None:
        return ()
    name = situation.service.name
    revived = tuple(
        Revive(
            id=f"start {container.name}",
            why="undo",
            service=name,
            container=container.name,
            address=container.address,
            port=container.port,
            timeout=REVIVE + CALL,
        )
        for container in situation.abandoned
    )
    go_on = EditEdge(
        id=f"release {name}", why="undo", service=name, edits=(Live(situation.key, colour),)
    )
    return (*revived, go_on)


def _uses_ready(draft: Draft, situation: Situation) -> tuple[str, ...]:
    return tuple(i for name in situation.service.uses for i in draft.ready.get(name, ()))


def _job(draft: Draft, situation: Situation, after: tuple[str, ...]) -> tuple[str, ...]:
    service, release = situation.service, situation.release
    if not situation.has_job:
        return after
    name = draft.host.container_name(draft.stack.name, service.name, release.id, 0) + "-job"
    return (
        draft.add(
            Job(
                id=f"before_switch {service.name}",
                why="once, with the new image, before traffic",
                service=service.name,
                after=after,
                release=release,
                container=name,
                address=draft.addresses[service.name, 0],
                argv=service.before_switch,
                timeout=service.before_switch_timeout + CALL,
            )
        ),
    )


def _start(draft: Draft, situation: Situation, replica: int, after: tuple[str, ...]) -> str:
    """Start and probe one replica; the id of the probe."""
    service, release = situation.service, situation.release
    kept = draft.kept(situation, replica)
    name = draft.host.container_name(draft.stack.name, service.name, release.id, replica)
    address = draft.addresses[service.name, replica]
    why = draft.why(situation)
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
    start = draft.add(
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
            # What only has to come back is not taken away again when something else fails.
            undo=() if situation.again else (undo,),
        )
    )
    return draft.add(
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


def _offer(draft: Draft, situation: Situation, probes: tuple[str, ...]) -> tuple[str, ...]:
    """Put a candidate into its idle colour, and smoke it there."""
    service = situation.service
    if service.port is None or not situation.fresh:
        return probes
    offer = draft.add(
        EditEdge(
            id=f"offer {service.name}",
            why=f"the edge can reach the candidate ({situation.colour}); nobody is sent there",
            service=service.name,
            after=probes,
            edits=(
                Offer(
                    situation.key,
                    situation.colour,
                    tuple(draft.serving[service.name]),
                    situation.release.id,
                ),
            ),
        )
    )
    draft.ready[service.name] = (offer,)
    smoked = any(c.kind == "http" for c in service.checks) and service.protocol == "http"
    if not smoked:
        return (offer,)
    return (
        draft.add(
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
