"""From a check and a subject to a result: skipped, timed, and an error never a pass."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING

from containerdeploy.check import CannotObserve, CheckResult, Outcome, Verdict
from containerdeploy.events import Event

if TYPE_CHECKING:
    from containerdeploy.check import Check, Subject


def judge(service: str, check: Check, subject: Subject) -> CheckResult:
    """Run one check.

    What a subject can't see is an error, whatever the check expected: so a
    negated check never passes because nothing could be seen.
    """
    if check.skip:
        return CheckResult(service, check, Verdict(Outcome.SKIP, found=check.skip))
    began = time.monotonic()
    try:
        verdict = check.judge(subject)
    except CannotObserve as error:
        verdict = Verdict(Outcome.ERROR, found=str(error))
    return CheckResult(service, check, replace(verdict, seconds=time.monotonic() - began))


def event_of(result: CheckResult) -> Event:
    """A result as an event: `service`, `check`, `kind`, `outcome`, `expected`, `found`, `seconds`,
    and where it was written."""
    check, verdict = result.check, result.verdict
    return Event(
        "check",
        {
            "service": result.service,
            "check": check.name or check.title(),
            "kind": check.kind,
            "outcome": verdict.outcome.value,
            "expected": verdict.expected,
            "found": verdict.found,
            "seconds": round(verdict.seconds, 3),
            "file": check.file,
            "line": check.line,
        },
    )
