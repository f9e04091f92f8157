"""Scenarios of rollouts: a changed line, nothing to do, thirty services, and the switch."""

from __future__ import annotations

import time
from functools import partial
from http.client import HTTPConnection, HTTPException
from statistics import median
from typing import TYPE_CHECKING

from tests.benchmarks.table import Row
from tests.engine.isolation import free_ports

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.benchmarks.bench import Bench
    from tests.benchmarks.files import Project

MANY = 30


def changed_line(bench: Bench) -> Iterator[Row]:
    """One changed line in one service's code: build, test and roll out, against recreate."""
    (port,) = free_ports(1)
    with bench.project("line", port=port, checks=True) as project:
        switches: list[float] = []
        answering: list[float] = []
        number = 0

        def ours() -> float:
            nonlocal number
            number += 1
            project.change_line(f"line-{number}")
            up = bench.cdeploy.up(project.stack)
            switches.append(up.switch_ms)
            return up.seconds

        def theirs() -> float:
            nonlocal number
            number += 1
            project.change_line(f"line-{number}")
            seconds = _compose(bench, project, "up", "-d", "--build")
            answering.append(seconds + _until_answer(port, f"line-{number}"))
            return seconds

        own, other = bench.alternate(ours, theirs)
        yield Row("one changed line, with its checks", own, other, goal=1.25)
        if answering:
            rest = median(answering[1:])
            yield Row("the same, until the new code answers", own, rest, goal=1.25)
        yield Row("the switch of 1 service", median(switches[1:]), unit="ms", limit=5)


def nothing_to_do(bench: Bench) -> Iterator[Row]:
    """Everything runs as described."""
    for services in (1, MANY):
        with bench.project(f"idle{services}", services=services) as project:
            _both_up(bench, project)
            words = f"nothing to do, {services} service{'s' * (services > 1)}"
            ours = partial(_unchanged, bench, project)
            own, other = bench.alternate(ours, partial(_compose, bench, project, "up", "-d"))
            yield Row(words, own, other, goal=2)
            own, other = bench.alternate(
                ours, partial(_compose, bench, project, "up", "-d", "--build")
            )
            yield Row(f"{words}, sources looked at by both", own, other)


def many(bench: Bench) -> Iterator[Row]:
    """Thirty services from nothing with their images here, and all of them changed at once."""
    with bench.project("many", services=MANY) as project:
        bench.cdeploy("build", str(project.stack))
        if bench.compose is not None:
            bench.compose(project.compose, "build")

        def ours() -> float:
            seconds = bench.cdeploy.up(project.stack).seconds
            bench.cdeploy("down", str(project.stack), "--yes")
            bench.cdeploy("build", str(project.stack))
            return seconds

        def theirs() -> float:
            seconds = _compose(bench, project, "up", "-d")
            _compose(bench, project, "down", "-t", "5")
            return seconds

        own, other = bench.alternate(ours, theirs)
        yield Row(f"{MANY} services from nothing, images here", own, other, goal=1.25)

        _both_up(bench, project)
        switches: list[float] = []

        def change() -> float:
            project.change_settings()
            up = bench.cdeploy.up(project.stack)
            switches.append(up.switch_ms)
            return up.seconds

        def recreate() -> float:
            return _compose(bench, project, "up", "-d", "-t", "5")

        own, other = bench.alternate(change, recreate)
        yield Row(f"{MANY} services changed at once", own, other)
        yield Row(f"the switch of {MANY} services", median(switches[1:]), unit="ms", limit=10)


def _both_up(bench: Bench, project: Project) -> None:
    bench.cdeploy.up(project.stack)
    if bench.compose is not None:
        bench.compose(project.compose, "up", "-d", "--build")


def _unchanged(bench: Bench, project: Project) -> float:
    return bench.cdeploy.up(project.stack, result="unchanged").seconds


def _compose(bench: Bench, project: Project, *words: str) -> float:
    assert bench.compose is not None
    return bench.compose(project.compose, *words).seconds


def _until_answer(port: int, release: str, *, within: float = 30.0) -> float:
    """Seconds until this release answers at a port of this machine.

    Raises:
        TimeoutError: it did not.
    """
    begun = time.monotonic()
    while time.monotonic() - begun < within:
        connection = HTTPConnection("127.0.0.1", port, timeout=5)
        try:
            connection.request("GET", "/")
            answer = connection.getresponse()
            if answer.status == 200 and answer.headers["X-Release"] == release:
                return time.monotonic() - begun
        except (OSError, HTTPException):
            time.sleep(0.005)  # it does not listen yet: look again
        finally:
            connection.close()
    raise TimeoutError(f"release {release} did not answer at port {port} within {within:g} s")
