"""Taking a stack down: off the edge, drained, and everything of it removed."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from containerdeploy.edge.edits import ForgetStack, Live, Routes
from containerdeploy.errors import BadInput
from containerdeploy.events import note
from containerdeploy.observe import observe
from containerdeploy.plan import CALL, Drain, DropNetwork, EditEdge, Plan, Remove, Step, Stop
from containerdeploy.rolling import Prepared, Result, locked, roll
from containerdeploy.secrets import drop_secrets
from containerdeploy.stack import Stack

if TYPE_CHECKING:
    from containerdeploy.events import Emit
    from containerdeploy.observed import Observed
    from containerdeploy.site import Site

DRAIN = 10.0
"""Seconds that requests in flight get when a stack is taken down."""


def down(site: Site, stack: str, emit: Emit, *, volumes: bool = False, wait: float = 0.0) -> Result:
    """Remove a stack's routes, containers (kept ones too), network and secrets.

    Images stay until `cdeploy prune`; volumes stay unless `volumes`.

    Raises:
        BadInput: nothing of such a stack is on this host.
    """
    begun = time.monotonic()
    with locked(site, stack, "down", wait, emit):
        observed = observe(site.engine, site.edge, site.host, stack)
        named = site.engine.volumes(site.host.instance, stack)
        plan = plan_down(observed, site.host.stack_network(stack))
        if not plan and not (volumes and named):
            raise BadInput(
                f"nothing of a stack {stack} is on this host",
                hint="`cdeploy status` lists the stacks that are",
            )
        empty = Prepared(Stack(stack), releases={}, images={})
        result = roll(site, empty, plan, "down", emit, begun, came_to="removed")
        for release in {(c.service, c.release) for c in observed.containers}:
            drop_secrets(site.host, stack, *release)
        if volumes:
            for name in named:
                site.engine.remove_volume(name)
        elif named:
            note(emit, f"kept with their data: {', '.join(named)} (`down --volumes` removes them)")
        return result


def plan_down(observed: Observed, network: str) -> Plan:
    """The steps that take a stack down."""
    stack, table = observed.stack, observed.table
    entries = [entry for entry in table.entries.values() if entry.stack == stack]
    steps: list[Step] = []
    after: tuple[str, ...] = ()
    if entries or stack in table.members:
        off = EditEdge(
            id="switch",
            why=f"stack {stack} gets no more traffic",
            edits=(Routes(stack), *(Live(entry.key, "") for entry in entries)),
            is_switch=True,
        )
        steps.append(off)
        after = (off.id,)
    drains: list[Step] = [
        Drain(
            id=f"drain {entry.service}",
            why=f"what is in flight finishes first (up to {DRAIN:g} s)",
            service=entry.service,
            after=after,
            key=entry.key,
            colour=entry.live_colour,
            seconds=DRAIN,
            timeout=DRAIN + CALL,
        )
        for entry in entries
        # What only the stack itself calls ends with the stack; outside callers are waited for.
        if entry.live_colour is not None and entry.key in table.routes.values()
    ]
    steps += drains
    after = tuple(step.id for step in drains) or after
    for container in observed.containers:
        before = after
        if container.running:
            stop = Stop(
                id=f"stop {container.name}",
                why=f"stack {stack} is taken down",
                service=container.service,
                after=after,
                container=container.name,
                stop_timeout=10.0,
                timeout=10.0 + CALL,
            )
            steps.append(stop)
            before = (stop.id,)
        remove = Remove(
            id=f"remove {container.name}",
            why="for good",
            service=container.service,
            after=before,
            container=container.name,
            keep_log=False,
        )
        steps.append(remove)
    removed = tuple(step.id for step in steps if isinstance(step, Remove)) or after
    if entries or stack in table.members:
        forget = EditEdge(
            id="edge: forget",
            why=f"the edge knows nothing of {stack} any more",
            edits=(ForgetStack(stack),),
            after=removed,
        )
        steps.append(forget)
        removed = (forget.id,)
    if observed.network is not None:
        steps.append(
            DropNetwork(
                id=f"network {network}", why="nobody is on it", network=network, after=removed
            )
        )
    services = sorted({c.service for c in observed.containers if c.service})
    return Plan(stack=stack, steps=tuple(steps), outcomes=dict.fromkeys(services, "removed"))
