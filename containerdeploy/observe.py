"""Takes the snapshot: the engine's labels and the edge's table, as one value."""

from __future__ import annotations

from typing import TYPE_CHECKING

from containerdeploy.observed import Observed

if TYPE_CHECKING:
    from containerdeploy.edge.base import Edge
    from containerdeploy.engines.base import Engine
    from containerdeploy.host import Host


def observe(engine: Engine, edge: Edge, host: Host, stack: str) -> Observed:
    """What runs of a stack, and what the edge routes.

    The subnets of the whole engine are asked for only when the stack has no
    network yet, since only then one must be chosen.
    """
    networks = engine.networks(host.instance)
    own = next((n for n in networks if n.name == host.stack_network(stack)), None)
    return Observed(
        stack=stack,
        table=edge.table(),
        containers=engine.containers(host.instance, stack),
        network=own,
        subnets=() if own else engine.all_subnets(),
    )
