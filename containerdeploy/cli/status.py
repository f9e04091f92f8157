"""`cdeploy status`: what runs."""

from __future__ import annotations

import time

import typer

from containerdeploy.cli import options, target
from containerdeploy.cli.command import session_of
from containerdeploy.errors import BadInput


def status(
    ctx: typer.Context, stack: options.StackName = "", everything: options.Everything = False
) -> None:
    """Show what runs: services, replicas, releases, routes, and what they get.

    \b
    Example:
      cdeploy status shop
    """
    session = session_of(ctx)
    name = "" if everything else target.stack_name(stack, session.env)
    from containerdeploy import status as use_case
    from containerdeploy.report.status import status_json, status_lines

    found = use_case.status(session.site, name)
    if stack and not found:
        raise BadInput(
            f"nothing of a stack {name} is on this host",
            hint="`cdeploy status --all` lists the stacks that are",
        )
    if session.json:
        session.show_json(status_json(found))
        return
    out, _ = session.outputs()
    if name and not found:
        session.show([f"{name} is not deployed on this host; `cdeploy up` deploys it"])
    else:
        session.show(status_lines(found, time.time(), out))
