"""Host settings: what belongs to this machine and not to a stack."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Host:
    """This host, as host.toml (or its defaults) describes it.

    Attributes:
        file: the host.toml that was read, or where it would be.
        instance: prefix of every network, and label of every object that cdeploy makes;
            two instances on one engine don't see each other.
        state: folder (0700) of the ledger, locks, secrets and the edge's files.
        bind: address on which the edge's ports are published.
        http: the published port for HTTP.
        tcp: further published ports, for ``route = { tcp = N }``.
        pool: IPv4 network from which stacks get their subnets.
        environment: the overlay that ``--env`` chooses when it is not given.
    """

    file: Path
    state: Path
    instance: str = "cdeploy"
    bind: str = "127.0.0.1"
    http: int = 8080
    tcp: tuple[int, ...] = ()
    pool: str = "10.213.0.0/16"
    environment: str = ""

    @property
    def edge_state(self) -> Path:
        """The folder of the edge's table, configuration and sockets."""
        return self.state / "edge"

    @property
    def secrets(self) -> Path:
        """The folder of the releases' secret files."""
        return self.state / "secrets"

    @property
    def ledger(self) -> Path:
        """The ledger's database file."""
        return self.state / "ledger.sqlite"

    @property
    def locks(self) -> Path:
        """The folder of the lock files."""
        return self.state / "locks"

    @property
    def edge_network(self) -> str:
        """The edge's own network.

        It must sort before every stack's network: the engine picks the default
        gateway of a container on several networks by name.
        """
        return self.instance

    def stack_network(self, stack: str) -> str:
        """The network of a stack."""
        return f"{self.instance}-{stack}"

    @property
    def holder(self) -> str:
        """The container that owns the edge's ports and networks."""
        return f"{self.instance}-holder"

    @property
    def edge(self) -> str:
        """The container of HAProxy itself."""
        return f"{self.instance}-edge"

    def container_name(self, stack: str, service: str, release: str, replica: int) -> str:
        """``<stack>-<service>-<release>-<n>``; other instances than the default prefix it."""
        name = f"{stack}-{service}-{release}-{replica}"
        return name if self.instance == "cdeploy" else f"{self.instance}-{name}"

    def volume_name(self, stack: str, volume: str) -> str:
        """``<stack>_<volume>``; other instances than the default prefix it."""
        name = f"{stack}_{volume}"
        return name if self.instance == "cdeploy" else f"{self.instance}_{name}"

    def url(self, host: str, path: str = "/") -> str:
        """The address at which a user on this host reaches a route."""
        port = "" if self.http == 80 else f":{self.http}"
        return f"http://{host}{port}{path}"
