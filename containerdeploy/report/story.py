"""What the events of a command have told so far, by service. Pure: events in, tracks out."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from containerdeploy.report.words import printable

if TYPE_CHECKING:
    from containerdeploy.events import Event

BUILD = "build"
"""What a service does while its image is built or pulled."""


@dataclass
class Doing:
    """Something that is under way: `text` says what, `begun` since when (epoch seconds)."""

    text: str
    begun: float


@dataclass
class Finished:
    """One kind of work that is done: how often, and the longest time that it took."""

    count: int = 0
    seconds: float = 0.0


@dataclass
class Track:
    """One service (or, by the stack's name, what belongs to none).

    Attributes:
        doing: under way, by step id.
        finished: by the first word of the step id, in the order of their ends.
        failed: the id of the step or check that failed; "" when none has.
        undone: whether something of it was taken back.
    """

    name: str
    doing: dict[str, Doing] = field(default_factory=dict)
    finished: dict[str, Finished] = field(default_factory=dict)
    failed: str = ""
    undone: bool = False

    def done(self, word: str, seconds: float) -> None:
        """One piece of work of this kind has ended."""
        known = self.finished.setdefault(word, Finished())
        known.count += 1
        known.seconds = max(known.seconds, seconds)


class Story:
    """Everything that was told, kept for those who show it.

    Attributes:
        rollout: the rollout's id, once it has one.
        last: the `done` event, held back until the command ends: it is always the last.
        begun, latest: when the first and the latest event came (epoch seconds).
        known: how many checks were known to be green, and not run.
        answer: what the first URL answered (`cdeploy up --show-answer`).
    """

    def __init__(self, stack: str = "", services: tuple[str, ...] = ()) -> None:
        self.stack = stack
        self.rollout = ""
        self.begun = 0.0
        self.latest = 0.0
        self.known = 0
        self.last: Event | None = None
        self.answer: dict[str, Any] | None = None
        self.tracks: dict[str, Track] = {name: Track(name) for name in services}

    def take(self, event: Event) -> None:
        """Learn from one event."""
        self.begun = self.begun or event.at
        self.latest = event.at
        if event.event == "rollout":
            self.rollout = str(event.data.get("rollout", ""))
        elif event.event == "done":
            self.last = event
        elif event.event == "answer":
            self.answer = event.data
        elif event.event == "step":
            self._step(event)
        elif event.event in ("build", "pull"):
            self._build(event)
        elif event.event == "check":
            self._check(event)
        elif event.event == "bootstrap":
            self._bootstrap(event)
        elif event.event == "plan":
            self.stack = self.stack or str(event.data.get("stack", ""))
            self.built(event.at)

    def track(self, name: str) -> Track:
        """The track of a service; of the stack as a whole when `name` is empty."""
        name = name or self.stack or "cdeploy"
        return self.tracks.setdefault(name, Track(name))

    def failures(self) -> dict[str, dict[str, str]]:
        """The services in which something failed, as `done` tells them."""
        return {
            track.name: {"outcome": "failed", "at": track.failed}
            for track in self.tracks.values()
            if track.failed and track.name != self.stack
        }

    def _step(self, event: Event) -> None:
        data = event.data
        track, step = self.track(data.get("service", "")), str(data["id"])
        state, word = data["state"], str(data["id"]).split(" ", 1)[0].rstrip(":")
        if state == "begun":
            track.doing[step] = Doing(("undo: " if data.get("undo") else "") + step, event.at)
            return
        begun = track.doing.pop(step, None)
        if data.get("undo"):
            track.undone = True
        elif state == "failed":
            track.failed = track.failed or step
        else:
            took = data.get("seconds", event.at - begun.begun if begun else 0.0)
            track.done(word, float(took))

    def built(self, at: float) -> None:
        """Whatever was built is built: a builder says where it stands, but not that it ended."""
        for track in self.tracks.values():
            doing = track.doing.pop(BUILD, None)
            if doing is not None:
                track.done(BUILD, at - doing.begun)

    def _build(self, event: Event) -> None:
        data = event.data
        track = self.track(data.get("service", ""))
        known = track.doing.get(BUILD)
        text = f"{event.event} {build_place(data)}{printable(str(data.get('text', '')))}"
        track.doing[BUILD] = Doing(text.strip(), known.begun if known else event.at)

    def _check(self, event: Event) -> None:
        data = event.data
        track = self.track(data.get("service", ""))
        outcome = data.get("outcome")
        if outcome in ("fail", "error"):
            track.failed = track.failed or f"check {data.get('check', '')}"
        elif data.get("known"):
            self.known += int(data.get("checks", 0))
        elif outcome == "pass":
            track.done("check", float(data.get("seconds", 0.0)))

    def _bootstrap(self, event: Event) -> None:
        data = event.data
        item, state = str(data.get("item", "")), data.get("state")
        if item == "host":
            return
        track = self.track(item)
        known = track.doing.pop(item, None)
        if state in ("doing", "missing"):
            begun = known.begun if known else event.at
            track.doing[item] = Doing(printable(str(data.get("what", ""))), begun)
        elif state == "failed":
            track.failed = item
        else:
            track.done("done", event.at - known.begun if known else 0.0)


def build_place(data: dict[str, Any]) -> str:
    """Where a build stands: ``3/7 ``, or nothing."""
    step, total = data.get("step"), data.get("total")
    return f"{step}/{total} " if step and total else ""
