"""Subnets and addresses: free ones only, and apart for those that choose at the same moment."""

from __future__ import annotations

from ipaddress import ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from containerdeploy.addresses import Addresses, edge_address, edge_subnet, free_subnet
from containerdeploy.errors import HostNotReady

POOL = "10.213.0.0/16"


@given(st.lists(st.integers(0, 63), max_size=60), st.text(max_size=10))
def test_free(taken, owner):
    """A subnet overlaps none that is used, nor the edge's own."""
    used = [f"10.213.{4 * number}.0/22" for number in taken]
    found = ip_network(free_subnet(POOL, used, 22, owner=owner))
    assert not any(found.overlaps(ip_network(net)) for net in [*used, edge_subnet(POOL)])
    assert found.subnet_of(ip_network(POOL))


def test_stacks_and_tests_are_apart():
    """A stack's network and a test world's, chosen at the same moment, don't collide."""
    stack = ip_network(free_subnet(POOL, [], 22, owner="shop"))
    assert not stack.overlaps(ip_network(free_subnet(POOL, [], 24)))


def test_full():
    """A pool that is used up is an error that names the cure."""
    with pytest.raises(HostNotReady) as caught:
        free_subnet(POOL, ["10.0.0.0/8"], 22, owner="shop")
    assert "pool" in caught.value.hint


def test_foreign_networks_and_ipv6():
    """What others use, of whatever size or family, is no obstacle but where it overlaps."""
    assert free_subnet(POOL, ["fd00::/64", "172.17.0.0/16"], 22, owner="x")


def test_addresses():
    """Addresses come lowest first, each once, never a used one, the gateway or the edge's."""
    pool = Addresses("10.1.4.0/22", ["10.1.4.16"])
    assert [pool.take(), pool.take()] == ["10.1.4.17", "10.1.4.18"]
    assert edge_address("10.1.4.0/22") == "10.1.4.2"
    small = Addresses("10.1.4.0/28", [])
    with pytest.raises(HostNotReady, match="no free address"):
        small.take()
