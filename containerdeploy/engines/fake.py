"""An engine in memory: the same promises as the real one, and scriptable.

    engine = FakeEngine()
    image = engine.add_image("web:1", behaviour=Behaviour(exit_code=1, output=("boom",)))
    engine.fail("start", EngineError("no space left on device"))

The contract suite (tests/contract/engine_contract.py) runs on this and on Docker.
"""

from __future__ import annotations

import dataclasses
import hashlib
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from containerdeploy.check import ImageInfo, PathInfo, Ran
from containerdeploy.engines.base import ContainerSpec, EngineInfo, LogLine, State
from containerdeploy.engines.labels import INSTANCE, STACK, container_from
from containerdeploy.errors import EngineError, ImageUnavailable, NotFound, StepTimeout
from containerdeploy.observed import Network

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from containerdeploy.observed import Container


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
class _Made:
    """A container as the fake keeps it."""

    id: str
    spec: ContainerSpec
    created: float
    state: State
    networks: dict[str, str]
    lines: list[LogLine] = field(default_factory=list)
    gone: bool = False


class FakeEngine:
    """An `Engine` in memory. Thread-safe; its clock only goes on when something happens.

    Attributes:
        calls: every call so far, as (method, first argument).
        behaviours: by image id; an image without one keeps running and says nothing.
        registry: references that can be pulled.
    """

    def __init__(self) -> None:
        self.calls: list[tuple[str, str]] = []
        self.behaviours: dict[str, Behaviour] = {}
        self.registry: dict[str, ImageInfo] = {}
        self._changed = threading.Condition(threading.RLock())
        self._now = 1_700_000_000.0
        self._made: dict[str, _Made] = {}
        self._images: dict[str, ImageInfo] = {}
        self._networks: dict[str, tuple[Network, dict[str, str]]] = {}
        self._volumes: dict[str, dict[str, str]] = {}
        self._failures: list[tuple[str, str, Exception]] = []

    # -- the script ------------------------------------------------------------

    def add_image(self, *refs: str, behaviour: Behaviour | None = None, **fields: Any) -> ImageInfo:
        """An image that is here; its id is made of its first name and `fields` unless given."""
        seed = repr((refs[:1], sorted(fields.items())))
        fields.setdefault("id", "sha256:" + hashlib.sha256(seed.encode()).hexdigest())
        image = ImageInfo(tags=tuple(refs), **fields)
        with self._changed:
            for ref in refs:
                self._untag(ref)
            self._images[image.id] = image
            if behaviour is not None:
                self.behaviours[image.id] = behaviour
        return image

    def fail(self, method: str, error: Exception, *, about: str = "") -> None:
        """The next call of `method` (whose first argument is or belongs to `about`) raises."""
        with self._changed:
            self._failures.append((method, about, error))

    def exit(self, container: str, exit_code: int, *, oom: bool = False) -> None:
        """A running container's process ends by itself; its restart policy is followed."""
        with self._changed:
            made = self._get(container)
            again = made.spec.restart in ("always", "unless-stopped") or (
                made.spec.restart == "on-failure" and exit_code != 0
            )
            self._end(made, exit_code, oom=oom, status="restarting" if again else "exited")
            if again:
                made.state = dataclasses.replace(made.state, restarts=made.state.restarts + 1)

    def health(self, container: str, health: str) -> None:
        """The HEALTHCHECK of a container says something else from now on."""
        with self._changed:
            made = self._get(container)
            made.state = dataclasses.replace(made.state, health=health)

    def say(self, container: str, text: str, *, stream: str = "stdout") -> None:
        """A container writes a line."""
        with self._changed:
            self._get(container).lines.append(LogLine(self._tick(), stream, text))
            self._changed.notify_all()

    def spec(self, container: str) -> ContainerSpec:
        """What a container was created with."""
        with self._changed:
            return self._get(container).spec

    def addresses(self, container: str) -> dict[str, str]:
        """The networks that a container is on, and its address in each."""
        with self._changed:
            return dict(self._get(container).networks)

    # -- containers -------------------------------------------------------------

    def info(self) -> EngineInfo:
        """See `Engine.info`."""
        self._called("info")
        return EngineInfo(version="fake", storage="memory", architecture="x86_64")

    def containers(self, instance: str, stack: str = "") -> tuple[Container, ...]:
        """See `Engine.containers`."""
        with self._called("containers", instance):
            return tuple(
                container_from(
                    made.spec.labels,
                    id=made.id,
                    name=made.spec.name,
                    state=made.state.status,
                    image=made.spec.image,
                    created=made.created,
                    finished=made.state.finished if made.state.status == "exited" else 0.0,
                )
                for made in reversed(self._made.values())
                if made.spec.labels.get(INSTANCE) == instance
                and (not stack or made.spec.labels.get(STACK) == stack)
            )

    def create(self, spec: ContainerSpec) -> str:
        """See `Engine.create`."""
        with self._called("create", spec.name):
            for made in self._made.values():
                if made.spec.name == spec.name:
                    if any(made.spec.labels.get(k) != v for k, v in spec.labels.items()):
                        raise EngineError(f"the name {spec.name} is taken by another container")
                    return made.id
            if spec.image not in self._images:
                raise NotFound(f"container {spec.name} can't be created: no image {spec.image}")
            networks = {}
            if not spec.network.startswith("container:") and spec.network not in ("none", "host"):
                networks[spec.network] = spec.address
            id = hashlib.sha256(f"{spec.name} {self._tick()}".encode()).hexdigest()
            self._made[id] = _Made(id, spec, self._now, State("created"), networks)
            for mount in spec.mounts:
                if mount.kind == "volume":
                    self._volumes.setdefault(mount.source, {})
            return id

    def start(self, container: str) -> None:
        """See `Engine.start`."""
        with self._called("start", container):
            made = self._get(container)
            if made.state.status == "running":
                return
            behaviour = self._behaviour(made)
            if words := behaviour.start_error or self._taken(made):
                made.state = dataclasses.replace(made.state, error=words)
                raise EngineError(f"container {made.spec.name} can't be started: {words}")
            made.state = State(
                "running",
                pid=1000 + len(self.calls),
                health=behaviour.health,
                started=self._tick(),
                finished=made.state.finished,
            )
            made.lines += [LogLine(self._tick(), "stdout", text) for text in behaviour.output]
            if behaviour.exit_code is not None:
                self.exit(made.id, behaviour.exit_code, oom=behaviour.oom)
            self._changed.notify_all()

    def stop(self, container: str, *, timeout: float) -> None:
        """See `Engine.stop`."""
        with self._called("stop", container):
            made = self._find(container)
            if made is not None and made.state.status in ("running", "restarting", "paused"):
                self._end(made, 0)

    def signal(self, container: str, signal: str) -> None:
        """See `Engine.signal`; SIGKILL and SIGTERM end it, others do nothing."""
        with self._called("signal", container):
            made = self._running(container)
            if signal in ("SIGKILL", "KILL", "SIGTERM", "TERM"):
                self._end(made, 137 if "KILL" in signal else 143)

    def remove(self, container: str) -> None:
        """See `Engine.remove`."""
        with self._called("remove", container):
            made = self._find(container)
            if made is not None:
                made.gone = True
                del self._made[made.id]
                self._changed.notify_all()

    def state(self, container: str) -> State:
        """See `Engine.state`."""
        with self._called("state", container):
            return self._get(container).state

    def wait(self, container: str, *, timeout: float) -> int:
        """See `Engine.wait`."""
        with self._called("wait", container):
            made = self._get(container)
            ended = self._changed.wait_for(
                lambda: made.gone or made.state.status not in ("running", "restarting"), timeout
            )
            if not ended:
                raise StepTimeout(f"container {made.spec.name} still ran after {timeout:g} s")
            return made.state.exit_code

    # -- what comes out of them ----------------------------------------------------

    def logs(
        self,
        container: str,
        *,
        tail: int | None = None,
        since: float = 0.0,
        follow: bool = False,
    ) -> Iterator[LogLine]:
        """See `Engine.logs`."""
        with self._called("logs", container):
            made = self._get(container)
            there = [line for line in made.lines if line.at >= since]
            seen = len(made.lines)
        return self._lines(
            made, there if tail is None else there[len(there) - tail :], seen, follow
        )

    def _lines(
        self, made: _Made, there: list[LogLine], seen: int, follow: bool
    ) -> Iterator[LogLine]:
        yield from there
        while follow:
            with self._changed:
                while len(made.lines) == seen and made.state.status == "running" and not made.gone:
                    self._changed.wait()
                new, seen = made.lines[seen:], len(made.lines)
            if not new:
                return
            yield from new

    def run(
        self,
        container: str,
        argv: tuple[str, ...],
        *,
        user: str = "",
        timeout: float = 30.0,
        stdin: bytes = b"",
    ) -> Ran:
        """See `Engine.run`."""
        with self._called("run", container):
            behaviour = self._behaviour(self._running(container))
        return behaviour.run(argv, stdin)

    def stat(self, container: str, path: str) -> PathInfo | None:
        """See `Engine.stat`."""
        with self._called("stat", container):
            files = self._behaviour(self._get(container)).files
            if path in files:
                return PathInfo(path, "file", 0o644, len(files[path]), uid=0, gid=0)
            if any(name.startswith(path.rstrip("/") + "/") for name in files):
                return PathInfo(path, "directory", 0o755, 0, uid=0, gid=0)
            return None

    def read(self, container: str, path: str) -> bytes:
        """See `Engine.read`."""
        there = self.stat(container, path)
        if there is None:
            raise NotFound(f"{container} has no {path}")
        if there.type != "file":
            raise EngineError(f"{path} in {container} is a {there.type}, not a file")
        with self._changed:
            return self._behaviour(self._get(container)).files[path]

    # -- images ------------------------------------------------------------------

    def image(self, ref: str) -> ImageInfo | None:
        """See `Engine.image`."""
        with self._called("image", ref):
            return self._image(ref)

    def images(self, label: str) -> tuple[ImageInfo, ...]:
        """See `Engine.images`."""
        with self._called("images", label):
            key, equals, value = label.partition("=")
            return tuple(
                image
                for image in reversed(self._images.values())
                if key in (labels := dict(image.labels)) and (not equals or labels[key] == value)
            )

    def pull(self, ref: str, progress: Callable[[str], None]) -> ImageInfo:
        """See `Engine.pull`: what is in `registry` can be pulled."""
        with self._called("pull", ref):
            image = self.registry.get(ref)
            if image is None:
                raise ImageUnavailable(
                    f"the image {ref} is not here and can't be pulled: not found",
                    hint="check the name",
                )
            self._images[image.id] = image
            self._tag(image.id, ref)
            pulled = self._images[image.id]
        progress(f"pulled {ref}")
        return pulled

    def tag(self, image: str, ref: str) -> None:
        """See `Engine.tag`."""
        with self._called("tag", image):
            found = self._image(image)
            if found is None:
                raise NotFound(f"there is no image {image}")
            self._tag(found.id, ref)

    def remove_image(self, ref: str) -> None:
        """See `Engine.remove_image`; the last name takes the image with it."""
        with self._called("remove_image", ref):
            image = self._image(ref)
            if image is None:
                return
            used = any(made.spec.image == image.id for made in self._made.values())
            if ref == image.id:
                if not used and len(image.tags) <= 1:
                    del self._images[image.id]
                return
            self._untag(ref)
            if not self._images[image.id].tags and not used:
                del self._images[image.id]

    def import_image(
        self, tar: str, ref: str, *, command: tuple[str, ...], label: str
    ) -> ImageInfo:
        """See `Engine.import_image`; the tar is not read."""
        with self._called("import_image", ref):
            key, _, value = label.partition("=")
            labels = ((key, value),) if label else ()
            return self.add_image(ref, command=command, labels=labels)

    # -- networks and volumes -------------------------------------------------------

    def networks(self, instance: str) -> tuple[Network, ...]:
        """See `Engine.networks`."""
        with self._called("networks", instance):
            return tuple(
                network
                for _, (network, labels) in sorted(self._networks.items())
                if labels.get(INSTANCE) == instance
            )

    def all_subnets(self) -> tuple[str, ...]:
        """See `Engine.all_subnets`."""
        with self._called("all_subnets"):
            return tuple(network.subnet for _, (network, _) in sorted(self._networks.items()))

    def create_network(
        self,
        name: str,
        *,
        subnet: str,
        gateway: str,
        labels: Mapping[str, str],
        internal: bool = False,
    ) -> Network:
        """See `Engine.create_network`."""
        with self._called("create_network", name):
            if name in self._networks:
                network = self._networks[name][0]
                if network.subnet != subnet:
                    raise EngineError(f"the network {name} is there with {network.subnet}")
                return network
            if any(network.subnet == subnet for network, _ in self._networks.values()):
                raise EngineError(f"the network {name} ({subnet}) can't be made: pool overlaps")
            id = hashlib.sha256(name.encode()).hexdigest()
            network = Network(id, name, subnet, gateway, labels.get(STACK, ""))
            self._networks[name] = (network, dict(labels))
            return network

    def remove_network(self, name: str) -> None:
        """See `Engine.remove_network`."""
        with self._called("remove_network", name):
            users = [
                made.spec.name
                for made in self._made.values()
                if name in made.networks and made.state.status == "running"
            ]
            if users:
                raise EngineError(f"the network {name} can't be removed: {', '.join(users)}")
            self._networks.pop(name, None)

    def connect(self, network: str, container: str, *, address: str) -> None:
        """See `Engine.connect`."""
        with self._called("connect", network):
            if network not in self._networks:
                raise NotFound(f"network {network} not found")
            made = self._get(container)
            there = made.networks.get(network)
            if there is not None and address and there != address:
                raise EngineError(f"{container} is on the network {network} at {there}")
            made.networks[network] = there or address

    def disconnect(self, network: str, container: str) -> None:
        """See `Engine.disconnect`."""
        with self._called("disconnect", network):
            made = self._find(container)
            if made is not None:
                made.networks.pop(network, None)

    def create_volume(self, name: str, labels: Mapping[str, str]) -> None:
        """See `Engine.create_volume`."""
        with self._called("create_volume", name):
            self._volumes.setdefault(name, dict(labels))

    def volumes(self, instance: str, stack: str = "") -> tuple[str, ...]:
        """See `Engine.volumes`."""
        with self._called("volumes", instance):
            return tuple(
                name
                for name, labels in sorted(self._volumes.items())
                if labels.get(INSTANCE) == instance and (not stack or labels.get(STACK) == stack)
            )

    def remove_volume(self, name: str) -> None:
        """See `Engine.remove_volume`."""
        with self._called("remove_volume", name):
            if any(m.source == name for made in self._made.values() for m in made.spec.mounts):
                raise EngineError(f"the volume {name} can't be removed: volume is in use")
            self._volumes.pop(name, None)

    # -- inside -------------------------------------------------------------------

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

    def _find(self, container: str) -> _Made | None:
        for made in self._made.values():
            if container and (made.spec.name == container or made.id.startswith(container)):
                return made
        return None

    def _get(self, container: str) -> _Made:
        made = self._find(container)
        if made is None:
            raise NotFound(f"the engine says: No such container: {container}")
        return made

    def _running(self, container: str) -> _Made:
        made = self._get(container)
        if made.state.status != "running":
            raise EngineError(f"container {made.spec.name} is not running")
        return made

    def _behaviour(self, made: _Made) -> Behaviour:
        return self.behaviours.get(made.spec.image, Behaviour())

    def _taken(self, made: _Made) -> str:
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
        self, made: _Made, exit_code: int, *, oom: bool = False, status: str = "exited"
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
