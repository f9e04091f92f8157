"""What was done: rollouts as a table, one rollout with its steps, and both as JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from containerdeploy.report.table import columns
from containerdeploy.report.words import duration, moment, printable

if TYPE_CHECKING:
    from containerdeploy.ledger import Rollout, StepRecord
    from containerdeploy.report.output import Output

HEAD = ("ROLLOUT", "STACK", "WHEN", "TOOK", "COMMAND", "OUTCOME", "WHO", "COMMIT", "CHANGED")
STYLES = {
    "switched": "green",
    "unchanged": "green",
    "removed": "green",
    "failed": "red",
    "red": "red",
    "interrupted": "yellow",
    "died": "red",
    "begun": "yellow",
}


def history_lines(rollouts: tuple[Rollout, ...], out: Output) -> list[str]:
    """Rollouts, newest first, one a line."""
    if not rollouts:
        return ["no rollout is known on this host; `cdeploy up` makes the first"]
    return columns([_row(one, out) for one in rollouts], head=HEAD, width=out.width)


def _row(one: Rollout, out: Output) -> tuple[str, ...]:
    return (
        one.id,
        one.stack,
        moment(one.started),
        duration(one.ended - one.started) if one.ended else "-",
        one.command,
        _outcome(one.outcome, out),
        one.who,
        one.git_commit,
        _changed(one),
    )


def _outcome(outcome: str, out: Output) -> str:
    return out.paint(outcome, STYLES.get(outcome, "bold"))


def _changed(one: Rollout) -> str:
    outcomes: dict[str, str] = one.description.get("outcomes", {})
    return ", ".join(f"{name} {outcome}" for name, outcome in outcomes.items() if _counts(outcome))


def _counts(outcome: str) -> bool:
    return outcome != "unchanged"


def rollout_lines(one: Rollout, steps: tuple[StepRecord, ...], out: Output) -> list[str]:
    """One rollout: what came of it, its releases, and its steps with their times."""
    took = f", took {duration(one.ended - one.started)}" if one.ended else ""
    lines = [
        f"{out.paint(one.id, 'bold')}  {one.command} of {one.stack}: {_outcome(one.outcome, out)}",
        f"  {moment(one.started)}{took}, by {one.who}"
        + (f", at commit {one.git_commit}" if one.git_commit else ""),
    ]
    lines += [f"  {printable(line)}" for line in one.error.splitlines()]
    releases: dict[str, str] = one.description.get("releases", {})
    outcomes: dict[str, str] = one.description.get("outcomes", {})
    rows = [(f"  {name}", release, outcomes.get(name, "")) for name, release in releases.items()]
    lines += ["", *columns(rows, head=("  SERVICE", "RELEASE", "OUTCOME"))]
    if steps:
        table = [_step(step, one.started, out) for step in steps]
        head = ("  AT", "STEP", "STATE", "TOOK", "WHY")
        lines += ["", *columns(table, head=head, width=out.width)]
        lines += [f"  {step.id}: {printable(step.error)}" for step in steps if step.error]
    return lines


def _step(step: StepRecord, begun: float, out: Output) -> tuple[str, ...]:
    style = {"done": "green", "failed": "red"}.get(step.state, "yellow")
    return (
        f"  +{step.started - begun:.1f} s",
        step.id,
        out.paint(step.state, style),
        duration(step.ended - step.started) if step.ended else "-",
        step.why,
    )


def rollout_json(one: Rollout, steps: tuple[StepRecord, ...] | None = None) -> dict[str, Any]:
    """A rollout as JSON values; with its steps when they are given."""
    plain: dict[str, Any] = {
        "rollout": one.id,
        "stack": one.stack,
        "command": one.command,
        "started": one.started,
        "ended": one.ended,
        "outcome": one.outcome,
        "who": one.who,
        "git_commit": one.git_commit,
        "error": one.error,
        "services": {
            name: {"release": release, "outcome": one.description.get("outcomes", {}).get(name, "")}
            for name, release in one.description.get("releases", {}).items()
        },
    }
    if steps is not None:
        plain["steps"] = [
            {
                "id": step.id,
                "service": step.service,
                "why": step.why,
                "state": step.state,
                "started": step.started,
                "ended": step.ended,
                "error": step.error,
            }
            for step in steps
        ]
    return plain
