"""The fake engine keeps the engine's contract, and follows its script."""

from __future__ import annotations

import pytest

from containerdeploy.check import Ran
from containerdeploy.engines.fake import Behaviour, FakeEngine
from containerdeploy.errors import EngineError, ImageUnavailable
from tests.contract.engine_contract import Bench, EngineContract


@pytest.fixture
def bench() -> Bench:
    engine = FakeEngine()
    return Bench(engine, engine.add_image("base:1").id, "fake")


class TestFake(EngineContract):
    """The contract on the fake."""


def test_a_scripted_container_dies_at_its_start() -> None:
    """Exit code, OOM flag and output are those of the script; the policy restarts it."""
    engine = FakeEngine()
    image = engine.add_image("bad:1", behaviour=Behaviour(exit_code=3, oom=True, output=("boom",)))
    spec = Bench(engine, image.id, "fake").spec(restart="unless-stopped")
    container = engine.create(spec)
    engine.start(container)
    state = engine.state(container)
    assert (state.status, state.exit_code, state.oom_killed, state.died) == (
        "restarting",
        3,
        True,
        True,
    )
    assert [line.text for line in engine.logs(container)] == ["boom"]


def test_a_scripted_failure_is_raised_once() -> None:
    """`fail` hits the next call about its subject, and only that."""
    engine = FakeEngine()
    container = engine.create(Bench(engine, engine.add_image("a:1").id, "fake").spec())
    engine.fail("start", EngineError("disk full"), about="fake-web")
    with pytest.raises(EngineError, match="disk full"):
        engine.start(container)
    engine.start(container)
    assert ("start", container) in engine.calls


def test_files_and_commands_are_scripted() -> None:
    """stat, read and run answer from the image's behaviour."""
    engine = FakeEngine()
    behaviour = Behaviour(
        files={"/app/main.py": b"print()"},
        run=lambda argv, stdin: Ran(4, argv[0], stdin.decode()),
    )
    image = engine.add_image("a:1", behaviour=behaviour)
    container = engine.create(Bench(engine, image.id, "fake").spec())
    engine.start(container)
    assert engine.read(container, "/app/main.py") == b"print()"
    folder = engine.stat(container, "/app")
    assert folder is not None
    assert folder.type == "directory"
    assert engine.run(container, ("cmd",), stdin=b"in") == Ran(4, "cmd", "in")


def test_only_what_the_registry_has_can_be_pulled() -> None:
    """pull takes from `registry` and names what is not there."""
    engine = FakeEngine()
    other = FakeEngine().add_image("other:1")
    engine.registry["other:1"] = other
    said: list[str] = []
    assert engine.pull("other:1", said.append).id == other.id
    assert said
    with pytest.raises(ImageUnavailable, match="nothing:1"):
        engine.pull("nothing:1", said.append)
