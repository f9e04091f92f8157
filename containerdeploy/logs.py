"""The output of a stack's containers, interleaved by time."""

from __future__ import annotations

import heapq
import queue
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING

from containerdeploy.errors import BadInput, CdeployError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from containerdeploy.observed import Container
    from containerdeploy.site import Site

LOOK_AGAIN = 1.0
"""Seconds between two looks for containers that a rollout has started meanwhile."""


@dataclass(frozen=True, slots=True)
class ServiceLine:
    """One line of one replica. `at`: seconds since the epoch."""

    service: str
    replica: int
    release: str
    at: float
    stream: str
    text: str


def lines(
    site: Site,
    stack: str,
    *,
    services: Collection[str] = (),
    release: str = "",
    tail: int | None = None,
    since: float = 0.0,
    follow: bool = False,
) -> Iterator[ServiceLine]:
    """The lines of all (or some) services, oldest first.

    Args:
        release: only of releases whose id begins so; else of the running containers
            (and, without `follow`, of stopped ones where none runs).
        tail: the last so many lines of each container.
        since: only lines after this time.
        follow: go on with new lines, and with containers that start later.

    Raises:
        BadInput: no container fits; the message names those that are there.
    """
    chosen = _chosen(site, stack, services, release)
    if not chosen:
        there = sorted({c.service for c in site.engine.containers(site.host.instance, stack)})
        known = f"services with containers: {', '.join(there)}" if there else "nothing runs"
        raise BadInput(
            f"no container of stack {stack} fits ({known})",
            hint="`cdeploy status` lists stacks, services and releases",
        )
    if follow:
        yield from _follow(site, stack, services, release, tail, since)
        return
    streams = [_read(site, container, tail, since, follow=False) for container in chosen]
    yield from heapq.merge(*streams, key=lambda line: line.at)


def _chosen(site: Site, stack: str, services: Collection[str], release: str) -> list[Container]:
    found = [
        c
        for c in site.engine.containers(site.host.instance, stack)
        if c.role == "service"
        and (not services or c.service in services)
        and c.release.startswith(release)
    ]
    running = [c for c in found if c.running]
    return found if release else running or found


def _read(
    site: Site, container: Container, tail: int | None, since: float, *, follow: bool
) -> Iterator[ServiceLine]:
    for line in site.engine.logs(container.id, tail=tail, since=since, follow=follow):
        yield ServiceLine(
            container.service, container.replica, container.release, line.at, line.stream, line.text
        )


def _follow(
    site: Site,
    stack: str,
    services: Collection[str],
    release: str,
    tail: int | None,
    since: float,
) -> Iterator[ServiceLine]:
    """One thread a container; a rollout's new containers join as they start."""
    arrived: queue.Queue[ServiceLine] = queue.Queue(maxsize=10_000)
    followed: set[str] = set()

    def pump(container: Container, last: int | None) -> None:
        try:
            for line in _read(site, container, last, since, follow=True):
                arrived.put(line)
        except CdeployError as error:
            arrived.put(
                ServiceLine(
                    container.service,
                    container.replica,
                    container.release,
                    0.0,
                    "cdeploy",
                    f"(its log ended: {error.message})",
                )
            )

    while True:
        for container in _chosen(site, stack, services, release):
            if container.id not in followed and (container.running or not followed):
                last = tail if not followed or container.running else None
                followed.add(container.id)
                threading.Thread(target=pump, args=(container, last), daemon=True).start()
        try:
            yield arrived.get(timeout=LOOK_AGAIN)
        except queue.Empty:
            continue
        while not arrived.empty():
            yield arrived.get_nowait()
