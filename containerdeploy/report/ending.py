"""What a person reads when a command that changes things has ended."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from containerdeploy.report.words import counted, duration, listed, printable, shortened

if TYPE_CHECKING:
    from containerdeploy.report.output import Output
    from containerdeploy.report.story import Story

BODY_LINES = 6
BODY_WIDTH = 100


def ending(command: str, story: Story, out: Output) -> list[str]:
    """The last lines of `up`, `rollback` and `down`.

    Args:
        command: the command's name; `story.last` is its `done` event.
    """
    data = story.last.data if story.last else {}
    lines = _what(command, data, story, out)
    lines += [f"  {out.paint(url, 'cyan')}" for url in data.get("urls", ())]
    if story.answer is not None:
        lines += _answer(story.answer, out)
    return lines + _next(command, data, story)


def _what(command: str, data: dict[str, Any], story: Story, out: Output) -> list[str]:
    stack, seconds = story.stack, float(data.get("seconds", 0.0))
    services: dict[str, dict[str, str]] = data.get("services", {})
    tick, took = out.paint("✔", "green"), duration(seconds)
    if command == "down":
        return [f"{tick} {stack} is taken down ({took})"]
    if data.get("result") == "unchanged":
        run = "runs" if len(services) == 1 else "run"
        count = counted(len(services), "service")
        return [f"{tick} nothing to do: {count} of {stack} {run} as described ({took})"]
    switch = float(data.get("switch_ms", 0.0)) / 1000
    verb = "rolled back" if command == "rollback" else "up"
    how = f"switched in {duration(switch)}, " if switch else ""
    lines = [f"{tick} {stack} is {verb}: {how}{took} in all (rollout {data.get('rollout', '')})"]
    said = _outcomes(services)
    return lines + ([f"  {said}"] if said else [])


def _outcomes(services: dict[str, dict[str, str]]) -> str:
    by_outcome: dict[str, list[str]] = {}
    for name, known in services.items():
        by_outcome.setdefault(known.get("outcome", ""), []).append(name)
    return "; ".join(f"{outcome}: {listed(names)}" for outcome, names in by_outcome.items())


def _answer(answer: dict[str, Any], out: Output) -> list[str]:
    asked = f"GET {answer['url']}"
    if "error" in answer:
        return ["", f"{asked}: {out.paint('no answer', 'yellow')}: {answer['error']}"]
    style = "green" if int(answer["status"]) < 400 else "yellow"
    status = out.paint(f"{answer['status']} {answer.get('reason', '')}".strip(), style)
    body = str(answer.get("body", "")).splitlines()
    shown = [f"  {shortened(printable(line), BODY_WIDTH)}" for line in body[:BODY_LINES]]
    return ["", f"{asked} -> {status}", *shown, *(["  …"] if len(body) > BODY_LINES else [])]


def _next(command: str, data: dict[str, Any], story: Story) -> list[str]:
    """The way back, and with an answer what to try next."""
    if command == "down":
        return []
    services: dict[str, dict[str, str]] = data.get("services", {})
    before = any(known.get("outcome") == "changed" for known in services.values())
    back = data.get("result") == "switched" and before
    if story.answer is None:
        return [f"  the way back: cdeploy rollback {story.stack}"] if back else []
    tries = [
        (f"curl {story.answer['curl']}", "the same, by hand"),
        (f"cdeploy status {story.stack}", "what runs, and what it gets"),
        (f"cdeploy logs -f {story.stack}", "what its services say"),
        ("cdeploy up ...", "after a change: built, tested, and switched with nothing lost"),
        *([(f"cdeploy rollback {story.stack}", "the way back")] if back else []),
        (f"cdeploy down {story.stack}", "take it away again"),
    ]
    wide = max(len(command) for command, _ in tries)
    return ["", "try next:", *(f"  {one:<{wide}}  # {why}" for one, why in tries)]
