"""Subnets and fixed addresses, chosen from what is free. Pure: no engine, no host."""

from __future__ import annotations

from ipaddress import IPv4Network
from typing import TYPE_CHECKING
from zlib import crc32

from containerdeploy.errors import HostNotReady

if TYPE_CHECKING:
    from collections.abc import Iterable

EDGE_OFFSET = 2
"""In a stack's network .1 is the engine's gateway and .2 the edge."""
FIRST_OFFSET = 16
"""Services start here; what lies between is kept for the edge's own needs."""


def free_subnet(pool: str, used: Iterable[str], prefix: int, *, owner: str = "") -> str:
    """A subnet of `pool` with this prefix length that overlaps none of `used`.

    The pool's first /22 is the edge's own. Two that choose at the same moment should
    not choose the same: a stack (`owner`) begins to look at a place in the lower half
    that its name gives, test worlds (no owner) begin at the upper end.

    Raises:
        HostNotReady: the pool is full.
    """
    taken = [IPv4Network(net, strict=False) for net in used if ":" not in net]
    whole = IPv4Network(pool)
    taken.append(next(whole.subnets(new_prefix=max(22, whole.prefixlen))))
    for candidate in _order(list(whole.subnets(new_prefix=prefix)), owner):
        if not any(candidate.overlaps(net) for net in taken):
            return str(candidate)
    raise HostNotReady(
        f"no free /{prefix} network is left in the address pool {pool}",
        hint="take down a stack that is not needed, or set a larger `pool` in host.toml",
    )


def _order(subnets: list[IPv4Network], owner: str) -> list[IPv4Network]:
    if not owner:
        return subnets[::-1]
    half = max(1, len(subnets) // 2)
    first = crc32(owner.encode()) % half
    return subnets[first:half] + subnets[:first] + subnets[half:]


def edge_subnet(pool: str) -> str:
    """The edge's own network: the pool's first /24."""
    return str(next(IPv4Network(pool).subnets(new_prefix=24)))


def gateway_of(subnet: str) -> str:
    """The engine's address in a subnet."""
    return str(IPv4Network(subnet)[1])


def edge_address(subnet: str) -> str:
    """The edge's fixed address in a subnet."""
    return str(IPv4Network(subnet)[EDGE_OFFSET])


class Addresses:
    """Hands out a subnet's free addresses, lowest first, each once.

    Args:
        subnet: the stack's network.
        used: addresses of its containers, stopped ones included: a container
            comes back where the edge expects it.
    """

    def __init__(self, subnet: str, used: Iterable[str] = ()) -> None:
        self._subnet = IPv4Network(subnet)
        self._used = set(used)

    def take(self) -> str:
        """The next free address; raises `HostNotReady` when there is none."""
        for offset in range(FIRST_OFFSET, self._subnet.num_addresses - 1):
            address = str(self._subnet[offset])
            if address not in self._used:
                self._used.add(address)
                return address
        raise HostNotReady(
            f"no free address is left in {self._subnet}",
            hint="`cdeploy prune` removes kept containers, each of which holds an address",
        )
