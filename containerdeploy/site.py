"""This host with its real drivers: what every use case works on."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from containerdeploy.ledger import Ledger

if TYPE_CHECKING:
    from containerdeploy.edge.base import Edge
    from containerdeploy.engines.base import Engine
    from containerdeploy.host import Host


@dataclass
class Site:
    """The engine, the edge and the ledger of one host.

    Each is made when it is first asked for: `validate` needs none of them, and
    their libraries cost a command's start-up time.
    """

    host: Host

    @cached_property
    def engine(self) -> Engine:
        """The container engine; `HostNotReady` when its first call finds none."""
        from containerdeploy.engines.docker import DockerEngine

        return DockerEngine()

    @cached_property
    def edge(self) -> Edge:
        """The reverse proxy."""
        from containerdeploy.edge.haproxy.driver import HAProxyEdge

        return HAProxyEdge(self.host, self.engine)

    @cached_property
    def ledger(self) -> Ledger:
        """The ledger; made when there is none."""
        return Ledger(self.host.ledger)
