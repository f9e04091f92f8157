"""`cdeploy prune`: what is kept, removed for good."""

from __future__ import annotations

from typing import Annotated

import typer

from containerdeploy.cli import options, target
from containerdeploy.cli.command import session_of
from containerdeploy.report.words import counted


def prune(
    ctx: typer.Context,
    stack: options.StackName = "",
    everything: options.Everything = False,
    keep: Annotated[
        int | None,
        typer.Option(
            "--keep",
            metavar="N",
            min=0,
            help="Stopped releases of each service that stay.  [default: none]",
            show_default=False,
        ),
    ] = None,
    dry_run: options.DryRun = False,
) -> None:
    """Remove stopped releases and images that nothing uses, for good.

    What runs is never touched; a release that is pruned can't be gone back to.

    \b
    Example:
      cdeploy prune shop --keep 1 --dry-run
    """
    session = session_of(ctx)
    name = "" if everything else target.stack_name(stack, session.env)
    from containerdeploy import prune as use_case

    with session.watcher(name) as watcher:
        removed = use_case.prune(session.site, name, watcher, keep=keep, dry_run=dry_run)
    if session.json:
        session.show_json({"removed": list(removed), "dry_run": dry_run})
        return
    did = "would be removed" if dry_run else "removed"
    session.show([*(f"{did}: {one}" for one in removed), f"{counted(len(removed), 'thing')} {did}"])
