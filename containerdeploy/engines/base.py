"""The port to a container engine: what the rest of cdeploy asks of one.

Drivers translate their library's exceptions into `containerdeploy.errors`:
`NotFound`, `ImageUnavailable`, `HostNotReady` (no engine answers), and
`EngineError` for the rest. Every call has a deadline.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from containerdeploy.check import ImageInfo, PathInfo, Ran
    from containerdeploy.observed import Container, Network


@dataclass(frozen=True, slots=True)
class Mount:
    """A volume (`kind` "volume") or a bind of a host path (`kind` "bind")."""

    kind: str
    source: str
    target: str
    read_only: bool = False


@dataclass(frozen=True, slots=True)
class ContainerSpec:
    """Everything that a container is created with.

    The driver always adds: no-new-privileges, all capabilities dropped but
    `capabilities`, and an init process when `init`.

    Attributes:
        image: an image id (never a tag).
        network: a network's name, or ``container:<name>`` to join another's.
        hosts: further names in /etc/hosts, name -> address.
        ports: published ports: (host address, host port, container port).
        memory: bytes, 0 for no limit. `cpus`: 0 for no limit. `pids`: 0 for no limit.
        memory_and_swap are set equal, so a limit is a limit.
        log_max: bytes of one log file before it is rotated (three are kept).
    """

    name: str
    image: str
    network: str
    labels: Mapping[str, str]
    address: str = ""
    command: tuple[str, ...] | None = None
    entrypoint: tuple[str, ...] | None = None
    env: tuple[tuple[str, str], ...] = ()
    mounts: tuple[Mount, ...] = ()
    tmpfs: tuple[str, ...] = ()
    hosts: Mapping[str, str] | None = None
    ports: tuple[tuple[str, int, int], ...] = ()
    user: str = ""
    workdir: str = ""
    read_only: bool = False
    capabilities: tuple[str, ...] = ()
    memory: int = 0
    cpus: float = 0.0
    pids: int = 0
    restart: str = "no"
    stop_signal: str = ""
    stop_timeout: float = 10.0
    init: bool = False
    sysctls: Mapping[str, str] | None = None
    healthcheck: bool = True
    aliases: tuple[str, ...] = ()
    log_max: int = 10_000_000


@dataclass(frozen=True, slots=True)
class State:
    """A container's state now.

    Attributes:
        status: created, running, paused, restarting, exited or dead.
        exit_code: of the last run; 0 while the first run goes on.
        health: "", "starting", "healthy" or "unhealthy" (the image's HEALTHCHECK).
        restarts: how often the engine has started it again by its restart policy.
        started, finished: seconds since the epoch, 0.0 for never.
        error: the engine's words when it could not start it.
    """

    status: str
    exit_code: int = 0
    oom_killed: bool = False
    pid: int = 0
    health: str = ""
    restarts: int = 0
    started: float = 0.0
    finished: float = 0.0
    error: str = ""

    @property
    def died(self) -> bool:
        """Whether its process has ended at least once since it was started."""
        return self.status in ("exited", "dead", "restarting") or self.restarts > 0


@dataclass(frozen=True, slots=True)
class LogLine:
    """One line of a container's output, without its line end. `at`: seconds since the epoch."""

    at: float
    stream: str
    text: str


@dataclass(frozen=True, slots=True)
class EngineInfo:
    """What answers: its version, storage driver and CPU architecture, and whether its
    containers' addresses can be reached from this process (not so on Docker Desktop)."""

    version: str
    storage: str
    architecture: str
    reachable: bool = True
    rootless: bool = False


class Engine(Protocol):
    """A container engine. Thread-safe: steps that can run at once call it at once."""

    def info(self) -> EngineInfo:
        """Who answers; raises `HostNotReady` when nobody does."""
        ...

    def containers(self, instance: str, stack: str = "") -> tuple[Container, ...]:
        """All containers labelled with this instance (and stack), running or not.

        One call to the engine; for stopped ones `finished` is filled by an inspect.
        """
        ...

    def create(self, spec: ContainerSpec) -> str:
        """Create a container, unstarted; returns its id.

        A container of that name with the same labels that is there already is
        returned as it is, so a repeated step is harmless; one with other labels
        is an `EngineError`.
        """
        ...

    def start(self, container: str) -> None:
        """Start it; harmless when it runs."""
        ...

    def stop(self, container: str, *, timeout: float) -> None:
        """Send its stop signal, wait `timeout` seconds, kill; harmless when stopped or gone."""
        ...

    def signal(self, container: str, signal: str) -> None:
        """Send a signal such as ``SIGUSR2`` to its first process."""
        ...

    def remove(self, container: str) -> None:
        """Kill and remove it with its anonymous volumes; harmless when it is gone."""
        ...

    def state(self, container: str) -> State:
        """Its state now; raises `NotFound`."""
        ...

    def wait(self, container: str, *, timeout: float) -> int:
        """Wait until it exits; its exit code. Raises `StepTimeout` after `timeout` seconds."""
        ...

    def logs(
        self,
        container: str,
        *,
        tail: int | None = None,
        since: float = 0.0,
        follow: bool = False,
    ) -> Iterator[LogLine]:
        """Its output, oldest first; with `follow` until it is removed or stops.

        `since` (seconds since the epoch) is inclusive. The iterator of a driver has a
        `close`, which ends the iteration also from another thread.
        """
        ...

    def run(
        self,
        container: str,
        argv: tuple[str, ...],
        *,
        user: str = "",
        timeout: float = 30.0,
        stdin: bytes = b"",
    ) -> Ran:
        """Run a command in a running container.

        `Ran.exit_code` is None when the runtime could not run it (no such file,
        no permission); its words are then in `stderr`.
        """
        ...

    def stat(self, container: str, path: str) -> PathInfo | None:
        """A path in a container, started or not (uid and gid filled); None when not there."""
        ...

    def read(self, container: str, path: str) -> bytes:
        """The content of a regular file in a container, started or not."""
        ...

    def image(self, ref: str) -> ImageInfo | None:
        """An image by id, tag or digest; None when it is not here."""
        ...

    def images(self, label: str) -> tuple[ImageInfo, ...]:
        """Images that carry a label (``key`` or ``key=value``), newest first.

        One call: only id, tags, labels and size are filled; `image` tells the rest.
        """
        ...

    def pull(self, ref: str, progress: Callable[[str], None]) -> ImageInfo:
        """Fetch an image; raises `ImageUnavailable` with the registry's words."""
        ...

    def tag(self, image: str, ref: str) -> None:
        """Give an image a further name."""
        ...

    def remove_image(self, ref: str) -> None:
        """Remove a name or an image; harmless when it is gone or in use."""
        ...

    def import_image(
        self, tar: str, ref: str, *, command: tuple[str, ...], label: str
    ) -> ImageInfo:
        """Make an image of one layer from a root filesystem's tar (`docker import`)."""
        ...

    def networks(self, instance: str) -> tuple[Network, ...]:
        """The networks labelled with this instance."""
        ...

    def all_subnets(self) -> tuple[str, ...]:
        """The subnets of all networks on this engine, whoever made them."""
        ...

    def create_network(
        self,
        name: str,
        *,
        subnet: str,
        gateway: str,
        labels: Mapping[str, str],
        internal: bool = False,
    ) -> Network:
        """Make a bridge network; returns the one of that name and subnet when it is there."""
        ...

    def remove_network(self, name: str) -> None:
        """Remove a network; harmless when it is gone."""
        ...

    def connect(self, network: str, container: str, *, address: str) -> None:
        """Put a container on a further network at an address; harmless when it is there."""
        ...

    def disconnect(self, network: str, container: str) -> None:
        """Take a container off a network; harmless when it is not on it."""
        ...

    def create_volume(self, name: str, labels: Mapping[str, str]) -> None:
        """Make a named volume; harmless when it is there."""
        ...

    def volumes(self, instance: str, stack: str = "") -> tuple[str, ...]:
        """The names of volumes labelled with this instance (and stack)."""
        ...

    def remove_volume(self, name: str) -> None:
        """Remove a volume and its data; harmless when it is gone."""
        ...
