"""What came of a load: every answer, every loss, and who answered when."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import astuple, dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True, slots=True)
class Answer:
    """A request that was answered as it should be.

    Attributes:
        kind: "get", "post", "slow post", "websocket" (one echo) or "new connection".
        sent: when the client made up its mind to send it (`time.monotonic`, which all
            processes of one machine share).
        ended: when the whole answer was there.
        release: what the answering server called itself (X-Release).
    """

    kind: str
    sent: float
    ended: float
    release: str

    @property
    def seconds(self) -> float:
        """How long the client waited."""
        return self.ended - self.sent


@dataclass(frozen=True, slots=True)
class Failure:
    """A request that was lost. `reason`: "closed", "reset", "timed out", "status 503" ..."""

    kind: str
    sent: float
    ended: float
    reason: str


@dataclass(frozen=True, slots=True)
class Result:
    """A load's end.

    Attributes:
        answers, failures: in the order in which they ended.
        reopened: kept-alive connections that the other side had closed while they were
            idle and the client knew it before it sent: no request was lost.
        stopped: "asked", or "time" or "count" when a bound of the profile ended it.
    """

    answers: tuple[Answer, ...] = ()
    failures: tuple[Failure, ...] = ()
    reopened: int = 0
    stopped: str = "asked"

    @property
    def kinds(self) -> Counter[str]:
        """Answers by kind."""
        return Counter(answer.kind for answer in self.answers)

    @property
    def releases(self) -> Counter[str]:
        """Answers by release."""
        return Counter(answer.release for answer in self.answers)

    @property
    def reasons(self) -> Counter[str]:
        """Lost requests by kind and reason."""
        return Counter(f"{failure.kind}: {failure.reason}" for failure in self.failures)

    def stale(self, returns: Sequence[tuple[str, float]]) -> tuple[Answer, ...]:
        """Answers of a release that should have been gone when the request was sent.

        Args:
            returns: each release with the moment at which its `up` returned, in order.
                A release that is not named counts as older than all of them.
        """
        order = {release: n for n, (release, _) in enumerate(returns)}
        return tuple(
            answer
            for answer in self.answers
            if order.get(answer.release, -1) < _newest(returns, answer.sent)
        )

    def outlasted(self, old: str, new: str, kind: str) -> int:
        """How many answers of `old` came after `new` had begun to answer: what was drained."""
        begun = [answer.ended for answer in self.answers if answer.release == new]
        if not begun:
            return 0
        first = min(begun)
        return sum(a.kind == kind and a.release == old and a.ended > first for a in self.answers)

    def percentile(self, share: float, *, kind: str = "") -> float:
        """The wait in seconds that `share` (0 to 1) of the answers did not exceed."""
        waits = sorted(a.seconds for a in self.answers if not kind or a.kind == kind)
        if not waits:
            raise ValueError(f"no answer of kind {kind!r}")
        return waits[min(len(waits) - 1, int(share * len(waits)))]

    def __str__(self) -> str:
        said = [f"{sum(self.kinds.values())} answered: {_counted(self.kinds)}"]
        said.append(f"by release: {_counted(self.releases)}")
        if self.failures:
            first, last = self.failures[0], self.failures[-1]
            said.append(f"{len(self.failures)} lost: {_counted(self.reasons)}")
            said.append(f"lost within {last.ended - first.sent:.3f} s")
        said.append(f"{self.reopened} connections reopened; stopped: {self.stopped}")
        return "\n".join(said)

    def to_json(self) -> str:
        """One line of JSON; `from_json` reads it."""
        return json.dumps(
            {
                "answers": [astuple(answer) for answer in self.answers],
                "failures": [astuple(failure) for failure in self.failures],
                "reopened": self.reopened,
                "stopped": self.stopped,
            }
        )

    @classmethod
    def from_json(cls, text: str) -> Result:
        """The result that `to_json` wrote."""
        raw = json.loads(text)
        return cls(
            answers=tuple(Answer(*one) for one in raw["answers"]),
            failures=tuple(Failure(*one) for one in raw["failures"]),
            reopened=raw["reopened"],
            stopped=raw["stopped"],
        )


def _newest(returns: Sequence[tuple[str, float]], moment: float) -> int:
    """The place of the last release whose `up` had returned by then; -1 for none."""
    return sum(returned <= moment for _, returned in returns) - 1


def _counted(counter: Counter[str]) -> str:
    return ", ".join(f"{count} {name}" for name, count in counter.most_common()) or "none"
