"""`cdeploy down`: a stack taken off this host."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from containerdeploy.cli import options, target, times
from containerdeploy.cli.command import session_of
from containerdeploy.errors import BadInput
from containerdeploy.events import Event

if TYPE_CHECKING:
    from containerdeploy.cli.session import Session


def down(
    ctx: typer.Context,
    stack: options.StackName = "",
    everything: options.Everything = False,
    volumes: Annotated[
        bool, typer.Option("--volumes", help="Remove its volumes too, with all their data.")
    ] = False,
    edge: Annotated[
        bool, typer.Option("--edge", help="Remove the edge too, when no stack is left.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Don't ask.")] = False,
    wait: options.Wait = "",
) -> None:
    """Take a stack off the edge, drain it, and remove its containers and network.

    Volumes stay unless --volumes, images until `cdeploy prune`.

    \b
    Example:
      cdeploy down shop
    """
    session = session_of(ctx)
    patience = times.seconds(wait, "--wait")
    names = _names(session, stack, everything=everything, edge=edge)
    if volumes and names and not yes:
        _confirm(names)
    from containerdeploy import takedown

    for name in names:
        with session.reporter(name) as reporter:
            takedown.down(session.site, name, reporter, volumes=volumes, wait=patience)
    if edge or not names:
        with session.reporter() as reporter:
            if edge:
                _remove_edge(session)
            reporter(Event("done", {"result": "removed" if edge else "unchanged", "services": {}}))


def _names(session: Session, stack: str, *, everything: bool, edge: bool) -> list[str]:
    """The stacks to take down; with --edge alone none, and none may be left."""
    name = "" if everything else target.stack_name(stack, session.env)
    if not name and not everything and not edge:
        target.needed_name(stack, session.env)
    if name and not edge:
        return [name]
    there = _here(session)
    left = [one for one in there if one != name] if not everything else []
    if edge and left:
        raise BadInput(
            f"the edge still serves {', '.join(left)}",
            hint="take those down first, or all at once with `cdeploy down --all --edge`",
        )
    return there if everything else [one for one in there if one == name]


def _here(session: Session) -> list[str]:
    """The stacks of which anything is here; there may be no edge any more."""
    site = session.site
    instance = session.host.instance
    found = {container.stack for container in site.engine.containers(instance)}
    found |= {network.stack for network in site.engine.networks(instance)}
    return sorted((found | set(site.edge.table().members)) - {""})


def _confirm(names: list[str]) -> None:
    what = f"remove the volumes of {', '.join(names)} with all their data"
    if not sys.stdin.isatty():
        raise BadInput(f"nobody can be asked whether to {what}", hint="add --yes to mean it")
    typer.confirm(f"Really {what}?", abort=True, err=True)


def _remove_edge(session: Session) -> None:
    from containerdeploy.edge.pod import remove_edge

    remove_edge(session.site.engine, session.host)
