"""HAProxy keeps the contract of an edge, by its sockets and by an exec in its container."""

from __future__ import annotations

import pytest

from containerdeploy.edge.haproxy.driver import HAProxyEdge
from containerdeploy.edge.haproxy.ways import ExecWay
from containerdeploy.errors import HostNotReady
from tests.contract.edge_contract import Bench, EdgeContract
from tests.engine.edge_bench import edge_bench

pytestmark = pytest.mark.engine


@pytest.fixture(scope="module")
def pod(engine, edge_image, python_image):
    """One edge and two functions for all tests here."""
    with edge_bench(engine, edge_image, python_image) as pod:
        yield pod, (pod.serve("one"), pod.serve("two"))


class TestHAProxyEdge(EdgeContract):
    """The contract over the Unix sockets."""

    @pytest.fixture
    def bench(self, pod):
        there, addresses = pod
        yield Bench(there.edge, there.member, addresses)
        there.emptied()


class TestHAProxyEdgeByExec(EdgeContract):
    """The contract with every byte through socat in the container, as on Docker Desktop."""

    @pytest.fixture
    def bench(self, pod):
        there, addresses = pod
        way = ExecWay(there.engine, there.host.edge)
        yield Bench(HAProxyEdge(there.host, there.engine, way=way), there.member, addresses)
        there.emptied()


def test_no_edge(engine, host):
    """On a host without an edge the error says how to get one."""
    with pytest.raises(HostNotReady) as raised:
        HAProxyEdge(host, engine).settle()
    assert "bootstrap" in raised.value.hint
