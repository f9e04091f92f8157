"""`cdeploy logs`: what the containers of a stack say."""

from __future__ import annotations

import time
from typing import Annotated

import typer

from containerdeploy.cli import options, target, times
from containerdeploy.cli.command import session_of


def logs(
    ctx: typer.Context,
    stack: options.StackName = "",
    service: options.Services = [],  # noqa: B006  typer copies it
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Go on with new lines until Ctrl-C.")
    ] = False,
    release: Annotated[
        str,
        typer.Option(
            "--release",
            metavar="ID",
            help="Only of releases whose id begins so, stopped ones too.",
            show_default=False,
        ),
    ] = "",
    tail: Annotated[
        int | None,
        typer.Option(
            "--tail", "-n", metavar="N", min=0, help="The last N lines of each container."
        ),
    ] = None,
    since: Annotated[
        str,
        typer.Option(
            "--since",
            metavar="TIME",
            help="Only what is newer: 10m (ago) or 2026-01-31T14:05.",
            show_default=False,
        ),
    ] = "",
) -> None:
    """Show the output of all services of a stack, interleaved by time.

    \b
    Example:
      cdeploy logs shop -f --service web --tail 20
    """
    session = session_of(ctx)
    name = target.needed_name(stack, session.env)
    after = times.moment(since, "--since", time.time())
    from containerdeploy import logs as use_case
    from containerdeploy.report.lines import LineWriter

    out, _ = session.outputs()
    writer = LineWriter(out, json=session.json)
    for line in use_case.lines(
        session.site,
        name,
        services=tuple(service),
        release=release,
        tail=tail,
        since=after,
        follow=follow,
    ):
        writer.write(line)
        if out.gone:
            return
