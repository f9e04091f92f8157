"""Removing in the background: in order, told when it fails, and never in the way."""

from __future__ import annotations

import threading

from containerdeploy.checks.removals import Removals
from containerdeploy.errors import EngineError


def test_what_comes_last_waits_for_all_else_but_not_for_close():
    """After `nothing_more` the last steps follow by themselves, the latest kept first."""
    done: list[str] = []
    gate, ended = threading.Event(), threading.Event()
    removals = Removals(done.append)
    removals.at_last("lock", lambda: (done.append("lock"), ended.set()))
    removals.at_last("network", lambda: done.append("network"))
    removals.remove([("container", lambda: (gate.wait(30), done.append("container")))])

    removals.nothing_more()
    assert done == []
    gate.set()

    assert ended.wait(30)
    assert done == ["container", "network", "lock"]
    removals.close()
    assert len(done) == 3


def test_close_alone_does_the_last_steps_too():
    """Where nobody said that nothing more comes, `close` does what was kept for the end."""
    done: list[str] = []
    with Removals(done.append) as removals:
        removals.at_last("network", lambda: done.append("network"))
        removals.remove([("container", lambda: done.append("container"))])

    assert done == ["container", "network"]


def test_a_last_step_that_fails_is_told():
    """What could not be removed in the background is a warning, and the rest is done."""
    events, done = [], []

    def busy():
        raise EngineError("network in use")

    removals = Removals(events.append)
    removals.at_last("lock", lambda: done.append("lock"))
    removals.at_last("network", busy)
    removals.nothing_more()
    removals.close()

    assert done == ["lock"]
    (warned,) = events
    assert warned.event == "warn"
    assert "network in use" in warned.data["text"]
