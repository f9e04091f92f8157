"""What shapes the proxy's configuration apart from the table."""

from __future__ import annotations

from dataclasses import dataclass

CONFIG_DIR = "/etc/cdeploy-edge"
"""Where the proxy's container finds its files (read-only)."""
RUN_DIR = "/run/cdeploy-edge"
"""Where the proxy's container makes its sockets."""

KEEP_ALIVE = 20
"""Seconds that an idle client connection stays open. After a reload the old process
takes a last request on each of these, so this is also how long it can linger with
nothing in flight (`Edge.lingering`). Below the default drain of 30 seconds, so that a
drain sees the end of it."""


@dataclass(frozen=True, slots=True)
class Settings:
    """The host's part of the configuration.

    Attributes:
        address: the edge's address on its own network; outside traffic arrives here.
        tcp: the published TCP ports of this host.
        config_dir: folder of haproxy.cfg and table.map, as the proxy sees it.
        run_dir: folder of the sockets, as the proxy sees it.
        access_log: log every request; otherwise only failures, retries and 5xx.
        maxconn: client connections at once; a connection costs about 40 KB at most.
        hard_stop: seconds after which a process from before a reload ends, whatever it
            still carries.
    """

    address: str
    tcp: tuple[int, ...] = ()
    config_dir: str = CONFIG_DIR
    run_dir: str = RUN_DIR
    access_log: bool = False
    maxconn: int = 8000
    hard_stop: int = 86400

    @property
    def map(self) -> str:
        """The map file's path, exactly as configuration and runtime commands name it."""
        return f"{self.config_dir}/table.map"
