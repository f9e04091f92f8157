"""Every command of cdeploy: takes the global options too, and turns errors into exit codes."""

from __future__ import annotations

from typing import Any

import typer
from typer.core import TyperCommand

from containerdeploy.cli.session import Session
from containerdeploy.errors import CdeployError, Interrupted

EVERYWHERE = ("json", "quiet", "verbose", "no_color", "host_file")
"""The global options, by parameter name; they may stand before the command and after it."""


class Command(TyperCommand):
    """A command with the global options, and with the one place where errors end."""

    def get_params(self, ctx: Any) -> list[Any]:
        """Its own options, then the global ones."""
        own = super().get_params(ctx)
        shared = [p for p in ctx.find_root().command.params if p.name in EVERYWHERE]
        names = {param.name for param in own}
        return [*own, *(param for param in shared if param.name not in names)]

    def invoke(self, ctx: Any) -> Any:
        """Run it; raises `typer.Exit` with the exit code when it fails."""
        session = session_of(ctx)
        session.command = str(ctx.info_name)
        for name in EVERYWHERE:  # their values are the session's already
            ctx.params.pop(name, None)
        try:
            return super().invoke(ctx)
        except (typer.Exit, typer.Abort):
            raise
        except CdeployError as error:
            code = session.fail(error)
        except KeyboardInterrupt:
            code = session.fail(
                Interrupted("interrupted", hint="run the same command again when you are ready")
            )
        except Exception as error:  # noqa: BLE001  the one place where a bug is caught and told
            from containerdeploy.cli import bug

            code = bug.tell(error, session)
        raise typer.Exit(code)


def session_of(ctx: Any) -> Session:
    """The session of this run."""
    found = ctx.find_root().obj
    if not isinstance(found, Session):
        raise TypeError("cdeploy's commands run from containerdeploy.cli.main")
    return found
