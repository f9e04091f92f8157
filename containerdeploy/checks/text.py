"""What a text should be: equal to, containing, or matching something.

No `from __future__ import annotations` here and in the kinds: their annotations
are read at run time (validation, schema, docs).
"""

import difflib
import re
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

SHOWN = 300
"""How many characters of an unexpected text a verdict shows."""

DIFF_LINES = 20


@dataclass(frozen=True, kw_only=True)
class Text:
    """An expectation on a text; every part that is given must hold."""

    __pydantic_config__: ClassVar[dict[str, Any]] = {"extra": "forbid"}

    equals: Annotated[str | None, "the whole text; a line end at the very end is disregarded"] = (
        None
    )
    contains: Annotated[str | tuple[str, ...] | None, "a text, or a list of texts, found in it"] = (
        None
    )
    matches: Annotated[
        str | tuple[str, ...] | None,
        "a regular expression (Python's, ^ and $ at every line), or a list of them, found in it",
    ] = None

    def problems(self, key: str) -> list[tuple[str, str]]:
        """What is wrong with it: (key, message), the keys below `key`."""
        if self.equals is None and not several(self.contains) and not several(self.matches):
            return [(key, "asserts nothing: say equals, contains or matches")]
        return pattern_problems(f"{key}.matches", self.matches)

    def words(self) -> str:
        """The expectation in words, such as ``contains 'ready'``."""
        parts = [] if self.equals is None else [f"equals {self.equals!r}"]
        parts += [f"contains {part!r}" for part in several(self.contains)]
        parts += [f"matches {part!r}" for part in several(self.matches)]
        return " and ".join(parts)

    def mismatch(self, text: str) -> str:
        """Why `text` is not as expected, or "" when it is."""
        if self.equals is not None and _chomp(text) != _chomp(self.equals):
            return differs(self.equals, text)
        for part in several(self.contains):
            if part not in text:
                return f"no {part!r} in {shown(text)}"
        for pattern in several(self.matches):
            if not re.search(pattern, text, re.MULTILINE):
                return f"nothing matches {pattern!r} in {shown(text)}"
        return ""


def revived(expected: Any) -> Any:
    """An expectation that was kept as plain tables (the ledger keeps JSON) as it was written."""
    return Text(**expected) if isinstance(expected, dict) else expected


def as_text(expected: str | Text) -> Text:
    """A plain string in the stack file means equality."""
    return Text(equals=expected) if isinstance(expected, str) else expected


def expectation_problems(key: str, expected: str | Text | None) -> list[tuple[str, str]]:
    """What is wrong with an optional expectation at `key`."""
    return expected.problems(key) if isinstance(expected, Text) else []


def several(value: str | tuple[str, ...] | None) -> tuple[str, ...]:
    """One, many or none, as a tuple."""
    if value is None:
        return ()
    return (value,) if isinstance(value, str) else tuple(value)


def pattern_problems(key: str, value: str | tuple[str, ...] | None) -> list[tuple[str, str]]:
    """The regular expressions at `key` that don't compile."""
    found = []
    for pattern in several(value):
        try:
            re.compile(pattern)
        except re.error as error:
            found.append((key, f"{pattern!r} is no regular expression: {error}"))
    return found


def shown(text: str, limit: int = SHOWN) -> str:
    """A text as a verdict shows it: quoted, its beginning only when it is long."""
    if not text:
        return "an empty text"
    if len(text) <= limit:
        return repr(text)
    return f"{text[:limit]!r}... ({len(text)} characters)"


def differs(expected: str, found: str) -> str:
    """How two texts differ: the text itself when it is one line, else a short diff."""
    if "\n" not in _chomp(expected) and "\n" not in _chomp(found):
        return shown(found)
    lines = list(
        difflib.unified_diff(
            expected.splitlines(), found.splitlines(), "expected", "found", lineterm="", n=1
        )
    )
    more = [f"... {len(lines) - DIFF_LINES} more lines"] if len(lines) > DIFF_LINES else []
    return "\n".join(["a different text:", *lines[:DIFF_LINES], *more])


def _chomp(text: str) -> str:
    return text.removesuffix("\n").removesuffix("\r")
