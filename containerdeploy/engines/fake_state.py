"""What the fake engine knows: its containers, images, networks, and its script."""

from __future__ import annotations

import dataclasses
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from containerdeploy.check import ImageInfo, Ran
from containerdeploy.errors import EngineError, NotFound

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from containerdeploy.engines.base import ContainerSpec, LogLine, State
    from containerdeploy.observed import Network


@dataclass(frozen=True, slots=True)
class Behaviour:
    """What the containers of an image do.

    Attributes:
        exit_code: how the process ends right after its start; None to keep running.
        oom: whether that end is the kernel's for want of memory.
        health: what the image's HEALTHCHECK says once it runs.
        output: lines that it writes to its standard output when it starts.
        start_error: the engine's words when it can't be started; "" when it can.
        files: path -> content; a path that ends in a slash is a folder.
        run: what a command in it comes to; by default exit code 0 and no output.
    """

    exit_code: int | None = None
    oom: bool = False
    health: str = ""
    output: tuple[str, ...] = ()
    start_error: str = ""
    files: Mapping[str, bytes] = field(default_factory=dict)
    run: Callable[[tuple[str, ...], bytes], Ran] = lambda argv, stdin: Ran(0, "", "")


@dataclass(slots=True)
class Made:
    """A container as the fake keeps it."""

    id: str
    spec: ContainerSpec
    created: float
    state: State
    networks: dict[str, str]
    lines: list[LogLine] = field(default_factory=list)
    gone: bool = False


class FakeState:
    """The state of a `FakeEngine`, and the looks into it. Thread-safe."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, str]] = []
        self.behaviours: dict[str, Behaviour] = {}
        self.registry: dict[str, ImageInfo] = {}
        self._changed = threading.Condition(threading.RLock())
        self._now = 1_700_000_000.0
        self._made: dict[str, Made] = {}
        self._images: dict[str, ImageInfo] = {}
        self._networks: dict[str, tuple[Network, dict[str, str]]] = {}
        self._volumes: dict[str, dict[str, str]] = {}
        self._failures: list[tuple[str, str, Exception]] = []

    def _called(self, method: str, about: str = "") -> threading.Condition:
        """Note the call, raise what the script wants raised; the lock to do the work under."""
        with self._changed:
            self.calls.append((method, about))
            made = self._find(about)
            known = {about, *((made.id, made.spec.name) if made else ())}
            for failure in self._failures:
                if failure[0] == method and (not failure[1] or failure[1] in known):
                    self._failures.remove(failure)
                    raise failure[2]
        return self._changed

    def _tick(self) -> float:
        self._now += 0.001
        return self._now

    def _find(self, container: str) -> Made | None:
        for made in self._made.values():
            if container and (made.spec.name == container or made.id.startswith(container)):
                return made
        return None

    def _get(self, container: str) -> Made:
        made = self._find(container)
        if made is None:
            raise NotFound(f"the engine says: No such container: {container}")
        return made

    def _running(self, container: str) -> Made:
        made = self._get(container)
        if made.state.status != "running":
            raise EngineError(f"container {made.spec.name} is not running")
        return made

    def _behaviour(self, made: Made) -> Behaviour:
        return self.behaviours.get(made.spec.image, Behaviour())

    def _taken(self, made: Made) -> str:
        """Why the network or a port refuses it, in the engine's words."""
        for network in made.networks:
            if network not in self._networks:
                return f"network {network} not found"
        others = [o for o in self._made.values() if o is not made and o.state.status == "running"]
        for other in others:
            if any(a and other.networks.get(n) == a for n, a in made.networks.items()):
                return "Address already in use"
            if {p[:2] for p in made.spec.ports} & {p[:2] for p in other.spec.ports}:
                return "port is already allocated"
        return ""

    def _end(
        self, made: Made, exit_code: int, *, oom: bool = False, status: str = "exited"
    ) -> None:
        made.state = dataclasses.replace(
            made.state,
            status=status,
            exit_code=exit_code,
            oom_killed=oom,
            pid=0,
            health="",
            finished=self._tick(),
        )
        self._changed.notify_all()

    def _image(self, ref: str) -> ImageInfo | None:
        if ref in self._images:
            return self._images[ref]
        names = {ref, ref if ":" in ref.rpartition("/")[2] else f"{ref}:latest"}
        return next((i for i in self._images.values() if names & set(i.tags)), None)

    def _tag(self, image: str, ref: str) -> None:
        self._untag(ref)
        found = self._images[image]
        self._images[image] = dataclasses.replace(found, tags=(*found.tags, ref))

    def _untag(self, ref: str) -> None:
        for image in list(self._images.values()):
            tags = tuple(tag for tag in image.tags if tag != ref)
            self._images[image.id] = dataclasses.replace(image, tags=tags)
