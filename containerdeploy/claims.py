"""Which stack owns which route: two may not claim the same one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from containerdeploy.errors import BadInput, Conflict, Problem

if TYPE_CHECKING:
    from containerdeploy.edge.table import Table
    from containerdeploy.host import Host
    from containerdeploy.stack import Stack


def check_claims(stack: Stack, table: Table, host: Host) -> None:
    """Raise `Conflict` when another stack has a route of this one, naming both.

    Raises `BadInput` for a TCP route on a port that this host doesn't publish.
    """
    taken: list[Problem] = []
    closed: list[Problem] = []
    for service in stack.services:
        for route in service.routes:
            key = f"service.{service.name}.route"
            owner = table.routes.get(route.key, "")
            if owner and owner.partition("/")[0] != stack.name:
                other, _, claimed = owner.partition("/")
                taken.append(
                    Problem(
                        file=stack.file,
                        line=service.line,
                        key=key,
                        message=f"{route} is claimed by service {claimed} of stack {other}, and "
                        f"by service {service.name} of stack {stack.name}",
                        hint=f"choose another route, or take {other} down first",
                    )
                )
            if route.tcp and route.tcp not in host.tcp:
                closed.append(
                    Problem(
                        file=stack.file,
                        line=service.line,
                        key=key,
                        message=f"this host does not publish TCP port {route.tcp}",
                        hint=f"add it to `tcp` in {host.file} and run `cdeploy bootstrap`",
                    )
                )
    if taken:
        raise Conflict("a route is claimed twice", problems=tuple(taken))
    if closed:
        raise BadInput("a TCP port is not published", problems=tuple(closed))
