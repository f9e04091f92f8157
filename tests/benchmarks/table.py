"""What was measured, as rows of a table."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

HEAD = ("what", "cdeploy", "beside", "ratio", "goal", "")


@dataclass(frozen=True, slots=True)
class Row:
    """One measurement: the medians of both sides.

    Attributes:
        ours, theirs: in `unit`; `theirs` is None where there is nothing beside.
        peer: what `theirs` is: "Compose", "directly" ...
        goal: the highest ratio that is good enough.
        limit: the highest value of ours that is good enough, in `unit`.
    """

    what: str
    ours: float
    theirs: float | None = None
    unit: str = "s"
    peer: str = "Compose"
    goal: float | None = None
    limit: float | None = None

    @property
    def ratio(self) -> float | None:
        """Ours by theirs; None where that says nothing."""
        return self.ours / self.theirs if self.theirs else None

    @property
    def reached(self) -> bool | None:
        """Whether the goal or limit is met; None without one, or with nothing to compare."""
        if self.limit is not None:
            return self.ours <= self.limit
        if self.goal is not None and self.ratio is not None:
            return self.ratio <= self.goal
        return None

    def cells(self) -> tuple[str, ...]:
        """The row's cells, in the order of `HEAD`."""
        theirs = "" if self.theirs is None else f"{self._shown(self.theirs)} {self.peer}"
        ratio = "" if self.ratio is None else f"{self.ratio:.2f}"
        goal = "" if self.goal is None else f"≤ {self.goal:g}"
        if self.limit is not None:
            goal = f"≤ {self._shown(self.limit)}"
        verdict = {None: "", True: "reached", False: "**missed**"}[self.reached]
        return (self.what, self._shown(self.ours), theirs, ratio, goal, verdict)

    def _shown(self, value: float) -> str:
        number = f"{value:,.0f}" if value >= 100 or value == int(value) else f"{value:.3g}"
        return f"{number} {self.unit}".rstrip()


def markdown(rows: Iterable[Row]) -> str:
    """The rows as a table in Markdown, aligned so that it can be read as text."""
    lines = [HEAD, *(row.cells() for row in rows)]
    widths = [max(3, *(len(line[n]) for line in lines)) for n in range(len(HEAD))]
    rule = tuple("-" * width for width in widths)
    return "\n".join(_line(cells, widths) for cells in (lines[0], rule, *lines[1:])) + "\n"


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    padded = (cell.ljust(width) for cell, width in zip(cells, widths, strict=True))
    return f"| {' | '.join(padded)} |"
