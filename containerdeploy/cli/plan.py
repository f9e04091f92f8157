"""`cdeploy plan`: what `up` would do, and why."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from containerdeploy.cli import options, target
from containerdeploy.cli.command import session_of

if TYPE_CHECKING:
    from containerdeploy.cli.session import Session


def plan(ctx: typer.Context, stack: options.StackFile = "", env: options.Environment = "") -> None:
    """Say what `up` would do now, step by step, and why.

    Images that are not here are built, since the plan depends on them; nothing is
    started and nothing is switched.

    \b
    Example:
      cdeploy plan shop/stack.toml --env production
    """
    show_plan(session_of(ctx), stack, env)


def show_plan(session: Session, stack: str, env: str) -> None:
    """Make the plan of a stack file, and print it."""
    loaded = session.load(target.stack_file(stack), env)
    services = tuple(service.name for service in loaded.services)
    from containerdeploy import deploy
    from containerdeploy.report.plan import plan_json, plan_lines

    with session.watcher(loaded.name, services) as watcher:
        made = deploy.plan(session.site, loaded, session.env, watcher)
    if session.json:
        session.show_json(plan_json(made))
        return
    out, _ = session.outputs()
    session.show(plan_lines(made, out))
