"""What a person reads when a command that changes things has ended."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from containerdeploy.report.table import columns
from containerdeploy.report.words import (
    counted,
    duration,
    listed,
    printable,
    shortened,
    size,
)

if TYPE_CHECKING:
    from containerdeploy.report.output import Output
    from containerdeploy.report.story import Story

BODY_LINES = 6
BODY_WIDTH = 100


def ending(command: str, story: Story, out: Output) -> list[str]:
    """The last lines of a command.

    Args:
        command: the command's name; `story.last` is its `done` event.
    """
    data = story.last.data if story.last else {}
    tellers = {"down": _down, "bootstrap": _bootstrap, "build": _build, "test": _test}
    tell = tellers.get(command)
    if tell is not None:
        return tell(data, story, out)
    return [
        *_rollout(command, data, story, out),
        *(f"  {out.paint(url, 'cyan')}" for url in data.get("urls", ())),
        *(_answer(story.answer, out) if story.answer else []),
        *_next(data, story),
    ]


def _tick(out: Output) -> str:
    return out.paint("✔", "green")


def _took(data: dict[str, Any]) -> str:
    return duration(float(data.get("seconds", 0.0)))


def _rollout(command: str, data: dict[str, Any], story: Story, out: Output) -> list[str]:
    services: dict[str, dict[str, str]] = data.get("services", {})
    stack, took = story.stack, _took(data)
    if data.get("result") == "unchanged":
        run = "runs" if len(services) == 1 else "run"
        count = counted(len(services), "service")
        return [f"{_tick(out)} nothing to do: {count} of {stack} {run} as described ({took})"]
    switch = float(data.get("switch_ms", 0.0)) / 1000
    how = f"switched in {duration(switch)}, " if switch else ""
    verb = "rolled back" if command == "rollback" else "up"
    said = _outcomes(services)
    return [
        f"{_tick(out)} {stack} is {verb}: {how}{took} in all (rollout {data.get('rollout', '')})",
        *([f"  {said}"] if said else []),
    ]


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


def _next(data: dict[str, Any], story: Story) -> list[str]:
    """The way back, and with an answer what to try next."""
    services: dict[str, dict[str, str]] = data.get("services", {})
    before = any(known.get("outcome") == "changed" for known in services.values())
    back = data.get("result") == "switched" and before
    if story.answer is None:
        return [f"  the way back: cdeploy rollback {story.stack}"] if back else []
    tries = [
        (str(story.answer["again"]), "the same, by hand"),
        (f"cdeploy status {story.stack}", "what runs, and what it gets"),
        (f"cdeploy logs -f {story.stack}", "what its services say"),
        *([(f"cdeploy rollback {story.stack}", "the way back")] if back else []),
        (f"cdeploy down {story.stack}", "take it away again"),
    ]
    wide = max(len(one) for one, _ in tries)
    return [
        "",
        "try next: change a line and run the same command again, or",
        *(f"  {one:<{wide}}  # {why}" for one, why in tries),
    ]


def _down(data: dict[str, Any], story: Story, out: Output) -> list[str]:
    if not story.stack and data.get("result") == "removed":
        return [f"{_tick(out)} the edge is removed; `cdeploy bootstrap` brings it back"]
    if not story.stack:
        return [f"{_tick(out)} nothing is deployed on this host"]
    return [f"{_tick(out)} {story.stack} is taken down ({_took(data)})"]


def _bootstrap(data: dict[str, Any], story: Story, out: Output) -> list[str]:
    did = [item for item in data.get("items", []) if item["state"] == "done"]
    if not did:
        return [f"{_tick(out)} nothing to do: this host is ready for rollouts ({_took(data)})"]
    names = listed([item["name"] for item in did])
    return [f"{_tick(out)} this host is ready for rollouts: {names} made ready ({_took(data)})"]


def _build(data: dict[str, Any], story: Story, out: Output) -> list[str]:
    services: dict[str, dict[str, Any]] = data.get("services", {})
    rows = [
        (f"  {name}", known["outcome"], known["image"][:19], size(known["size"]))
        for name, known in services.items()
    ]
    built = sum(known["outcome"] == "built" for known in services.values())
    done = f"{counted(built, 'image')} built" if built else "nothing to build"
    return [f"{_tick(out)} {story.stack}: {done} ({_took(data)})", *columns(rows)]


def _test(data: dict[str, Any], story: Story, out: Output) -> list[str]:
    count = int(data.get("checks", 0))
    known = int(data.get("known", 0))
    if not count and not known:
        return [f"{story.stack} has no checks; write some under [service.NAME.test]"]
    ran = [f"{counted(count, 'check')} green ({_took(data)})"] if count else []
    if known:
        ran.append(f"{counted(known, 'check')} known green (--again runs them)")
    return [f"{_tick(out)} {story.stack}: {', '.join(ran)}"]
