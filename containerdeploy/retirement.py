"""The part of a plan after the switch, and what it clears away before: drain, retire, prune."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from containerdeploy.draft import SWITCH
from containerdeploy.plan import CALL, Drain, Prune, Remove, Step, Stop

if TYPE_CHECKING:
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
    for container in draft.doomed:
        draft.add(
            Remove(
                id=f"remove {container.name}",
                why="left behind by an interrupted rollout",
                service=container.service,
                container=container.name,
            )
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
    """Drain and retire what the switch took the traffic from."""
    for situation in draft.all:
        if situation.replaces:
            continue
        _retire_one(draft, situation)
    for name, containers in draft.gone.items():
        after: tuple[str, ...] = (SWITCH,)
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
        for container in containers:
            retire(draft, name, container, after)


def _retire_one(draft: Draft, situation: Situation) -> None:
    if not situation.leaving:
        return
    after: tuple[str, ...] = (SWITCH,)
    if situation.entry is not None and situation.live_colour is not None:
        after = (drain(draft, situation, after),)
    for container in situation.leaving:
        retire(draft, situation.service.name, container, after)


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
            order.insert(0, situation.live_release)
        for release in order[situation.service.keep :]:
            containers = by_release.get(release) or list(situation.leaving)
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
