"""`cdeploy init`: a first stack of one's own."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Annotated

import typer

from containerdeploy.cli.command import session_of
from containerdeploy.cli.complete import files


def init(
    ctx: typer.Context,
    folder: Annotated[
        str,
        typer.Argument(
            metavar="FOLDER",
            help="Where to write it.  [default: here]",
            show_default=False,
            autocompletion=files,
        ),
    ] = "",
    name: Annotated[
        str,
        typer.Option(
            "--name",
            metavar="NAME",
            help="The stack's name; else the folder's.",
            show_default=False,
        ),
    ] = "",
) -> None:
    """Write a small commented stack that deploys as it is.

    Nothing is written over.

    \b
    Example:
      cdeploy init hello && cdeploy up hello
    """
    session = session_of(ctx)
    place = Path(folder or ".")
    from containerdeploy.stackfile import write_example

    written = write_example(place, name or name_of(place))
    if session.json:
        session.show_json({"files": [str(path) for path in written]})
        return
    again = shlex.join(["cdeploy", "up", *([folder] if folder else [])])
    session.show([*(f"wrote {path}" for path in written), "", f"try next: {again}"])


def name_of(folder: Path) -> str:
    """A stack's name out of a folder's: small letters, digits and hyphens, a letter first."""
    plain = re.sub(r"[^a-z0-9]+", "-", folder.resolve().name.lower()).strip("-")
    return re.sub(r"^[^a-z]+", "", plain)[:40].strip("-") or "app"
