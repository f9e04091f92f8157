"""Events for a machine: one JSON object a line on standard output, `done` last."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from containerdeploy.report.errors import error_event
from containerdeploy.report.reporter import Reporter, failed_done

if TYPE_CHECKING:
    from containerdeploy.errors import CdeployError
    from containerdeploy.events import Event
    from containerdeploy.report.output import Output


def to_line(value: Any) -> str:
    """One value as one line of JSON."""
    return json.dumps(value, ensure_ascii=False, default=str)


class JsonReporter(Reporter):
    """One event a line."""

    def show(self, event: Event) -> None:
        """Write the event."""
        self.out.line(to_line(event.to_json()))

    def end(self) -> None:
        """Write the answer, when one was asked for, and `done`."""
        last = self.story.last
        if last is not None:
            answer = self.story.answer
            self.show(last if answer is None else with_data(last, answer=answer))

    def failed(self, error: CdeployError, code: int) -> None:
        """Write the error and a `done` that says so."""
        fail_json(self.out, error, code, failed_done(self.story, error))


def with_data(event: Event, **data: Any) -> Event:
    """The event with further data."""
    return replace(event, data={**event.data, **data})


def fail_json(out: Output, error: CdeployError, code: int, done: Event) -> None:
    """The two last lines of a command that failed."""
    out.line(to_line(error_event(error, code).to_json()))
    out.line(to_line(done.to_json()))
