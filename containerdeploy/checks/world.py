"""What all test environments of one run share."""

from __future__ import annotations

import threading
from ipaddress import IPv4Network
from typing import TYPE_CHECKING

from containerdeploy.addresses import Addresses, free_subnet, gateway_of
from containerdeploy.checks.claim import ROLE
from containerdeploy.engines.labels import labels_of
from containerdeploy.errors import EngineError

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

PREFIX = 22
"""Room for a thousand containers: services, all that they use, and their jobs."""

ATTEMPTS = 10


class World:
    """The engine, the desired stack, and the network that a run's environments build on.

    One network for all environments of a run: to make and remove one costs the
    engine nearly as much as a container does (0.16 s against 0.3 s, measured). In it
    a service knows by name only what it uses, and that is its own environment's.

    Args:
        releases, images, secrets_dirs: by service name.
        removals: removes the network when everything else is gone.
    """

    def __init__(
        self,
        stack: Stack,
        releases: Mapping[str, Release],
        images: Mapping[str, ImageInfo],
        secrets_dirs: Mapping[str, str],
        *,
        engine: Engine,
        host: Host,
        claim: Claim,
        removals: Removals,
    ) -> None:
        self.stack = stack
        self.releases = releases
        self.images = images
        self.secrets_dirs = secrets_dirs
        self.engine = engine
        self.host = host
        self.claim = claim
        self.removals = removals
        self._lock = threading.Lock()
        self._network: Network | None = None
        self._addresses: Addresses | None = None

    @property
    def network(self) -> str:
        """The name of the run's network, made when it is first needed.

        Raises:
            HostNotReady: the pool is full.
            EngineError: the engine refused for another reason than a taken subnet.
        """
        with self._lock:
            if self._network is None:
                name = self.claim.name()
                self.removals.at_last(f"network {name}", lambda: self.engine.remove_network(name))
                self._network = self._create_network(name)
                self._addresses = Addresses(self._network.subnet)
            return self._network.name

    def address(self) -> str:
        """A free address in the network; raises `HostNotReady` when there is none."""
        with self._lock:
            if self._addresses is None:
                raise ValueError("addresses are taken from a network that was made")
            return self._addresses.take()

    def _create_network(self, name: str) -> Network:
        """A network with a subnet of the host's pool that nobody uses, and with no way out."""
        own = labels_of(instance=self.host.instance, role=ROLE, rollout=self.claim.run)
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
