"""A TOML file, read: its values, and where they stand."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from containerdeploy.stackfile.problems import unusable

if TYPE_CHECKING:
    from pathlib import Path as FilePath

    from containerdeploy.errors import BadInput
    from containerdeploy.stackfile.lines import Lines

MAX_BYTES = 1_000_000
MAX_DEPTH = 32
_AT = re.compile(r" \(at (?:line (\d+), column \d+|end of document)\)$")
_TUPLE = re.compile(r"\((('[^']*'(, )?|\"[^\"]*\"(, )?),?)+\)")


@dataclass(frozen=True, slots=True)
class Document:
    """A TOML document.

    Attributes:
        file: the file as the user named it.
        data: its values, as tomllib gives them.
        lines: where its keys stand.
    """

    file: str
    data: dict[str, Any]
    lines: Lines


def read_toml(path: FilePath, *, missing_hint: str = "") -> Document:
    """Read a TOML file.

    Raises:
        BadInput: it can't be read, is over 1 MB, is not UTF-8, or is not TOML; with
            the line where there is one.
    """
    return parse_toml(str(path), read_bytes(path, missing_hint=missing_hint))


def read_bytes(path: FilePath, *, missing_hint: str = "") -> bytes:
    """The content of a file that a user named, at most 1 MB; raises BadInput."""
    file = str(path)
    try:
        if path.is_dir():
            inside = path / "stack.toml"
            hint = f"name the file: {inside}" if inside.is_file() else "name a file"
            raise unusable(file, "is a folder, not a file", hint=hint)
        if not path.is_file():
            if path.exists():
                raise unusable(file, "is not a regular file")
            raise unusable(file, "there is no such file", hint=missing_hint)
        with path.open("rb") as opened:
            source = opened.read(MAX_BYTES + 1)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise unusable(file, f"can't be read: {reason.lower()}") from error
    if len(source) > MAX_BYTES:
        raise unusable(file, "is larger than 1 MB", hint="is it the right file?")
    return source


def decode(file: str, source: bytes) -> str:
    """UTF-8 text; raises BadInput with the line that is not."""
    try:
        return source.decode("utf-8")
    except UnicodeDecodeError as error:
        line = source.count(b"\n", 0, error.start) + 1
        raise unusable(file, "is not UTF-8 text", line=line, hint="save it as UTF-8") from error


def parse_toml(file: str, source: bytes) -> Document:
    """Parse TOML; raises BadInput with the line and what is wrong there."""
    from containerdeploy.stackfile.lines import Lines

    text = decode(file, source)
    lines = source.count(b"\n") + 1
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise _not_toml(file, str(error), lines) from error
    except ValueError as error:  # a whole number of thousands of digits
        raise unusable(file, f"not valid TOML: {error}", line=1) from error
    except RecursionError as error:
        raise unusable(file, "is nested too deeply", line=1) from error
    if _depth(data) > MAX_DEPTH:
        raise unusable(file, f"is nested more than {MAX_DEPTH} levels deep", line=1)
    return Document(file=file, data=data, lines=Lines(source))


def _not_toml(file: str, message: str, lines: int) -> BadInput:
    place = _AT.search(message)
    line = int(place[1]) if place and place[1] else lines
    what = _AT.sub("", message)
    what = _TUPLE.sub(lambda found: ".".join(re.findall(r"['\"]([^'\"]*)['\"]", found[0])), what)
    hint = "strings need quotes" if what.startswith("Invalid value") else ""
    return unusable(file, f"not valid TOML: {what}", line=min(line, lines), hint=hint)


def _depth(data: dict[str, Any]) -> int:
    """How deep tables and lists are nested; without recursion, for any depth."""
    depth, level = 0, [data]
    while level:
        depth += 1
        below: list[Any] = []
        for value in level:
            items = value.values() if isinstance(value, dict) else value
            below.extend(item for item in items if isinstance(item, dict | list))
        level = below
    return depth
