"""What a shell completes: stacks, services, environments, rollouts.

Quick (the ledger's file and TOML, no engine) and silent: who presses Tab wants
no error message.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer

LATEST = 50
"""Rollouts that are offered."""


def files(incomplete: str) -> list[str]:
    """Stack files and folders."""
    head, tail = os.path.split(incomplete)
    found = []
    with contextlib.suppress(OSError):
        for path in sorted(Path(head or ".").iterdir()):
            if path.name.startswith(tail) and not path.name.startswith("."):
                name = os.path.join(head, path.name)  # noqa: PTH118  as it was typed
                if path.is_dir():
                    found.append(name + "/")
                elif path.suffix == ".toml":
                    found.append(name)
    return found


def stacks(ctx: typer.Context, incomplete: str) -> list[str]:
    """The stacks that this host remembers, then stack files."""
    names = [str(row[0]) for row in _asked(ctx, "SELECT DISTINCT stack FROM rollouts")]
    return [*sorted(n for n in names if n.startswith(incomplete)), *files(incomplete)]


def rollouts(ctx: typer.Context, incomplete: str) -> list[tuple[str, str]]:
    """The latest rollouts, with what came of them."""
    sql = (
        "SELECT id, stack || ': ' || command || ', ' || outcome FROM rollouts"
        " WHERE id LIKE ? ORDER BY started DESC LIMIT ?"
    )
    return [(str(i), str(w)) for i, w in _asked(ctx, sql, (f"{incomplete}%", LATEST))]


def stacks_or_rollouts(ctx: typer.Context, incomplete: str) -> list[str | tuple[str, str]]:
    """Both, for `cdeploy history`."""
    return [*stacks(ctx, incomplete), *rollouts(ctx, incomplete)]


def environments(ctx: typer.Context, incomplete: str) -> list[str]:
    """The environments of the stack file."""
    return _starting(_file(ctx).get("environment"), incomplete)


def services(ctx: typer.Context, incomplete: str) -> list[str]:
    """The services of the stack file, or of the stack's last rollout."""
    from_file = _starting(_file(ctx).get("service"), incomplete)
    return from_file or [n for n in _remembered(ctx) if n.startswith(incomplete)]


def _starting(table: Any, incomplete: str) -> list[str]:
    names = table if isinstance(table, dict) else {}
    return [name for name in names if name.startswith(incomplete)]


def _given(ctx: typer.Context) -> str:
    # While an option's value is typed, the parser has set the arguments aside.
    aside = ctx.args[0] if ctx.args else ""
    return str(ctx.params.get("stack") or aside)


def _file(ctx: typer.Context) -> dict[str, Any]:
    """The stack file on the command line (or ./stack.toml) as TOML; empty when unreadable."""
    import tomllib

    path = Path(_given(ctx) or "stack.toml")
    path = path / "stack.toml" if path.is_dir() else path
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}


def _remembered(ctx: typer.Context) -> list[str]:
    import json

    sql = "SELECT description FROM rollouts WHERE stack = ? ORDER BY started DESC LIMIT 1"
    for (description,) in _asked(ctx, sql, (_given(ctx),)):
        with contextlib.suppress(ValueError, KeyError, TypeError):
            return list(json.loads(description)["releases"])
    return []


def _asked(ctx: typer.Context, sql: str, values: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Rows of this host's ledger, read only; none when there is no ledger."""
    import sqlite3

    from containerdeploy.errors import CdeployError
    from containerdeploy.stackfile import load_host

    given = ctx.find_root().params.get("host_file")
    try:
        ledger = load_host(Path(given) if given else None, os.environ).ledger
        with contextlib.closing(sqlite3.connect(f"{ledger.as_uri()}?mode=ro", uri=True)) as db:
            yield from db.execute(sql, values).fetchall()
    except (CdeployError, sqlite3.Error, OSError, ValueError):
        return
