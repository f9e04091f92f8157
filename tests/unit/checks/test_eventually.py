"""Looking until it is as expected."""

from __future__ import annotations

import pytest

from containerdeploy.check import CannotObserve, Outcome, Verdict
from containerdeploy.checks.eventually import eventually

FAIL = Verdict(Outcome.FAIL, "a", "b")
PASS = Verdict(Outcome.PASS)


class Clock:
    """A time that only passes when somebody pauses."""

    def __init__(self):
        self.now = 0.0

    def __call__(self):
        """The time."""
        return self.now

    def pause(self, seconds):
        """Let it pass."""
        assert seconds > 0
        self.now += seconds


def looking(looks, *, timeout=10.0, gone=str):
    """The verdict after these looks (the last one stays), and when it was reached."""
    clock = Clock()
    remaining = []

    def look(left):
        remaining.append(left)
        seen = looks.pop(0) if len(looks) > 1 else looks[0]
        if isinstance(seen, Exception):
            raise seen
        return seen

    verdict = eventually(look, timeout=timeout, gone=gone, clock=clock, pause=clock.pause)
    return verdict, clock.now, remaining


def test_the_first_pass_ends_it():
    """No further look, and no time lost."""
    assert looking([PASS])[:2] == (PASS, 0.0)


def test_a_failure_is_final_at_the_deadline_only():
    """It is looked at again, ever less often, and the verdict says how long."""
    verdict, now, remaining = looking([FAIL])
    assert verdict.outcome is Outcome.FAIL
    assert "tried for 9" in verdict.found or "tried for 10" in verdict.found
    assert now <= 10.0
    assert len(remaining) < 40
    assert remaining == sorted(remaining, reverse=True)


def test_there_is_always_one_look():
    """Even without any time."""
    assert looking([PASS], timeout=0)[0] is PASS


def test_an_error_may_pass_later():
    """A connection that is refused at first."""
    assert looking([CannotObserve("refused"), FAIL, PASS])[0] is PASS


def test_an_error_to_the_end_is_an_error():
    """Never a failure, and never a pass."""
    with pytest.raises(CannotObserve, match=r"refused \(tried for"):
        looking([CannotObserve("refused")])


def test_gone_ends_it_at_once():
    """Whatever was seen last."""
    for last in (FAIL, CannotObserve("refused")):
        with pytest.raises(CannotObserve, match="exit code 3"):
            looking([last], timeout=1e9, gone=lambda: "exit code 3")
