"""`cdeploy validate`: whether a stack file is right."""

from __future__ import annotations

import typer

from containerdeploy.cli import options, target
from containerdeploy.cli.command import session_of


def validate(
    ctx: typer.Context, stack: options.StackFile = "", env: options.Environment = ""
) -> None:
    """Read a stack file and say everything that is wrong with it, by file and line.

    Needs no engine and no network.

    \b
    Example:
      cdeploy validate shop/stack.toml --env production
    """
    session = session_of(ctx)
    file = target.stack_file(stack)
    loaded = session.load(file, env)
    from containerdeploy.report.stack import stack_json, stack_line

    if session.json:
        session.show_json(stack_json(loaded))
    else:
        session.show([f"{file} is right: {stack_line(loaded)}"])
