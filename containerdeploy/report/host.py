"""The state of a host, piece by piece, with the cure of what is wrong."""

from __future__ import annotations

from typing import TYPE_CHECKING

from containerdeploy.report.table import columns

if TYPE_CHECKING:
    from containerdeploy.bootstrap import Report
    from containerdeploy.report.output import Output

MARKS = {"ok": ("✔", "green"), "done": ("✔", "green"), "missing": ("✘", "red")}


def host_lines(report: Report, out: Output) -> list[str]:
    """A line for each piece; below what is wrong, why it is needed and what to do."""
    lines: list[str] = []
    wide = max((len(item.name) for item in report.items), default=0)
    for item in report.items:
        mark, style = MARKS.get(item.state, ("✘", "red"))
        lines += columns(
            [(out.paint(mark, style), f"{item.name:<{wide}}", item.what)], width=out.width
        )
        if item.state not in ("ok", "done"):
            lines += [f"     needed: {item.why}"] if item.why else []
            lines += [f"     what to do: {item.cure}"] if item.cure else []
    ready = out.paint("ready for rollouts", "green") if report.ready else _not_ready(report)
    return [*lines, "", f"this host is {ready}"]


def _not_ready(report: Report) -> str:
    wrong = sum(item.state not in ("ok", "done") for item in report.items)
    return f"not ready: {wrong} of {len(report.items)} to mend"
