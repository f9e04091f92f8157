"""The part of a plan after the switch, and what it clears away before: drain, retire, prune."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from containerdeploy.draft import SWITCH
from containerdeploy.edge.table import other
from containerdeploy.plan import CALL, Drain, Prune, Remove, Step, Stop

if TYPE_CHECKING:
    from collections.abc import Iterable

    from containerdeploy.draft import Draft
    from containerdeploy.observed import Container
    from containerdeploy.situation import Situation

GONE_DRAIN = 30.0
"""Seconds of drain for a service whose settings are no longer known: it left the stack file."""


def clear_leftovers(draft: Draft) -> None:
    """Jobs, test containers and candidates of a rollout that was interrupted."""
    for situation in draft.all:
        draft.doomed += situation.leftovers
        # A kept container on another subnet can't come back at its address.
        draft.doomed += [c for c in situation.kept if not draft.inside(c.address)]
    draft.doomed += [c for c in draft.observed.containers if c.role == "job"]
    drains = {s.service.name: _drain_leftovers(draft, s) for s in draft.all}
    for container in draft.doomed:
        draft.add(
            Remove(
                id=f"remove {container.name}",
                why="left behind by an interrupted rollout",
                service=container.service,
                after=drains.get(container.service, ()),
                container=container.name,
            )
        )


def _drain_leftovers(draft: Draft, situation: Situation) -> tuple[str, ...]:
    """A rollout that was killed after its switch leaves old ones with requests in flight."""
    if situation.entry is None or situation.live_colour is None:
        return ()
    idle, seconds = other(situation.live_colour), situation.service.drain
    there = situation.entry.addresses(idle)
    if not any(c.running and c.address in there for c in situation.leftovers):
        return ()
    return (
        draft.add(
            Drain(
                id=f"drain {situation.service.name} (left behind)",
                why=f"what is in flight finishes first (up to {seconds:g} s)",
                service=situation.service.name,
                key=situation.key,
                colour=idle,
                seconds=seconds,
                timeout=seconds + CALL,
            )
        ),
    )


def drain(draft: Draft, situation: Situation, after: tuple[str, ...]) -> str:
    """Wait for what is in flight in the live colour; the step's id."""
    colour = situation.live_colour or "blue"
    seconds = situation.service.drain
    return draft.add(
        Drain(
            id=f"drain {situation.service.name}",
            why=f"what is in flight finishes first (up to {seconds:g} s)",
            service=situation.service.name,
            after=after,
            key=situation.key,
            colour=colour,
            seconds=seconds,
            # Replicas that go while others of the release stay are waited for by address.
            addresses=() if situation.fresh else tuple(c.address for c in situation.leaving),
            timeout=seconds + CALL,
        )
    )


def retire(
    draft: Draft,
    service: str,
    container: Container,
    after: tuple[str, ...],
    undo: tuple[Step, ...] = (),
) -> str:
    """Stop a container and keep it; the step's id."""
    known = draft.stack[service].stop_timeout if service in draft.stack else 10.0
    return draft.add(
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


def retire_old(draft: Draft) -> None:
    """Drain and retire what the switch took the traffic from, callers before what they call:
    a request that is in flight in an old caller may need the old ones that it uses to its end."""
    waits: dict[str, list[str]] = defaultdict(list)
    seen: set[str] = set()
    leaving = {s.service.name: s.leaving for s in draft.all if not s.replaces}
    leaving |= {name: tuple(containers) for name, containers in draft.gone.items()}

    def visit(name: str) -> None:
        if name in seen:
            return
        seen.add(name)
        for caller in leaving:
            if name in _called(draft, leaving[caller]):
                visit(caller)
        used = draft.by_name.get(name)
        apart = used is None or used.fresh  # else callers find replicas that stay
        after = (SWITCH, *(waits[name] if apart else ()))
        retired = _retire_one(draft, used, after) if used else _retire_gone(draft, name, after)
        for one in _called(draft, leaving[name]):
            waits[one] += retired

    for name in leaving:
        visit(name)


def _called(draft: Draft, callers: Iterable[Container]) -> set[str]:
    """The services that containers may call now."""
    known = draft.observed.table.callers
    targets = {target for c in callers for target in known.get(c.address, {}).values()}
    return {target.partition("@")[0].rpartition("/")[2] for target in targets}


def _retire_gone(draft: Draft, name: str, after: tuple[str, ...]) -> list[str]:
    entry = draft.observed.table.entries.get(f"{draft.stack.name}/{name}")
    if entry is not None and entry.live_colour is not None:
        drain = Drain(
            id=f"drain {name}",
            why=f"{name} is no longer in the stack",
            service=name,
            after=after,
            key=entry.key,
            colour=entry.live_colour,
            seconds=GONE_DRAIN,
            timeout=GONE_DRAIN + CALL,
        )
        after = (draft.add(drain),)
    return [retire(draft, name, container, after) for container in draft.gone[name]]


def _retire_one(draft: Draft, situation: Situation, after: tuple[str, ...]) -> list[str]:
    if not situation.leaving:
        return []
    if situation.entry is not None and situation.live_colour is not None:
        after = (drain(draft, situation, after),)
    name = situation.service.name
    return [retire(draft, name, container, after) for container in situation.leaving]


def prune_old(draft: Draft) -> None:
    """Remove kept releases beyond each service's `keep`."""
    after = draft.leaves()
    for situation in draft.all:
        by_release: dict[str, list[Container]] = defaultdict(list)
        for container in situation.kept:
            if container not in draft.doomed and container.release != situation.release.id:
                by_release[container.release].append(container)
        order = sorted(
            by_release, key=lambda r: max(c.finished for c in by_release[r]), reverse=True
        )
        if situation.fresh and situation.live_release:
            # It may have kept containers too, of replicas that went before it.
            live = situation.live_release
            by_release[live] += situation.leaving
            order = [live, *(release for release in order if release != live)]
        for release in order[situation.service.keep :]:
            containers = by_release[release]
            draft.add(
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
