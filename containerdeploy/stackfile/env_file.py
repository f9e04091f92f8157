"""``env_file``: variables in dotenv syntax.

Values are taken as they stand: ``${NAME}`` is not filled in there, and no
message shows a value.
"""

from __future__ import annotations

import io
import re
from pathlib import Path as FilePath
from typing import TYPE_CHECKING

from containerdeploy.errors import BadInput, Problem
from containerdeploy.stackfile.toml import decode, read_bytes

if TYPE_CHECKING:
    from containerdeploy.stackfile.problems import Path, Problems

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def read_env_file(absolute: str, named: str, place: Path, problems: Problems) -> dict[str, str]:
    """The variables of a file, in its order; a later line wins.

    Args:
        absolute: its path.
        named: its path as the stack file names it.
        place: where the stack file names it.
        problems: takes what is wrong, with the line of the file itself.
    """
    from dotenv.parser import parse_stream

    try:
        text = decode(named, read_bytes(FilePath(absolute)))
    except BadInput as error:
        for problem in error.problems:
            problems.add(place, problem.message, problem.hint)
        return {}
    found: dict[str, str] = {}
    for binding in parse_stream(io.StringIO(text)):
        # Blank lines before it belong to the same match.
        blank = binding.original.string[: -len(binding.original.string.lstrip()) or None]
        line = binding.original.line + blank.count("\n")
        if binding.error:
            message, hint = "should be NAME=value", "quote a value that has quotes or line breaks"
            problems.add_foreign(Problem(named, line, "", message, hint))
        elif binding.key is not None:
            if not _NAME.fullmatch(binding.key):
                message = "should be a variable's name, such as LOG_LEVEL"
                problems.add_foreign(Problem(named, line, binding.key, message))
            elif binding.value is None:
                message = "has no value; write NAME= for an empty one"
                problems.add_foreign(Problem(named, line, binding.key, message))
            elif "\0" in binding.value:
                message = "holds a NUL character"
                problems.add_foreign(Problem(named, line, binding.key, message))
            else:
                found[binding.key] = binding.value
    return found
