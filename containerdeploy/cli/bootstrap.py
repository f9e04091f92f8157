"""`cdeploy bootstrap`: this host made ready."""

from __future__ import annotations

import time
from typing import Annotated

import typer

from containerdeploy.cli.command import session_of
from containerdeploy.cli.doctor import show_host
from containerdeploy.events import Event


def bootstrap(
    ctx: typer.Context,
    check: Annotated[
        bool, typer.Option("--check", help="Only look: change nothing, exit 4 when not ready.")
    ] = False,
    production: Annotated[
        bool,
        typer.Option("--production", help="Serve all addresses at port 80; kept in host.toml."),
    ] = False,
    only: Annotated[
        str,
        typer.Option(
            "--only",
            metavar="PIECES",
            help="Only these, with commas: engine, builder, base-image, edge-image, edge ...",
            show_default=False,
        ),
    ] = "",
) -> None:
    """Make this host ready for rollouts: engine, base image, network, edge.

    Says what it does and why. What is there already is left as it is, so it can be
    run at any time.

    \b
    Example:
      sudo cdeploy bootstrap --production
    """
    session = session_of(ctx)
    from containerdeploy import bootstrap as pieces

    chosen = tuple(name.strip() for name in only.split(",") if name.strip())
    if check:
        with session.watcher() as watcher:
            found = pieces.bootstrap(
                session.host, watcher, check=True, production=production, only=chosen
            )
        show_host(session, found)
        return
    begun = time.monotonic()
    with session.reporter() as reporter:
        report = pieces.bootstrap(session.host, reporter, production=production, only=chosen)
        reporter(
            Event(
                "done",
                {
                    "result": "ready" if report.changed else "unchanged",
                    "seconds": round(time.monotonic() - begun, 3),
                    "items": report.to_json()["items"],
                },
            )
        )
