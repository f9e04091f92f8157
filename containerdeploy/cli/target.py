"""Which stack is meant: by its file, its folder or its name."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import TYPE_CHECKING

from containerdeploy.errors import BadInput

if TYPE_CHECKING:
    from collections.abc import Mapping

    from containerdeploy.stack import Stack

DEFAULT = Path("stack.toml")


def stack_file(given: str) -> Path:
    """The stack file that was given: a file, a folder with a stack.toml, or ./stack.toml.

    Raises BadInput when there is none.
    """
    path = Path(given) if given else DEFAULT
    if path.is_dir() and (path / DEFAULT).is_file():
        return path / DEFAULT
    if path.exists():
        return path
    if not given:
        raise BadInput(
            "there is no stack.toml here",
            hint="name a stack file, or write a first one with `cdeploy init`",
        )
    hint = "`cdeploy init` writes a first one"
    if looks_like_name(given):
        hint = f"this command takes a stack file, not a name: cdeploy ... path/to/{DEFAULT}"
    raise BadInput(f"there is no stack file {given}", hint=hint)


def looks_like_name(given: str) -> bool:
    """Whether this is rather a stack's name than a path."""
    return "/" not in given and not given.endswith(".toml") and given not in (".", "..")


def stack_name(given: str, env: Mapping[str, str]) -> str:
    """The name of the stack that was given by name or file; of ./stack.toml when none was.

    Returns "" when nothing was given and there is no stack.toml here.
    """
    if not given:
        return name_in(DEFAULT, env) if DEFAULT.is_file() else ""
    if looks_like_name(given) and not Path(given).is_dir():
        return given
    return name_in(stack_file(given), env)


def needed_name(given: str, env: Mapping[str, str]) -> str:
    """Like `stack_name`; raises BadInput when no stack is meant."""
    name = stack_name(given, env)
    if not name:
        raise BadInput(
            "which stack? There is no stack.toml here",
            hint="name one; `cdeploy status` lists those on this host",
        )
    return name


def name_in(file: Path, env: Mapping[str, str]) -> str:
    """The stack's name in a stack file; the rest of the file may be wrong.

    A name with variables, or none at all, is left to the stack file's own reader,
    which raises BadInput with everything that is wrong.
    """
    try:
        name = tomllib.loads(file.read_text(encoding="utf-8"))["stack"]["name"]
    except (OSError, ValueError, KeyError, TypeError):
        name = None
    if isinstance(name, str) and "$" not in name:
        return name
    from containerdeploy.stackfile import load_stack

    return load_stack(file, env=env).name


def known_services(given: list[str], stack: Stack) -> tuple[str, ...]:
    """The services that were named, all of them when none was.

    Raises BadInput for one that the stack doesn't have, with the nearest name.
    """
    names = tuple(service.name for service in stack.services)
    for name in given:
        if name not in names:
            import difflib

            near = difflib.get_close_matches(name, names, 1)
            raise BadInput(
                f"stack {stack.name} has no service {name}",
                hint=f"did you mean {near[0]}?" if near else f"it has {', '.join(names)}",
            )
    return tuple(given) or names
