"""A plan as a person reads it: by phase, each step with its reason; and as JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from containerdeploy import plan as steps
from containerdeploy.report.table import columns
from containerdeploy.report.words import counted, listed

if TYPE_CHECKING:
    from containerdeploy.plan import Plan, Step
    from containerdeploy.report.output import Output

AFTER_SWITCH = {"Stop": "retire", "Remove": "remove", "DropNetwork": "remove"}
WORDS = {
    "MakeNetwork": "prepare",
    "EditEdge": "prepare",
    "Remove": "clear up",
    "Stop": "stop the old first",
    "Job": "before the switch",
    "Start": "start beside",
    "Revive": "start beside",
    "Probe": "ready?",
    "Smoke": "smoke",
    "Drain": "drain",
    "Prune": "prune",
}


def phase(step: Step, *, switched: bool) -> str:
    """Which part of a rollout a step belongs to."""
    if isinstance(step, steps.EditEdge) and step.is_switch:
        return "switch"
    kind = type(step).__name__
    if isinstance(step, steps.EditEdge):
        return "settle" if switched else "prepare"
    return (AFTER_SWITCH.get(kind) if switched else None) or WORDS.get(kind, kind.lower())


def phases(plan: Plan) -> list[tuple[str, list[Step]]]:
    """The steps by phase, the phases in the order in which they begin."""
    found: dict[str, list[Step]] = {}
    switch, switched = plan.switch, False
    for step in plan:
        found.setdefault(phase(step, switched=switched), []).append(step)
        switched = switched or step is switch
    return list(found.items())


def plan_lines(plan: Plan, out: Output) -> list[str]:
    """The plan, by phase, and in a last line what it comes to."""
    if not plan:
        count = counted(len(plan.outcomes), "service")
        return [f"nothing to do: {count} of {plan.stack} as described"]
    lines: list[str] = []
    wide = max(len(step.id) for step in plan)
    for name, members in phases(plan):
        lines.append(out.paint(name, "bold"))
        rows = [(f"  {step.id:<{wide}}", out.paint(step.why, "dim")) for step in members]
        lines += columns(rows, width=out.width)
    return [*lines, "", outcome_line(plan)]


def outcome_line(plan: Plan) -> str:
    """What becomes of each service: ``shop: web changed; db and cache unchanged``."""
    by_outcome: dict[str, list[str]] = {}
    for service, outcome in plan.outcomes.items():
        by_outcome.setdefault(outcome, []).append(service)
    said = "; ".join(f"{listed(names)} {outcome}" for outcome, names in by_outcome.items())
    return f"{plan.stack}: {said} ({counted(len(plan.steps), 'step')})"


def plan_json(plan: Plan) -> dict[str, Any]:
    """The plan as JSON values; `changes` is false when there is nothing to do."""
    return {
        "stack": plan.stack,
        "changes": bool(plan),
        "outcomes": plan.outcomes,
        "releases": plan.releases,
        "steps": [
            {
                "id": step.id,
                "phase": name,
                "service": step.service,
                "why": step.why,
                "after": list(step.after),
                "undo": [undo.id for undo in step.undo],
                "timeout": step.timeout,
            }
            for name, members in phases(plan)
            for step in members
        ],
    }
