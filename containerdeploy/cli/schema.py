"""`cdeploy schema`: what an editor completes stack files from."""

from __future__ import annotations

import json

import typer

from containerdeploy.cli.command import session_of


def schema(ctx: typer.Context) -> None:
    """Print the JSON Schema of stack files.

    Editors complete and check stack.toml with it (Even Better TOML, taplo, tombi).

    \b
    Example:
      cdeploy schema > stack.schema.json
    """
    from containerdeploy.stackfile import stack_schema

    session = session_of(ctx)
    session.show(json.dumps(stack_schema(), indent=2, ensure_ascii=False).splitlines())
