"""The edge in memory keeps the contract."""

from __future__ import annotations

import pytest

from containerdeploy.edge.fake import FakeEdge
from containerdeploy.edge.table import Member
from containerdeploy.errors import EdgeError, HostNotReady
from tests.contract.edge_contract import Bench, EdgeContract


class TestFakeEdge(EdgeContract):
    """The contract on the fake."""

    @pytest.fixture
    def bench(self):
        member = Member("x-shop", "10.9.1.0/24", "10.9.1.2")
        return Bench(FakeEdge(), member, ("10.9.1.16", "10.9.1.17"))


def test_no_edge():
    """Without an edge every verb but `table` says how to get one."""
    edge = FakeEdge(up=False)
    edge.table()
    with pytest.raises(HostNotReady) as raised:
        edge.change(lambda table: table)
    assert "bootstrap" in raised.value.hint


def test_refused_once():
    """A refusal that a test asked for comes once, and leaves the table."""
    edge = FakeEdge()
    edge.refuse = "unknown keyword"
    member = Member("x", "10.9.1.0/24", "10.9.1.2")
    with pytest.raises(EdgeError) as raised:
        edge.change(lambda table: table.join("x", member))
    assert raised.value.detail == "unknown keyword"
    assert edge.table().members == {}
    edge.change(lambda table: table.join("x", member))
    assert edge.table().members == {"x": member}
