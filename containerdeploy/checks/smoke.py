"""A candidate asked through the edge, with the service's own http checks, before any traffic."""

from __future__ import annotations

from typing import TYPE_CHECKING

from containerdeploy.check import (
    Answer,
    CannotObserve,
    CheckResult,
    ImageInfo,
    Outcome,
    PathInfo,
    Ran,
    Verdict,
)
from containerdeploy.checks.judging import judge
from containerdeploy.checks.kinds.http import Http
from containerdeploy.checks.subject import host_of
from containerdeploy.errors import CdeployError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from containerdeploy.check import Check
    from containerdeploy.edge.base import Edge
    from containerdeploy.edge.table import Colour
    from containerdeploy.stack import Service


def smoke(
    edge: Edge,
    key: str,
    colour: Colour,
    service: Service,
    checks: Sequence[Check] | None = None,
    *,
    gone: Callable[[], str] = str,
) -> tuple[CheckResult, ...]:
    """Run a service's http checks against one colour of it, live or not.

    A candidate sees real data, so a check that changes something (POST, PUT...)
    is skipped, with its reason, unless it says ``smoke = true``.

    Args:
        key: the service in the edge's table, as ``shop/web``.
        checks: those to run; the service's own by default. Only http ones run.
        gone: why the candidate is there no more, or ""; a check that waits stops then.

    Returns:
        One result per http check, in their order.
    """
    subject = EdgeSubject(edge, key, colour, host=host_of(service), gone=gone)
    return tuple(
        judge(service.name, check, subject)
        if check.smokes or check.skip
        else CheckResult(service.name, check, Verdict(Outcome.SKIP, found=_why_not(check)))
        for check in (service.checks if checks is None else checks)
        if isinstance(check, Http)
    )


def _why_not(check: Http) -> str:
    return f"{check.method.upper()} may change real data; smoke = true sends it all the same"


class EdgeSubject:
    """What can be seen of a colour through the edge: its answers, and nothing else."""

    def __init__(
        self, edge: Edge, key: str, colour: Colour, *, host: str, gone: Callable[[], str] = str
    ) -> None:
        self._edge = edge
        self._key = key
        self._colour = colour
        self._host = host
        self._gone = gone

    @property
    def image(self) -> ImageInfo:
        """Not to be seen through the edge."""
        raise CannotObserve("an image can't be seen through the edge")

    def stat(self, path: str) -> PathInfo | None:
        """Not to be seen through the edge."""
        raise CannotObserve(f"{path} can't be seen through the edge")

    def read(self, path: str) -> bytes:
        """Not to be seen through the edge."""
        raise CannotObserve(f"{path} can't be read through the edge")

    def run(self, argv: tuple[str, ...], *, user: str, timeout: float) -> Ran:
        """Not to be done through the edge."""
        raise CannotObserve(f"{argv[0]} can't be run through the edge")

    def http(
        self,
        method: str,
        path: str,
        *,
        headers: Mapping[str, str],
        body: bytes | None,
        timeout: float,
    ) -> Answer:
        """One HTTP request through the proxy to the colour."""
        named = {name.lower(): value for name, value in headers.items()}
        host = named.pop("host", self._host)
        try:
            return self._edge.request(
                self._key,
                self._colour,
                method,
                path,
                host=host,
                headers=named,
                body=body,
                timeout=timeout,
            )
        except CdeployError as error:
            raise CannotObserve(f"no answer through the edge: {error.message}") from error

    def exited(self) -> str:
        """Why the candidate is gone, or ""."""
        return self._gone()
