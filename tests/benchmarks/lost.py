"""What a change costs those who are just asking: requests lost under the same load."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.benchmarks.table import Row
from tests.engine.isolation import free_ports
from tests.load import Profile, load

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.benchmarks.bench import Bench
    from tests.load import Result

CHANGES = 5


def lost_requests(bench: Bench) -> Iterator[Row]:
    """Five changes under load on each side; a change of an environment variable, no build."""
    (port,) = free_ports(1)
    with bench.project("load", port=port) as project:
        bench.cdeploy.up(project.stack)
        edge = Profile(
            port=bench.cdeploy.host.http, address=bench.cdeploy.host.bind, host=project.route("s01")
        )

        def ours() -> None:
            project.change_settings()
            bench.cdeploy.up(project.stack)

        own = _under_load(edge, ours)
        other: Result | None = None
        if bench.compose is not None:
            compose = bench.compose
            compose(project.compose, "up", "-d", "--build")

            def theirs() -> None:
                project.change_settings()
                compose(project.compose, "up", "-d")

            other = _under_load(Profile(port=port), theirs)
    yield Row(
        f"requests lost in {CHANGES} changes under load",
        len(own.failures),
        None if other is None else len(other.failures),
        unit="",
        limit=0,
    )
    yield Row(
        "answers in the same time",
        len(own.answers),
        None if other is None else len(other.answers),
        unit="",
    )


def _under_load(profile: Profile, change: Callable[[], None]) -> Result:
    with load(profile) as running:
        for _ in range(CHANGES):
            change()
        return running.stop()
