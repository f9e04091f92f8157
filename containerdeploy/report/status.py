"""What runs, as a table and as JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from containerdeploy.report.history import rollout_json
from containerdeploy.report.table import columns
from containerdeploy.report.words import age

if TYPE_CHECKING:
    from containerdeploy.observed import Container
    from containerdeploy.report.output import Output
    from containerdeploy.status import ServiceStatus, StackStatus

HEAD = ("SERVICE", "STATE", "REPLICAS", "RELEASE", "UP", "NOW", "TOTAL", "5XX", "KEPT", "ROUTES")
GOOD = ("serving", "running")
BAD = ("down",)


def status_lines(stacks: tuple[StackStatus, ...], now: float, out: Output) -> list[str]:
    """A table for each stack.

    Args:
        now: seconds since the epoch.
    """
    if not stacks:
        return ["nothing is deployed on this host; `cdeploy up` deploys a stack"]
    lines: list[str] = []
    for stack in stacks:
        if lines:
            lines.append("")
        lines.append(out.paint(stack.stack, "bold") + _last(stack, now))
        rows = [_row(service, now, out) for service in stack.services]
        lines += [f"  {line}" for line in columns(rows, head=HEAD, width=max(0, out.width - 2))]
    return lines


def _last(stack: StackStatus, now: float) -> str:
    last = stack.rollout
    if last is None:
        return ""
    return f"  (last: {last.command} {last.outcome} {age(now - last.started)} ago, {last.id})"


def _row(service: ServiceStatus, now: float, out: Output) -> tuple[str, ...]:
    colour = "green" if service.state in GOOD else "red" if service.state in BAD else "yellow"
    has_port = bool(service.colour or service.routes)
    return (
        service.service,
        out.paint(service.state, colour),
        f"{service.replicas_ready}/{service.replicas}",
        service.release + (f" {service.colour}" if service.colour else ""),
        age(now - service.since) if service.since else "-",
        str(service.in_flight) if has_port else "-",
        str(service.total) if has_port else "-",
        str(service.errors) if has_port else "-",
        ", ".join(service.kept) or "-",
        ", ".join(_route(route) for route in service.routes) or "-",
    )


def _route(key: str) -> str:
    """A key of the edge's table as a person writes it: ``tcp port 5432``, ``host/path``."""
    return f"tcp port {key[4:]}" if key.startswith("tcp:") else key.rstrip("/")


def status_json(stacks: tuple[StackStatus, ...]) -> dict[str, Any]:
    """Everything that the table says, and the containers one by one."""
    return {
        "stacks": [
            {
                "stack": stack.stack,
                "services": [_service_json(service) for service in stack.services],
                "rollout": rollout_json(stack.rollout) if stack.rollout else None,
            }
            for stack in stacks
        ]
    }


def _service_json(service: ServiceStatus) -> dict[str, Any]:
    return {
        "service": service.service,
        "state": service.state,
        "release": service.release,
        "colour": service.colour,
        "replicas_ready": service.replicas_ready,
        "replicas": service.replicas,
        "routes": [_route(route) for route in service.routes],
        "image": service.image,
        "since": service.since,
        "in_flight": service.in_flight,
        "total": service.total,
        "errors": service.errors,
        "kept": list(service.kept),
        "containers": [_container_json(container) for container in service.containers],
    }


def _container_json(container: Container) -> dict[str, Any]:
    return {
        "name": container.name,
        "id": container.id,
        "state": container.state,
        "release": container.release,
        "replica": container.replica,
        "address": container.address,
        "created": container.created,
    }
