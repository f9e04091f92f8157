"""Events for a machine: one JSON object a line on standard output, `done` last."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from containerdeploy.report.reporter import Reporter

if TYPE_CHECKING:
    from containerdeploy.events import Event


def to_line(value: Any) -> str:
    """One value as one line of JSON."""
    return json.dumps(value, ensure_ascii=False, default=str)


class JsonReporter(Reporter):
    """One event a line."""

    def show(self, event: Event) -> None:
        """Write the event."""
        self.out.line(to_line(event.to_json()))

    def end(self) -> None:
        """Write `done`, with the stack's name, and the answer when one was asked for."""
        last, story = self.story.last, self.story
        if last is None:
            return
        further: dict[str, Any] = {"stack": story.stack} if story.stack else {}
        if story.answer is not None:
            further["answer"] = story.answer
        self.show(replace(last, data={**last.data, **further}))
