"""The commands put together, and the way from arguments to an exit code."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.exceptions import TyperException

from containerdeploy import __version__
from containerdeploy.cli.command import Command
from containerdeploy.cli.exits import DONE, INTERRUPTED
from containerdeploy.cli.session import Session
from containerdeploy.errors import BadInput, Interrupted

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

COMMANDS = (
    "up",
    "plan",
    "validate",
    "init",
    "schema",
    "bootstrap",
    "build",
    "test",
    "status",
    "logs",
    "rollback",
    "down",
    "history",
    "prune",
    "doctor",
)
"""In the order in which the help lists them; each has a module and a function of its name."""


def _set(ctx: typer.Context, param: typer.CallbackParam, value: Any) -> Any:
    """Keep a global option, before the command or after it."""
    session = ctx.find_root().obj
    if value and isinstance(session, Session):
        if param.name == "no_color":
            session.colour = False
        else:
            setattr(session, str(param.name), value)
    return value


def _version(ctx: typer.Context, value: bool) -> None:
    if value and not ctx.resilient_parsing:
        typer.echo(f"cdeploy {__version__}")
        raise typer.Exit


def _root(
    ctx: typer.Context,
    version: Annotated[
        bool,
        typer.Option("--version", help="Print the version.", callback=_version, is_eager=True),
    ] = False,
    host_file: Annotated[
        str,
        typer.Option(
            "--host-file",
            metavar="PATH",
            help="This host's settings.  [env: CDEPLOY_HOST_FILE]",
            show_default=False,
            callback=_set,
        ),
    ] = "",
    json: Annotated[
        bool, typer.Option("--json", help="For machines: JSON on standard output.", callback=_set)
    ] = False,
    no_color: Annotated[
        bool, typer.Option("--no-color", help="No colours.  [env: NO_COLOR]", callback=_set)
    ] = False,
    quiet: Annotated[
        bool, typer.Option("--quiet", "-q", help="Only warnings and errors.", callback=_set)
    ] = False,
    verbose: Annotated[
        bool,
        typer.Option("--verbose", "-v", help="Every line, and why each step.", callback=_set),
    ] = False,
) -> None:
    """Single-function containers: tested, started beside the old, switched with nothing lost.

    \b
    Example:
      cdeploy init hello && cdeploy up --bootstrap hello
    """
    if ctx.invoked_subcommand is None:
        typer.echo(ctx.get_help())


def make_app(names: Sequence[str] = COMMANDS) -> typer.Typer:
    """The app with these commands."""
    app = typer.Typer(
        name="cdeploy",
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["--help", "-h"], "max_content_width": 100},
    )
    app.callback(invoke_without_command=True)(_root)
    for name in names:
        module = import_module(f"containerdeploy.cli.{name}")
        app.command(name, cls=Command)(getattr(module, name))
    return app


def run(args: Sequence[str], env: Mapping[str, str]) -> int:
    """Parse, run, and give the exit code."""
    session = Session(env=env)
    # A command that stands first is the only one that is loaded: it starts sooner.
    names = args[:1] if args and args[0] in COMMANDS else COMMANDS
    command = typer.main.get_command(make_app(names))
    try:
        code = command.main(list(args), prog_name="cdeploy", standalone_mode=False, obj=session)
    except TyperException as error:
        session.json = session.json or "--json" in args
        return session.fail(_usage(error))
    except typer.Abort:
        return session.fail(Interrupted("called off; nothing was changed"))
    except KeyboardInterrupt:
        return INTERRUPTED
    return code if isinstance(code, int) else DONE


def _usage(error: TyperException) -> BadInput:
    """What typer has against the arguments, as an error like all others."""
    ctx = getattr(error, "ctx", None)
    path = ctx.command_path if ctx is not None else "cdeploy"
    return BadInput(error.format_message().rstrip("."), hint=f"see `{path} --help`")
