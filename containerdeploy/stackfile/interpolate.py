"""``${NAME}`` and ``${NAME:-default}`` in string values."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from containerdeploy.stackfile.problems import nearest

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from containerdeploy.stackfile.problems import Path

    Report = Callable[[Path, str, str], None]

_PLACE = re.compile(r"\$\$|\$\{(?P<name>[A-Za-z_][A-Za-z0-9_]*)(:-(?P<default>[^}]*))?\}|\$\{")


class Unfilled(str):
    """A text with a variable that is not set: its problem is told, and no other of it."""

    __slots__ = ()


def fill(value: Any, env: Mapping[str, str], report: Report, path: Path = ()) -> Any:
    """A copy of a TOML value with its variables filled in; keys stay as they are.

    ``$$`` stands for a dollar, and so does a dollar that no brace follows. A
    default counts when the variable is unset or empty.

    Args:
        value: tables, lists and strings; anything else is given back.
        report: takes the place, the message and the hint of what can't be filled;
            the value is then `Unfilled`.
    """
    if isinstance(value, dict):
        return {key: fill(item, env, report, (*path, key)) for key, item in value.items()}
    if isinstance(value, list):
        return [fill(item, env, report, (*path, index)) for index, item in enumerate(value)]
    if not isinstance(value, str):
        return value
    if "\0" in value:
        report(path, "holds a NUL character, which no container setting can carry", "")
        return Unfilled(value)
    if "$" not in value:
        return value
    wrong: list[tuple[str, str]] = []

    def filled(found: re.Match[str]) -> str:
        if found[0] == "$$":
            return "$"
        name, default = found["name"], found["default"]
        if name is None:
            hint = "write ${NAME} or ${NAME:-default}, or $${ for the characters themselves"
            wrong.append(('"${" is not followed by a name and "}"', hint))
            return ""
        text = env.get(name, "")
        if text or (name in env and default is None):
            return text
        if default is None:
            near = nearest(name, env, quoted="")
            hint = near or f"set it, or give a default: ${{{name}:-...}}"
            wrong.append((f"the environment variable {name} is not set", hint))
        return default or ""

    text = _PLACE.sub(filled, value)
    for message, hint in wrong:
        report(path, message, hint)
    return Unfilled(value) if wrong else text
