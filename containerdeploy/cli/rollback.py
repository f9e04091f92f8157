"""`cdeploy rollback`: back in one step."""

from __future__ import annotations

from typing import Annotated

import typer

from containerdeploy.cli import complete, options, target, times
from containerdeploy.cli.command import session_of


def rollback(
    ctx: typer.Context,
    stack: options.StackName = "",
    to: Annotated[
        str,
        typer.Option(
            "--to",
            metavar="ID",
            help="A rollout's or a release's id.  [default: the one before]",
            show_default=False,
            autocompletion=complete.rollouts,
        ),
    ] = "",
    service: options.OneService = "",
    wait: options.Wait = "",
) -> None:
    """Bring back image, configuration and environment of an earlier rollout.

    A rollout like any other: started beside, probed, switched, nothing lost.

    \b
    Example:
      cdeploy rollback shop
    """
    session = session_of(ctx)
    name = target.needed_name(stack, session.env)
    patience = times.seconds(wait, "--wait")
    from containerdeploy import rollback as use_case

    with session.reporter(name) as reporter:
        use_case.rollback(session.site, name, reporter, to=to, service=service, wait=patience)
