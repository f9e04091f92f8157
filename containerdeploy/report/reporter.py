"""Who tells what happens: takes events from any thread, and shows them in one style."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Self

from containerdeploy.report.ending import ending

if TYPE_CHECKING:
    from containerdeploy.events import Event
    from containerdeploy.report.output import Output
    from containerdeploy.report.story import Story


class Reporter(ABC):
    """Takes the events of one command; a context manager that ends with the last word.

    The `done` event is shown when the command ends, whenever it came: it is the
    last one.

    Args:
        command: the command's name, such as ``up``.
        story: gathers what the events tell.
        out: gets what the command brings about; `err` warnings and errors.
    """

    def __init__(self, command: str, story: Story, out: Output, err: Output) -> None:
        self.command = command
        self.story = story
        self.out = out
        self.err = err
        self._lock = threading.RLock()
        self._closed = False

    def __call__(self, event: Event) -> None:
        """Take an event (this is the `Emit` of a use case)."""
        with self._lock:
            self.story.take(event)
            if event.event not in ("done", "answer") or self._closed:
                self.show(event)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Say the last word; closing again says nothing more."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
            if self.story.last is not None:
                self.end()

    @abstractmethod
    def show(self, event: Event) -> None:
        """Show an event; called under the lock."""

    def end(self) -> None:
        """Show how it ended (`story.last`)."""
        for line in ending(self.command, self.story, self.out):
            self.out.line(line)
