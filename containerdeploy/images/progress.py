"""What BuildKit says while it builds (``--progress=plain``), read line by line.

#6 [stage-0 3/4] RUN make       a step begins (or: [builder 3/4], [3/4])
#6 0.270 out                    its output, after seconds
#6 CACHED | DONE 0.5s | ERROR: process "..." did not complete successfully: exit code: 2
Dockerfile:7                    newer ones name the failing line
"""

from __future__ import annotations

import re
from collections import deque
from dataclasses import dataclass, field

LAST = 20
"""Lines of output that are kept of each step."""

_LINE = re.compile(r"#(\d+) (.*)")
_STEP = re.compile(r"\[(?:(?P<stage>[^\]]*?) )?\s*(?P<step>\d+)/(?P<total>\d+)\] (?P<text>.*)")
_OUTPUT = re.compile(r"\d+\.\d+ (.*)", re.DOTALL)
_PLACE = re.compile(r"\S+:(\d+)$")


@dataclass(slots=True)
class Step:
    """One step of a build: its instruction where it is one of the Dockerfile's."""

    title: str
    stage: str = ""
    step: int = 0
    total: int = 0
    text: str = ""
    error: str = ""
    output: deque[str] = field(default_factory=lambda: deque(maxlen=LAST))


class Progress:
    """Takes the builder's lines; knows the steps, what failed, and the last words.

    Attributes:
        failed: the step that failed, if one did.
        current: the title of the step that spoke last.
        line: the failing line of the Dockerfile, where the builder names it; else 0.
    """

    def __init__(self) -> None:
        self.failed: Step | None = None
        self.line = 0
        self._steps: dict[str, Step] = {}
        self.current = ""
        self._last: deque[str] = deque(maxlen=LAST)

    def take(self, line: str) -> tuple[Step, str] | None:
        """One line; a step of the Dockerfile and its output ("" when it begins), or None."""
        line = line.rstrip()
        match = _LINE.match(line)
        if match is None:
            if line:
                self._last.append(line)
            if self.failed is not None and (place := _PLACE.match(line)):
                self.line = int(place.group(1))
            return None
        number, rest = match.groups()
        step = self._steps.get(number)
        if step is None:
            step = self._steps[number] = _step(rest)
            self.current = step.title
            return (step, "") if step.step else None
        self.current = step.title
        if output := _OUTPUT.match(rest):
            step.output.append(output.group(1))
            return (step, output.group(1)) if step.step else None
        if rest.startswith("ERROR: "):
            step.error = rest.removeprefix("ERROR: ")
            self.failed = step
        return None

    @property
    def words(self) -> str:
        """The last lines of the failing step, else of the builder, and the error."""
        step = self.failed
        if step is None:
            return "\n".join(self._last)
        return "\n".join([*step.output, step.error])


def _step(title: str) -> Step:
    match = _STEP.match(title)
    if match is None:
        return Step(title, text=title)
    stage = match["stage"] or ""
    return Step(
        title,
        stage="" if stage.startswith("stage-") else stage,
        step=int(match["step"]),
        total=int(match["total"]),
        text=match["text"],
    )
