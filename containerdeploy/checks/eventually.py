"""Look until it is as expected, the time is up, or there is nobody left to look at."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING

from containerdeploy.check import CannotObserve, Outcome, Verdict

if TYPE_CHECKING:
    from collections.abc import Callable

FIRST_PAUSE = 0.02
LONGEST_PAUSE = 1.0


def eventually(
    look: Callable[[float], Verdict],
    *,
    timeout: float,
    gone: Callable[[], str],
    clock: Callable[[], float] = time.monotonic,
    pause: Callable[[float], None] = time.sleep,
) -> Verdict:
    """The first verdict that passes, or the last one at the deadline.

    Args:
        look: one look, given the seconds that remain.
        timeout: seconds in all; there is always at least one look.
        gone: why nobody is there any more, or "".
        clock, pause: the time and how to let it pass.

    Raises:
        CannotObserve: the last look could not see, or the subject is gone.
    """
    began = clock()
    wait = FIRST_PAUSE
    while True:
        error: CannotObserve | None = None
        verdict: Verdict | None = None
        try:
            verdict = look(max(timeout - (clock() - began), 0.1))
        except CannotObserve as seen:
            error = seen
        if verdict is not None and verdict.outcome is not Outcome.FAIL:
            return verdict
        if reason := gone():
            raise CannotObserve(reason)
        tried = clock() - began
        if tried + wait > timeout:
            if verdict is None:
                raise CannotObserve(f"{error} (tried for {tried:.1f} s)") from error
            return replace(verdict, found=f"{verdict.found} (tried for {tried:.1f} s)")
        pause(wait)
        wait = min(wait * 2, LONGEST_PAUSE)
