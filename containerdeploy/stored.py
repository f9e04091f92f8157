"""A stack as the ledger keeps it: plain JSON there and back, checks included."""

from __future__ import annotations

import dataclasses
from typing import Any

from containerdeploy.stack import Build, Health, Limits, Route, Secret, Service, Stack, Volume


def stack_to_json(stack: Stack) -> dict[str, Any]:
    """A stack as JSON values. It holds no secret: `Secret` says only where one is."""
    return {
        "name": stack.name,
        "file": stack.file,
        "environment": stack.environment,
        "services": [_service_to_json(service) for service in stack.services],
    }


def _service_to_json(service: Service) -> dict[str, Any]:
    plain = {
        f.name: getattr(service, f.name)
        for f in dataclasses.fields(service)
        if f.name not in ("checks", "build")
    }
    converted = {key: _plain(value) for key, value in plain.items()}
    converted["build"] = dataclasses.asdict(service.build) if service.build else None
    converted["checks"] = [
        {**check.content(), "file": check.file, "line": check.line} for check in service.checks
    ]
    return converted


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return dataclasses.asdict(value)
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    return value


def _tuples(value: Any) -> Any:
    """JSON's lists back as tuples, at every depth."""
    if isinstance(value, list):
        return tuple(_tuples(item) for item in value)
    if isinstance(value, dict):
        return {key: _tuples(item) for key, item in value.items()}
    return value


def stack_from_json(raw: dict[str, Any]) -> Stack:
    """The stack that `stack_to_json` wrote.

    Raises KeyError or TypeError when it was written by a cdeploy that knew other keys.
    """
    return Stack(
        name=raw["name"],
        file=raw["file"],
        environment=raw["environment"],
        services=tuple(_service(service) for service in raw["services"]),
    )


def _service(raw: dict[str, Any]) -> Service:
    from containerdeploy.checks.kinds import KINDS

    known = _tuples(raw)
    checks = []
    for check in known["checks"]:
        kind = KINDS[check["kind"]]
        checks.append(kind(**{key: value for key, value in check.items() if key != "kind"}))
    return Service(
        **{
            **known,
            "build": Build(**known["build"]) if known["build"] else None,
            "routes": tuple(Route(**route) for route in known["routes"]),
            "secrets": tuple(Secret(**secret) for secret in known["secrets"]),
            "volumes": tuple(Volume(**volume) for volume in known["volumes"]),
            "limits": Limits(**known["limits"]),
            "health": Health(**known["health"]),
            "checks": tuple(checks),
        }
    )
