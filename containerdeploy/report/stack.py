"""A stack in one line, and as JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from containerdeploy.report.words import counted, listed

if TYPE_CHECKING:
    from containerdeploy.stack import Service, Stack


def stack_line(stack: Stack) -> str:
    """Its services with their replicas and routes, in one line."""
    overlay = f" in {stack.environment}" if stack.environment else ""
    services = ", ".join(_service(service) for service in stack.services)
    return f"{stack.name}{overlay} has {counted(len(stack.services), 'service')}: {services}"


def _service(service: Service) -> str:
    said = [counted(service.replicas, "replica")] if service.replicas != 1 else []
    if service.routes:
        said.append(f"at {listed([str(route) for route in service.routes])}")
    if service.checks:
        said.append(counted(len(service.checks), "check"))
    return f"{service.name} ({', '.join(said)})" if said else service.name


def stack_json(stack: Stack) -> dict[str, Any]:
    """What `cdeploy validate --json` says of a stack file without mistakes."""
    return {
        "valid": True,
        "stack": stack.name,
        "file": stack.file,
        "environment": stack.environment,
        "services": [
            {
                "service": service.name,
                "replicas": service.replicas,
                "routes": [str(route) for route in service.routes],
                "uses": list(service.uses),
                "strategy": service.strategy,
                "checks": len(service.checks),
            }
            for service in stack.services
        ],
    }
