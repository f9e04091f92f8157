"""What a long operation says while it runs: one event, one line of JSON."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened.

    Attributes:
        event: its kind: ``plan``, ``step``, ``build``, ``check``, ``note``, ``warn``, ``done`` ...
        data: what belongs to the kind; JSON values only, and never a secret.
        at: seconds since the epoch.
    """

    event: str
    data: dict[str, Any] = field(default_factory=dict)
    at: float = field(default_factory=time.time)

    def to_json(self) -> dict[str, Any]:
        """One flat object: the kind first, then its data, then the time."""
        return {"event": self.event, **self.data, "at": round(self.at, 3)}


Emit = Callable[[Event], None]
"""Takes an event; called from any thread."""


def note(emit: Emit, text: str, *, service: str = "", **data: Any) -> None:
    """Say something in passing."""
    emit(Event("note", {"text": text, **({"service": service} if service else {}), **data}))


def quiet(event: Event) -> None:
    """An `Emit` that says nothing."""
