"""The text of red results: the line, what was expected, what was found, what to run next."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from containerdeploy.check import Outcome
from containerdeploy.errors import ChecksRed

if TYPE_CHECKING:
    from collections.abc import Iterable

    from containerdeploy.check import CheckResult
    from containerdeploy.stack import Stack

INDENT = "    "


def checks_red(stack: Stack, results: Iterable[CheckResult]) -> ChecksRed:
    """The error of a run with red results: who is red, each result, and how to run them again."""
    red = [result for result in results if result.red]
    services = list(dict.fromkeys(result.service for result in red))
    return ChecksRed(
        f"{_count(red)} of {' and '.join(services)} red",
        hint="; ".join(f"run again: {again(stack, service)}" for service in services),
        detail=red_texts(red),
    )


def red_text(result: CheckResult, *, found: str | None = None, log: bool = True) -> str:
    """A red result with its place, expectation, finding, and the container's last lines.

    Args:
        found: said in place of what the verdict found.
        log: whether the last lines are printed.
    """
    check, verdict = result.check, result.verdict
    place = f"{check.file}:{check.line}: " if check.file else ""
    title = f"{check.name} ({check.title()})" if check.name else check.title()
    lines = [f"{place}{result.service}: {title}: {_word(verdict.outcome)}"]
    if verdict.expected:
        lines += _labelled("expected", verdict.expected)
    label = "found" if verdict.outcome is Outcome.FAIL else "can't see"
    lines += _labelled(label, verdict.found if found is None else found)
    if log and result.log:
        lines.append(f"{INDENT}the last lines of its container:")
        lines += [f"{INDENT}  | {line}" for line in result.log.splitlines()]
    return "\n".join(lines)


def red_texts(results: Iterable[CheckResult]) -> str:
    """All red results. What several share, such as that the service did not even start, is
    printed once."""
    said: set[tuple[str, str]] = set()
    texts = []
    for result in (result for result in results if result.red):
        why, log = (result.service, result.verdict.found), (result.service, result.log)
        same = result.verdict.outcome is Outcome.ERROR and why in said
        texts.append(red_text(result, found="the same" if same else None, log=log not in said))
        said |= {why, log}
    return "\n".join(texts)


def again(stack: Stack, service: str) -> str:
    """The command that runs a service's checks again."""
    argv = ["cdeploy", "test", stack.file or "stack.toml", "--service", service]
    return shlex.join([*argv, *(["--env", stack.environment] if stack.environment else [])])


def _labelled(label: str, text: str) -> list[str]:
    first, *rest = text.splitlines() or [""]
    return [f"{INDENT}{label + ':':<10} {first}", *(f"{INDENT}{'':<10} {line}" for line in rest)]


def _word(outcome: Outcome) -> str:
    return "failed" if outcome is Outcome.FAIL else "could not observe"


def _count(red: list[CheckResult]) -> str:
    return "1 check" if len(red) == 1 else f"{len(red)} checks"
