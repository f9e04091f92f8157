"""The executor: order, concurrency, undo, deadlines, and what the ledger is told."""

from __future__ import annotations

import _thread
import threading
import time

import pytest

from containerdeploy.errors import EngineError, HostNotReady, Interrupted, StepTimeout
from containerdeploy.execute import Executor
from containerdeploy.ledger import Ledger, Rollout
from containerdeploy.plan import EditEdge, Plan, Remove, Stop


def step(id_: str, *after: str, undo: tuple = (), timeout: float = 5.0, cls=Remove, **more):
    """A step that does what the script says."""
    keys = {"container": id_} if cls is Remove else {}
    return cls(id=id_, why="test", after=after, undo=undo, timeout=timeout, **keys, **more)


def switch(*after: str):
    """The step that switches."""
    return step("switch", *after, cls=EditEdge, edits=(), is_switch=True)


class Script:
    """Actions that record what they did, and do what the script says for a step's id."""

    def __init__(self, **script) -> None:
        self.cancel = threading.Event()
        self.hurry = threading.Event()
        self.done: list[str] = []
        self.script = script

    def do(self, one) -> None:
        action = self.script.get(one.id.replace(" ", "_"))
        if action:
            action()
        self.done.append(one.id)


@pytest.fixture
def ledger(tmp_path):
    """A ledger with one rollout begun."""
    known = Ledger(tmp_path / "state" / "ledger.sqlite")
    known.begin(Rollout("r1", "shop", "up", time.time(), None, "begun", "me", ""))
    yield known
    known.close()


def walk(ledger, actions, *steps):
    """Walk a plan of these steps."""
    return Executor(actions, ledger, "r1", lambda event: None).walk(Plan("shop", steps))


def fail():
    """What a failing step does."""
    raise EngineError("it broke")


def states(ledger):
    """What the ledger says of each step."""
    return {known.id: known.state for known in ledger.steps("r1")}


def test_order(ledger):
    """A step is done after those that it waits for."""
    actions = Script()
    result = walk(ledger, actions, step("a"), step("b", "a"), switch("b"), step("c", "switch"))
    assert result.switched
    assert actions.done == ["a", "b", "switch", "c"]
    assert states(ledger) == dict.fromkeys(("a", "b", "switch", "c"), "done")


def test_at_once(ledger):
    """Steps that don't wait for each other run at the same time."""
    meet = threading.Barrier(3, timeout=5)
    actions = Script(a=meet.wait, b=meet.wait, c=meet.wait)
    assert walk(ledger, actions, step("a"), step("b"), step("c"), switch("a", "b", "c")).switched


def test_failure_undoes_in_reverse(ledger):
    """A failure before the switch undoes the begun steps, the latest first, and no others."""
    actions = Script(c=fail)
    result = walk(
        ledger,
        actions,
        step("a", undo=(step("undo a"),)),
        step("b", "a", undo=(step("undo b"),)),
        step("c", "b", undo=(step("undo c"),)),
        step("d", "c", undo=(step("undo d"),)),
        switch("d"),
        step("e", "switch"),
    )
    assert not result.switched
    assert str(result.error) == "it broke"
    assert actions.done == ["a", "b", "undo c", "undo b", "undo a"]
    assert states(ledger) == {"a": "undone", "b": "undone", "c": "undone"}


def test_failed_undo_goes_on(ledger):
    """An undo that fails doesn't keep the others from being done."""
    actions = Script(b=fail, undo_b=fail)
    walk(
        ledger,
        actions,
        step("a", undo=(step("undo a"),)),
        step("b", "a", undo=(step("undo b"),)),
        switch("b"),
    )
    assert actions.done == ["a", "undo a"]


def test_others_finish_before_the_undo(ledger):
    """Steps under way end before anything is taken back; they are told to give up."""
    actions = Script(b=fail)
    actions.script["a"] = lambda: actions.cancel.wait(5)
    walk(ledger, actions, step("a", undo=(step("undo a"),)), step("b"), switch("a", "b"))
    assert actions.done == ["a", "undo a"]


def test_failure_after_the_switch(ledger):
    """After the switch a failure is reported, and the other steps are done all the same."""
    actions = Script(b=fail)
    result = walk(
        ledger, actions, switch(), step("b", "switch"), step("c", "switch"), step("d", "b")
    )
    assert result.switched
    assert result.error is None
    assert [str(error) for error in result.later] == ["it broke"]
    assert set(actions.done) == {"switch", "c", "d"}


def test_failed_switch_is_undone(ledger):
    """A switch that fails is undone like any step before it."""
    actions = Script(switch=fail)
    result = walk(ledger, actions, step("a", undo=(step("undo a"),)), switch("a"))
    assert not result.switched
    assert actions.done == ["a", "undo a"]


def test_deadline(ledger):
    """A step that passes its deadline fails the rollout, naming the step and the time."""
    actions = Script()
    actions.script["a"] = lambda: actions.cancel.wait(5)
    result = walk(ledger, actions, step("a", timeout=0.05), switch("a"))
    assert isinstance(result.error, StepTimeout)
    assert "a: not done after 0.05 s" in str(result.error)


def test_interrupt_before_the_switch(ledger):
    """Ctrl-C before the switch undoes and says that the old release serves."""
    actions = Script()

    def interrupt():
        _thread.interrupt_main()
        actions.cancel.wait(5)

    actions.script["a"] = interrupt
    result = walk(ledger, actions, step("a", undo=(step("undo a"),)), switch("a"))
    assert isinstance(result.error, Interrupted)
    assert actions.done[-1] == "undo a"


def test_interrupt_after_the_switch(ledger):
    """Ctrl-C after the switch finishes in short order: drains hurry, nothing is left out."""
    actions = Script()

    def interrupt():
        _thread.interrupt_main()
        assert actions.hurry.wait(5)

    actions.script["a"] = interrupt
    result = walk(ledger, actions, switch(), step("a", "switch"), step("b", "a"))
    assert result.switched
    assert actions.done == ["switch", "a", "b"]


def test_bug_in_a_step_is_an_error(ledger):
    """An unexpected exception in a step fails the rollout instead of hanging it."""
    actions = Script(a=lambda: 1 / 0)
    result = walk(ledger, actions, step("a"), switch("a"))
    assert "ZeroDivisionError" in str(result.error)


def test_written_ahead(ledger):
    """A step is in the ledger before it is done."""
    seen = {}
    actions = Script(a=lambda: seen.update(states(ledger)))
    walk(ledger, actions, step("a", cls=Stop, container="x", stop_timeout=1.0), switch("a"))
    assert seen == {"a": "begun"}


def test_interrupt_while_it_switches(ledger):
    """Ctrl-C in the switch itself: when that went through, nothing of the new is undone."""
    actions = Script()

    def interrupt():
        _thread.interrupt_main()
        assert actions.cancel.wait(5)

    actions.script["switch"] = interrupt
    result = walk(
        ledger, actions, step("a", undo=(step("undo a"),)), switch("a"), step("b", "switch")
    )
    assert result.switched
    assert result.error is None
    assert actions.done == ["a", "switch", "b"]


def test_a_switch_that_cannot_be_taken_back(ledger):
    """Where it is not known which release serves, neither is removed."""
    actions = Script(switch=fail, switch_back=fail)
    one = step("switch", "a", undo=(step("switch back"),), cls=EditEdge, edits=(), is_switch=True)
    result = walk(ledger, actions, step("a", undo=(step("undo a"),)), one)
    assert str(result.error) == "it broke"
    assert actions.done == ["a"]


def test_a_failure_after_the_switch_cuts_no_drain_short(ledger, monkeypatch):
    """What is under way when a step fails is waited for as long as it may take."""
    monkeypatch.setattr("containerdeploy.execute.GRACE", 0.0)
    failed = threading.Event()
    actions = Script()

    def drain():
        assert failed.wait(5)
        time.sleep(0.2)  # the executor learns of the failure meanwhile

    def prune():
        failed.set()
        fail()

    actions.script.update(drain=drain, prune=prune)
    result = walk(
        ledger,
        actions,
        switch(),
        step("prune", "switch"),
        step("drain", "switch"),
        step("retire", "drain"),
    )
    assert [str(error) for error in result.later] == ["it broke"]
    assert actions.done == ["switch", "drain", "retire"]


class FullDisk:
    """A ledger whose disk is full from some step on."""

    def __init__(self, ledger, last: str) -> None:
        self.ledger, self.last, self.full = ledger, last, False

    def step_begun(self, rollout, one):
        self._write()
        self.ledger.step_begun(rollout, one)

    def step_ended(self, rollout, one, state, error=""):
        self._write()
        self.ledger.step_ended(rollout, one, state, error)
        self.full = one.id == self.last

    def _write(self):
        if self.full:
            raise HostNotReady("the ledger can't be written")


def test_a_full_disk_before_the_switch(ledger):
    """A ledger that can't be written keeps nothing from being undone."""
    actions = Script()
    steps = (
        step("a", undo=(step("undo a"),)),
        step("b", "a", undo=(step("undo b"),)),
        step("c", "b"),
        switch("c"),
    )
    result = walk(FullDisk(ledger, "b"), actions, *steps)
    assert isinstance(result.error, HostNotReady)
    assert actions.done == ["a", "b", "undo b", "undo a"]


def test_a_full_disk_after_the_switch(ledger):
    """A ledger that can't be written after the switch ends the walk; it does not go on for ever."""
    actions = Script()
    steps = (switch(), step("a", "switch"), step("b", "a"))
    result = walk(FullDisk(ledger, "switch"), actions, *steps)
    assert result.switched
    assert {str(error) for error in result.later} == {"the ledger can't be written"}


def test_interrupt_while_a_step_is_started(ledger, monkeypatch):
    """Ctrl-C in the middle of starting a thread or writing the ledger breaks neither."""
    actions = Script()
    actions.script["a"] = lambda: actions.hurry.wait(5)
    begun = ledger.step_begun

    def written(rollout, one):
        if one.id == "a":
            _thread.interrupt_main()
        begun(rollout, one)

    monkeypatch.setattr(ledger, "step_begun", written)
    result = walk(ledger, actions, switch(), step("a", "switch"), step("b", "a"))
    assert result.switched
    assert actions.done == ["switch", "a", "b"]


def test_interrupted_twice_means_now(ledger):
    """A second Ctrl-C ends the walk at once; what is left is for the next run."""
    actions = Script()

    def twice():
        _thread.interrupt_main()
        assert actions.cancel.wait(5)
        _thread.interrupt_main()
        time.sleep(0.2)

    actions.script["a"] = twice
    with pytest.raises(KeyboardInterrupt):
        walk(ledger, actions, step("a", undo=(step("undo a"),)), switch("a"))
    assert "undo a" not in actions.done
