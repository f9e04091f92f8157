"""`cdeploy doctor`: what is wrong with this host, and how to mend it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from containerdeploy.cli.command import session_of
from containerdeploy.cli.exits import NOT_READY

if TYPE_CHECKING:
    from containerdeploy.bootstrap import Report
    from containerdeploy.cli.session import Session


def doctor(ctx: typer.Context) -> None:
    """Say what is wrong with this host and how to mend it; exits with 4 when something is.

    Changes nothing. `cdeploy bootstrap` mends what can be mended.

    \b
    Example:
      cdeploy doctor
    """
    session = session_of(ctx)
    from containerdeploy import bootstrap

    show_host(session, bootstrap.diagnose(session.host))


def show_host(session: Session, report: Report) -> None:
    """Print the report; exits with 4 when the host is not ready."""
    from containerdeploy.report.host import host_lines

    if session.json:
        session.show_json(report.to_json())
    else:
        out, _ = session.outputs()
        session.show(host_lines(report, out))
    if not report.ready:
        raise typer.Exit(NOT_READY)
