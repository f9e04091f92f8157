"""What every scenario works with: an instance of cdeploy, Compose beside it, and order."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING

from tests.benchmarks.command import CommandFailed, run
from tests.benchmarks.files import Project

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.benchmarks.cdeploy import Cdeploy
    from tests.benchmarks.peer import Compose


@dataclass(frozen=True, slots=True)
class Bench:
    """A benchmark run.

    Attributes:
        compose: None where it can't be had; its side of each row then stays empty.
        repeat: how often each side is measured, after one round that does not count.
        say: takes a line on how far things are.
    """

    cdeploy: Cdeploy
    compose: Compose | None
    folder: Path
    repeat: int
    say: Callable[[str], object]

    @contextmanager
    def project(
        self, name: str, *, services: int = 1, port: int = 0, checks: bool = False
    ) -> Iterator[Project]:
        """A project for both sides; whatever was started of it is gone afterwards."""
        instance = self.cdeploy.host.instance
        full = f"{instance}-{name}"
        project = Project(self.folder / name, full, services=services, port=port, checks=checks)
        try:
            yield project
            # After an error there may be nothing to take down; the instance's end removes all.
            self.cdeploy("down", str(project.stack), "--volumes", "--yes")
        finally:
            if self.compose is not None:
                self._remove_peer(self.compose, project)

    def _remove_peer(self, compose: Compose, project: Project) -> None:
        """Compose's containers, network and images. What stays is told, here and at the end
        of the run: it is no reason to throw measurements away."""
        label = f"label=com.docker.compose.project={project.name}"
        try:
            compose(project.compose, "down", "--volumes", "--rmi", "local", "-t", "5")
            run(("docker", "image", "prune", "--all", "--force", "--filter", label))
        except CommandFailed as error:
            self.say(f"Compose could not remove {project.name}: {str(error).splitlines()[-1]}")

    def alternate(
        self, ours: Callable[[], float], theirs: Callable[[], float]
    ) -> tuple[float, float | None]:
        """Measure both in turn; returns the medians, None for a Compose that is not here."""
        if self.compose is not None:
            return self.beside(ours, theirs)
        return median([ours() for _ in range(self.repeat + 1)][1:]), None

    def beside(self, ours: Callable[[], float], theirs: Callable[[], float]) -> tuple[float, float]:
        """Measure both in turn, so that the machine's moods hit both; returns the medians.

        Each returns what it measured. The first round fills caches and does not count.
        """
        pairs = [(ours(), theirs()) for _ in range(self.repeat + 1)][1:]
        return median(own for own, _ in pairs), median(other for _, other in pairs)
