"""`cdeploy history`: what was done."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated

import typer

from containerdeploy.cli import complete, options, target
from containerdeploy.cli.command import session_of
from containerdeploy.errors import BadInput

if TYPE_CHECKING:
    from containerdeploy.cli.session import Session

ROLLOUT = re.compile(r"\d{8}-\d{6}-[0-9a-f]+")


def history(
    ctx: typer.Context,
    what: Annotated[
        str,
        typer.Argument(
            metavar="STACK|ROLLOUT",
            help="A stack (name or file), or a rollout's id to see its steps.",
            show_default=False,
            autocompletion=complete.stacks_or_rollouts,
        ),
    ] = "",
    limit: Annotated[
        int, typer.Option("--limit", "-n", metavar="N", min=1, help="At most so many rollouts.")
    ] = 20,
    everything: options.Everything = False,
) -> None:
    """List the rollouts of a stack or this host, or show one with its steps.

    \b
    Example:
      cdeploy history shop
      cdeploy history 20260131-140509-3f2a
    """
    session = session_of(ctx)
    if ROLLOUT.fullmatch(what):
        _one(session, what)
        return
    name = "" if everything else target.stack_name(what, session.env)
    from containerdeploy.report.history import history_lines, rollout_json

    # Asking for what was done makes no ledger where nothing was done.
    there = session.host.ledger.exists()
    found = session.site.ledger.rollouts(name, limit) if there else ()
    if session.json:
        session.show_json({"rollouts": [rollout_json(one) for one in found]})
        return
    out, _ = session.outputs()
    if name and not found:
        session.show([f"no rollout of {name} is known on this host"])
    else:
        session.show(history_lines(found, out))


def _one(session: Session, id_: str) -> None:
    from containerdeploy.report.history import rollout_json, rollout_lines

    known = session.site.ledger.rollout(id_) if session.host.ledger.exists() else None
    if known is None:
        raise BadInput(
            f"there was no rollout {id_} on this host", hint="`cdeploy history` lists them"
        )
    steps = session.site.ledger.steps(id_)
    if session.json:
        session.show_json(rollout_json(known, steps))
        return
    out, _ = session.outputs()
    session.show(rollout_lines(known, steps, out))
