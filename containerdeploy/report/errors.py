"""An error as its reader needs it: what happened and where, what was seen, what to do."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from containerdeploy.errors import BadInput, CdeployError, ChecksRed, Interrupted
from containerdeploy.events import Event
from containerdeploy.report.words import printable

if TYPE_CHECKING:
    from containerdeploy.report.output import Output
    from containerdeploy.report.story import Story

INDENT = "  "


def error_lines(error: CdeployError, out: Output) -> list[str]:
    """The message; every problem of an input (``file:line: key: message (hint)``); the
    detail, indented; and the hint as what to do."""
    lines = [out.paint("error:", "red", "bold") + f" {error.message}"]
    if isinstance(error, BadInput):
        lines += [f"{INDENT}{problem}" for problem in error.problems]
    lines += [INDENT + _clean(line) for line in error.detail.splitlines()]
    if error.hint:
        first, *rest = error.hint.splitlines()
        lines.append(out.paint("what to do:", "bold") + f" {first}")
        lines += [f"{INDENT}{line}" for line in rest]
    return lines


def error_event(error: CdeployError, code: int) -> Event:
    """The same for a machine: `kind` is the class, `problems` a list of objects."""
    data: dict[str, Any] = {
        "kind": type(error).__name__,
        "message": error.message,
        "hint": error.hint,
        "detail": error.detail,
        "exit": code,
    }
    if isinstance(error, BadInput):
        data["problems"] = [asdict(problem) for problem in error.problems]
    return Event("error", data)


def failed_event(error: CdeployError, story: Story) -> Event:
    """The `done` event of a command that failed: "red", "interrupted" or "failed"."""
    result = "failed"
    if isinstance(error, ChecksRed):
        result = "red"
    elif isinstance(error, Interrupted):
        result = "interrupted"
    data = {"rollout": story.rollout, "result": result, "services": story.failures()}
    return Event("done", data | ({"stack": story.stack} if story.stack else {}))


def _clean(line: str) -> str:
    """A foreign line without what would move the cursor; its indentation stays."""
    text = line.expandtabs(4)
    return text[: len(text) - len(text.lstrip())] + printable(text)
