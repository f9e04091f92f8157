"""The arguments and options that several commands share."""

from __future__ import annotations

from typing import Annotated

import typer

from containerdeploy.cli import complete

StackFile = Annotated[
    str,
    typer.Argument(
        metavar="STACK",
        help="The stack file, or its folder.  [default: stack.toml]",
        show_default=False,
        autocompletion=complete.files,
    ),
]
StackName = Annotated[
    str,
    typer.Argument(
        metavar="STACK",
        help="A stack's name, or its stack file.  [default: stack.toml]",
        show_default=False,
        autocompletion=complete.stacks,
    ),
]
Environment = Annotated[
    str,
    typer.Option(
        "--env",
        "-e",
        metavar="NAME",
        help="Lay [environment.NAME] of the stack file over its services.",
        show_default=False,
        autocompletion=complete.environments,
    ),
]
Wait = Annotated[
    str,
    typer.Option(
        "--wait",
        metavar="TIME",
        help="Wait so long (30s, 5m) while another cdeploy is at work on the stack.",
        show_default=False,
    ),
]
Services = Annotated[
    list[str],
    typer.Option(
        "--service",
        "-s",
        metavar="NAME",
        help="Only this service; may be given several times.",
        show_default=False,
        autocompletion=complete.services,
    ),
]
OneService = Annotated[
    str,
    typer.Option(
        "--service",
        "-s",
        metavar="NAME",
        help="Only this service; the others stay as they are.",
        show_default=False,
        autocompletion=complete.services,
    ),
]
Everything = Annotated[
    bool,
    typer.Option("--all", "-a", help="All stacks on this host, also beside a stack.toml."),
]
Again = Annotated[bool, typer.Option("--again", help="Also what is known already.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Only say what would be done.")]
