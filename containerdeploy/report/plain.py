"""Events for a log: one line for each thing that is done, with times, no cursor moves."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from containerdeploy.report.reporter import Reporter
from containerdeploy.report.story import build_place
from containerdeploy.report.words import counted, duration, printable

if TYPE_CHECKING:
    from collections.abc import Callable

    from containerdeploy.events import Event
    from containerdeploy.report.output import Output
    from containerdeploy.report.story import Story


class PlainReporter(Reporter):
    """``   1.2 s  web       start web 1 (310 ms)``: since the begin, whose, what, how long.

    Args:
        quiet: only warnings, errors and nothing else.
        verbose: also what begins, every line of a build, and why a step is done.
    """

    def __init__(
        self,
        command: str,
        story: Story,
        out: Output,
        err: Output,
        *,
        quiet: bool = False,
        verbose: bool = False,
    ) -> None:
        super().__init__(command, story, out, err)
        self.quiet = quiet
        self.verbose = verbose
        self._builds: dict[str, tuple[str, str]] = {}

    def show(self, event: Event) -> None:
        """Write a line, if the event is worth one."""
        if event.event == "warn":
            label = self.err.paint("warning:", "yellow", "bold")
            self.err.line(f"{label} {warning_text(event.data)}")
        elif not self.quiet:
            whose = event.data.get("service") or event.data.get("item") or ""
            for text in self._told(event):
                self._line(event.at, str(whose), text)

    def end(self) -> None:
        """Write how it ended, unless quiet."""
        if not self.quiet:
            super().end()

    def _told(self, event: Event) -> list[str]:
        tellers: dict[str, Callable[[dict[str, Any]], list[str]]] = {
            "plan": self._plan,
            "step": self._step,
            "build": self._build,
            "check": lambda data: [check_text(data, self.out)],
            "pull": lambda data: [f"pull {data['text']}"] if self.verbose else [],
            "note": lambda data: [printable(str(data.get("text", "")))],
            "log": lambda data: [f"the last lines of {data['container']} are in {data['file']}"],
            "rollout": lambda data: [f"rollout {data['rollout']}"],
            "bootstrap": lambda data: [bootstrap_text(data)],
        }
        tell = tellers.get(event.event)
        return tell(event.data) if tell else []

    def _plan(self, data: dict[str, Any]) -> list[str]:
        steps = data.get("steps", [])
        if not steps:
            return []
        every = [str(step) for step in steps] if self.verbose else []
        return [f"plan: {counted(len(steps), 'step')}", *every]

    def _step(self, data: dict[str, Any]) -> list[str]:
        step, state, undo = data["id"], data["state"], data.get("undo")
        why = f": {data['why']}" if self.verbose and data.get("why") else ""
        if state == "begun":
            return [f"{'undo: ' if undo else ''}{step} ...{why}"] if self.verbose else []
        if state == "failed":
            first = printable(str(data.get("error", "")).partition("\n")[0])
            what = self.out.paint("could not be undone" if undo else "failed", "red")
            return [f"{step} {what}{_took(data)}: {first}"]
        return [f"undone: {step}" if undo else f"{step}{_took(data)}"]

    def _build(self, data: dict[str, Any]) -> list[str]:
        """A line when a build comes to its next step; every line of it when verbose."""
        text, output = printable(str(data.get("text", ""))), printable(str(data.get("output", "")))
        place, service = build_place(data), str(data.get("service", ""))
        told = self._builds.get(service) == (place, text)
        self._builds[service] = (place, text)
        lines = [] if told or not text else [f"build {place}{text}"]
        return lines + ([f"  | {output}"] if self.verbose and output else [])

    def _line(self, at: float, service: str, text: str) -> None:
        name = service or self.story.stack or "cdeploy"
        wide = max([8, *(len(known) for known in self.story.tracks)])
        since = f"{at - self.story.begun:6.1f} s"
        self.out.line(f"{self.out.paint(since, 'dim')}  {name:<{wide}}  {text}")


def warning_text(data: dict[str, Any]) -> str:
    """A warning, with its cure when there is one."""
    hint = f" ({data['hint']})" if data.get("hint") else ""
    whose = f"{data['service']}: " if data.get("service") else ""
    return f"{whose}{printable(str(data.get('text', '')))}{hint}"


def check_text(data: dict[str, Any], out: Output) -> str:
    """A check and its verdict, in one line."""
    if data.get("known"):
        return f"{counted(int(data.get('checks', 0)), 'check')}: known green"
    outcome = str(data.get("outcome", ""))
    place = f"{data['file']}:{data['line']}: " if data.get("line") else ""
    what = f"check {data.get('check', '')}"
    if outcome == "pass":
        return f"{what}: {out.paint('pass', 'green')}{_took(data)}"
    if outcome == "skip":
        return f"{what}: skipped ({data.get('found', '')})"
    word = "fail" if outcome == "fail" else "could not observe"
    found = printable(str(data.get("found", "")).partition("\n")[0])
    return f"{what}: {out.paint(word, 'red')}{_took(data)}: {place}{found}"


def bootstrap_text(data: dict[str, Any]) -> str:
    """A piece of the host and what is done about it."""
    state, what = data.get("state", ""), printable(str(data.get("what", "")))
    if state == "missing":
        why = f" (needed: {data['why']})" if data.get("why") else ""
        return f"{what}{why}"
    if state == "failed":
        return f"failed: {what}"
    return f"ready: {what}" if state == "ready" else what


def _took(data: dict[str, Any]) -> str:
    return f" ({duration(float(data['seconds']))})" if "seconds" in data else ""
