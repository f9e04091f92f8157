"""The desired state: a stack and its services, as plain values.

Nothing here reads files or environment; `containerdeploy.stackfile` makes these
values from TOML, and the planner compares them with what is observed.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from containerdeploy.check import Check

Protocol = Literal["http", "tcp"]
Strategy = Literal["beside", "replace"]
Restart = Literal["unless-stopped", "always", "on-failure", "no"]


@dataclass(frozen=True, slots=True)
class Build:
    """How an image is made. Paths are absolute; `dockerfile` lies in or beside `context`."""

    context: str
    dockerfile: str
    args: tuple[tuple[str, str], ...] = ()
    target: str = ""


@dataclass(frozen=True, slots=True, order=True)
class Route:
    """Where outside traffic for a service arrives.

    Either `host` (lower case) with a `path` that starts and ends with a slash,
    or a TCP port (`tcp`), never both.
    """

    host: str = ""
    path: str = "/"
    tcp: int = 0

    def __str__(self) -> str:
        if self.tcp:
            return f"tcp port {self.tcp}"
        return self.host + (self.path.rstrip("/"))

    @property
    def key(self) -> str:
        """The route's key in the edge's table: ``host/path/`` or ``tcp:5432``."""
        return f"tcp:{self.tcp}" if self.tcp else f"{self.host}{self.path}"


@dataclass(frozen=True, slots=True)
class Secret:
    """A secret's name and where its value comes from; the value itself is never here.

    Attributes:
        name: the file under /run/secrets in the container.
        env: the environment variable of cdeploy that holds it (when `file` is empty).
        file: an absolute path of the file that holds it.
    """

    name: str
    env: str = ""
    file: str = ""


@dataclass(frozen=True, slots=True)
class Volume:
    """A named volume of the stack, or a bind of a host folder.

    Attributes:
        source: the volume's name, or an absolute host path when `bind`.
        target: the absolute path in the container.
        read_only: whether the container may only read it.
        bind: whether `source` is a path on the host.
        written: the source as the user wrote it (goes into the release id).
    """

    source: str
    target: str
    read_only: bool = False
    bind: bool = False
    written: str = ""


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of one container: bytes of memory, CPUs, and processes; 0 is unbounded."""

    memory: int = 0
    cpus: float = 0.0
    pids: int = 0


@dataclass(frozen=True, slots=True)
class Health:
    """How a candidate shows that it is ready.

    With a `path`: an HTTP GET that answers `status` (0: any of 200-399).
    Without: the image's HEALTHCHECK where it has one, else a TCP connection to
    the port, else (no port) staying up for `settle` seconds.

    Times are seconds.
    """

    path: str = ""
    status: int = 0
    timeout: float = 30.0
    interval: float = 0.1
    settle: float = 1.0


@dataclass(frozen=True, slots=True)
class Service:
    """One function of a stack. Times are seconds."""

    name: str
    build: Build | None = None
    image: str = ""
    command: tuple[str, ...] | None = None
    entrypoint: tuple[str, ...] | None = None
    port: int | None = None
    protocol: Protocol = "tcp"
    routes: tuple[Route, ...] = ()
    replicas: int = 1
    uses: tuple[str, ...] = ()
    env: tuple[tuple[str, str], ...] = ()
    secrets: tuple[Secret, ...] = ()
    volumes: tuple[Volume, ...] = ()
    tmpfs: tuple[str, ...] = ()
    user: str = ""
    workdir: str = ""
    read_only: bool = False
    capabilities: tuple[str, ...] = ()
    limits: Limits = Limits()
    health: Health = Health()
    drain: float = 30.0
    hold: float = 30.0
    stop_signal: str = ""
    stop_timeout: float = 10.0
    before_switch: tuple[str, ...] = ()
    before_switch_timeout: float = 600.0
    strategy: Strategy = "beside"
    restart: Restart = "unless-stopped"
    keep: int = 1
    labels: tuple[tuple[str, str], ...] = ()
    checks: tuple[Check, ...] = ()
    file: str = ""
    line: int = 0

    @property
    def where(self) -> str:
        """The service's place in the stack file, as ``stack.toml:12``."""
        return f"{self.file}:{self.line}" if self.file else f"service {self.name}"


@dataclass(frozen=True, slots=True)
class Stack:
    """The services of one stack file, in the file's order."""

    name: str
    services: tuple[Service, ...] = ()
    file: str = ""
    environment: str = ""
    _index: dict[str, Service] = field(
        default_factory=dict, init=False, repr=False, compare=False, hash=False
    )

    def __post_init__(self) -> None:
        self._index.update({service.name: service for service in self.services})

    def __getitem__(self, name: str) -> Service:
        return self._index[name]

    def __contains__(self, name: object) -> bool:
        return name in self._index

    def in_order(self) -> tuple[Service, ...]:
        """The services so that each comes after those that it uses.

        `stackfile` has refused circles; the order among equals is the file's.
        """
        done: dict[str, Service] = {}

        def visit(service: Service) -> None:
            if service.name in done:
                return
            for name in service.uses:
                visit(self._index[name])
            done[service.name] = service

        for service in self.services:
            visit(service)
        return tuple(done.values())
