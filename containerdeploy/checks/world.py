"""What all test environments of one run share."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from ipaddress import IPv4Network
from typing import TYPE_CHECKING

from containerdeploy.addresses import free_subnet, gateway_of
from containerdeploy.checks.claim import ROLE
from containerdeploy.errors import EngineError
from containerdeploy.spec import labels

if TYPE_CHECKING:
    from collections.abc import Mapping

    from containerdeploy.check import ImageInfo
    from containerdeploy.checks.claim import Claim
    from containerdeploy.checks.removals import Removals
    from containerdeploy.engines.base import Engine
    from containerdeploy.host import Host
    from containerdeploy.observed import Network
    from containerdeploy.release import Release
    from containerdeploy.stack import Stack

PREFIX = 26
"""Room for 46 containers: the service, all that it uses, and their jobs."""

ATTEMPTS = 10


@dataclass(frozen=True)
class World:
    """The engine, the desired stack and the claim that a run's environments build on.

    Attributes:
        releases, images, secrets_dirs: by service name.
    """

    stack: Stack
    releases: Mapping[str, Release]
    images: Mapping[str, ImageInfo]
    secrets_dirs: Mapping[str, str]
    engine: Engine
    host: Host
    claim: Claim
    removals: Removals
    _one_network_at_a_time: threading.Lock = field(default_factory=threading.Lock)

    def create_network(self, name: str) -> Network:
        """A network with a subnet of the host's pool that nobody uses, and with no way out.

        Raises:
            HostNotReady: the pool is full.
            EngineError: the engine refused for another reason than a taken subnet.
        """
        own = labels(self.host, role=ROLE, rollout=self.claim.run)
        with self._one_network_at_a_time:
            for attempt in range(ATTEMPTS):
                subnet = free_subnet(self.host.pool, self.engine.all_subnets(), PREFIX)
                try:
                    return self.engine.create_network(
                        name,
                        subnet=subnet,
                        gateway=gateway_of(subnet),
                        labels=own,
                        # A worker under test must not work on the outside world's queue.
                        internal=True,
                    )
                except EngineError:
                    # Another process may have been quicker; then there is a next subnet.
                    if attempt + 1 == ATTEMPTS or not self._taken(subnet):
                        raise
        raise AssertionError("unreachable: the last attempt returns or raises")

    def _taken(self, subnet: str) -> bool:
        wanted = IPv4Network(subnet)
        return any(
            wanted.overlaps(IPv4Network(used, strict=False))
            for used in self.engine.all_subnets()
            if ":" not in used
        )
