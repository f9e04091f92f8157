"""Verdicts that are known already: what a kept verdict is good for."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Protocol

from containerdeploy.check import Phase, digest

if TYPE_CHECKING:
    from collections.abc import Mapping

    from containerdeploy.check import CheckResult
    from containerdeploy.release import Release
    from containerdeploy.stack import Service, Stack

SEMANTICS = 1
"""Raised when a kind's judgement changes: what an older version found green is tested anew."""


class Verdicts(Protocol):
    """Keeps the verdicts of image and checks; the ledger is one."""

    def known(self, image: str, checks: str) -> bool:
        """Whether these checks (a digest) were all green on this image (an id)."""
        ...

    def record(self, image: str, checks: str, results: tuple[CheckResult, ...]) -> None:
        """Keep the results of a set of checks; only sets without a red one come here."""
        ...


def checks_digest(stack: Stack, service: Service, releases: Mapping[str, Release]) -> str:
    """The identity of what a verdict of this service depends on, its image apart.

    The checks; the service's release and its job (the environment, user or limits
    decide whether it works as much as the image does); and the releases and jobs
    of the services that it uses, which run beside it in its test. Checks of the
    image alone don't depend on what runs beside it. Routes, replicas and health
    settings change no release, and test nothing anew.
    """
    around = used_by(stack, service.name) if runs(service) else ()
    content = [
        SEMANTICS,
        digest(service.checks),
        *([each.name, releases[each.name].id, each.before_switch] for each in (service, *around)),
    ]
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()[:16]


def runs(service: Service) -> bool:
    """Whether a check needs the service to run."""
    return any(check.phase is Phase.RUNTIME and not check.skip for check in service.checks)


def used_by(stack: Stack, name: str) -> tuple[Service, ...]:
    """The services that a service uses, directly or not, in the order of use."""
    found: set[str] = set()

    def visit(service: Service) -> None:
        for used in service.uses:
            if used not in found:
                found.add(used)
                visit(stack[used])

    visit(stack[name])
    return tuple(service for service in stack.in_order() if service.name in found)
