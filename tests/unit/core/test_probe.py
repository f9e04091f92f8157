"""The probe of a health path: what it takes for ready, and what it says when it is not."""

from __future__ import annotations

import pytest

from containerdeploy.check import ImageInfo
from containerdeploy.engines.base import ContainerSpec
from containerdeploy.engines.fake import FakeEngine
from containerdeploy.errors import CandidateFailed
from containerdeploy.probe import wait_ready
from containerdeploy.stack import Health, Service
from tests.unit.load.servers import app_process, faulty

IMAGE = ImageInfo(id="sha256:1")


@pytest.fixture
def engine():
    """An engine with one running container, `web`."""
    engine = FakeEngine()
    image = engine.add_image("web:1")
    network = engine.create_network("n", subnet="10.9.0.0/24", gateway="10.9.0.1", labels={})
    spec = ContainerSpec(name="web", image=image.id, network=network.name, labels={})
    engine.create(spec)
    engine.start("web")
    return engine


def ready(engine, port, *, path="/healthz", status=0, timeout=5.0):
    """Probe a server of this machine as if it were the container."""
    health = Health(path=path, status=status, interval=0.01)
    service = Service(name="web", port=port, health=health)
    return wait_ready(engine, "web", service, IMAGE, "127.0.0.1", timeout=timeout)


def test_a_good_answer_is_ready(engine):
    """A status below 400 will do where none is named."""
    with app_process("r1") as (_, port):
        assert ready(engine, port) < 5


def test_a_path_may_hold_what_must_be_encoded(engine):
    """Letters beyond ASCII and blanks are percent-encoded, and a query stays one."""
    with app_process("r1") as (_, port):
        assert ready(engine, port, path="/gesund heit/ä?deep=1&x=%20") < 5


def test_a_status_that_was_not_asked_for_is_named(engine):
    """Where a status is named no other will do; the message has what was answered instead."""
    with app_process("r1") as (_, port), pytest.raises(CandidateFailed, match="HTTP 200"):
        ready(engine, port, status=204, timeout=0.1)


@pytest.mark.parametrize("fault", ["closes", "resets", "cuts", "babbles", "errs"])
def test_a_server_that_fails_now_and_then_is_asked_again(engine, fault):
    """A lost or bad answer is no verdict: the next try counts, and no socket is left open."""
    with faulty(fault) as server:
        for _ in range(20):
            ready(engine, server.server_address[1])
        assert server.faults >= 2


def test_nobody_there_is_said_as_refused(engine):
    """A port where nobody listens: the message says so."""
    with faulty("errs") as server:
        port = server.server_address[1]
    with pytest.raises(CandidateFailed, match="connection refused"):
        ready(engine, port, timeout=0.1)
