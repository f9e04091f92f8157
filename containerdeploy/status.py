"""What runs now, by stack and service: read from the engine and the edge."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from containerdeploy.errors import EdgeError, HostNotReady
from containerdeploy.observe import observe

if TYPE_CHECKING:
    from collections.abc import Mapping

    from containerdeploy.edge.base import Figures
    from containerdeploy.ledger import Rollout
    from containerdeploy.observed import Container, Observed
    from containerdeploy.site import Site


@dataclass(frozen=True, slots=True)
class ServiceStatus:
    """One service as it runs.

    Attributes:
        colour: the live colour, "hold", or "" without a port.
        state: "serving", "degraded" (fewer replicas than the edge expects), "held",
            "down", "unreachable" (the edge is), or "running" for a service with no port.
        replicas_ready, replicas: those that run, and those that should.
        since: when the oldest live container was made (seconds since the epoch).
        kept: releases that are stopped and can be gone back to.
    """

    service: str
    release: str
    colour: str
    replicas_ready: int
    replicas: int
    routes: tuple[str, ...]
    image: str
    since: float
    state: str
    in_flight: int
    total: int
    errors: int
    kept: tuple[str, ...]
    containers: tuple[Container, ...]


@dataclass(frozen=True, slots=True)
class StackStatus:
    """One stack as it runs, and its last rollout."""

    stack: str
    services: tuple[ServiceStatus, ...]
    rollout: Rollout | None


def status(site: Site, stack: str = "") -> tuple[StackStatus, ...]:
    """One stack (or all of this host). A stack that isn't here gives no entry."""
    site.engine.info()
    names = {stack} if stack else set(site.edge.table().members)
    if not stack:
        names |= {c.stack for c in site.engine.containers(site.host.instance) if c.stack}
    figures = _figures(site)
    found = []
    for name in sorted(names):
        observed = observe(site.engine, site.edge, site.host, name)
        if not observed.containers and name not in observed.table.members:
            continue
        last = site.ledger.rollouts(name, 1)
        services = _services(observed, figures)
        found.append(StackStatus(name, services, last[0] if last else None))
    return tuple(found)


def _figures(site: Site) -> Mapping[tuple[str, str], Figures] | None:
    """The edge's figures; None where no edge answers, which is a state and no error here."""
    try:
        return site.edge.figures()
    except (HostNotReady, EdgeError):
        return None


def _services(
    observed: Observed, figures: Mapping[tuple[str, str], Figures] | None
) -> tuple[ServiceStatus, ...]:
    names = {c.service for c in observed.containers if c.role == "service"}
    mine = f"{observed.stack}/"
    names |= {key.removeprefix(mine) for key in observed.table.entries if key.startswith(mine)}
    return tuple(_service(name, observed, figures) for name in sorted(names))


def _service(
    name: str, observed: Observed, figures: Mapping[tuple[str, str], Figures] | None
) -> ServiceStatus:
    key = f"{observed.stack}/{name}"
    entry = observed.table.entries.get(key)
    containers = observed.of(name)
    running = tuple(c for c in containers if c.running)
    colour = entry.live if entry else ""
    if entry is not None and entry.live_colour is not None:
        release = entry.releases[entry.live_colour]
        expected = len(entry.addresses(entry.live_colour))
    else:
        release = running[-1].release if running else ""
        expected = len([c for c in running if c.release == release])
    live = tuple(c for c in running if c.release == release)
    figure = (figures or {}).get((key, colour))
    state = _state(colour, has_port=entry is not None, live=len(live), expected=expected)
    return ServiceStatus(
        service=name,
        release=release,
        colour=colour,
        replicas_ready=len([c for c in live if c.state == "running"]),
        replicas=expected,
        routes=tuple(sorted(r for r, k in observed.table.routes.items() if k == key)),
        image=live[0].image if live else "",
        since=min((c.created for c in live), default=0.0),
        state="unreachable" if figures is None and entry is not None else state,
        in_flight=figure.current if figure else 0,
        total=figure.total if figure else 0,
        errors=figure.errors if figure else 0,
        kept=tuple(sorted({c.release for c in containers if c.state == "exited"} - {release})),
        containers=containers,
    )


def _state(colour: str, *, has_port: bool, live: int, expected: int) -> str:
    if not has_port:
        return "running" if live else "down"
    if colour == "hold":
        return "held"
    if not colour or not live:
        return "down"
    return "serving" if live >= expected else "degraded"
