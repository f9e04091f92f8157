"""What is wrong with a file: collected, then raised at once."""

from __future__ import annotations

import difflib
import json
import re
from datetime import date, time
from typing import TYPE_CHECKING, Any

from containerdeploy.errors import BadInput, Problem

if TYPE_CHECKING:
    from collections.abc import Iterable

    from containerdeploy.stackfile.lines import Lines

Path = tuple[str | int, ...]
"""A place in a TOML document: table keys, and indices of lists (from 0)."""

_BARE = re.compile(r"[A-Za-z0-9_-]+")
_SHOWN = 40
_NOTHING = object()


class Wrong(ValueError):
    """A value is not what it should be.

    Args:
        message: what it should be, in words that follow the key: ``should be ...``.
            It never holds the value itself, which may have come from a secret variable.
        hint: the cure, where there is a better one than the message.
        at: where inside the value.
        more: further things that are wrong with the same value.
    """

    def __init__(
        self, message: str, *, hint: str = "", at: Path = (), more: tuple[Wrong, ...] = ()
    ) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.at = at
        self.more = more

    @classmethod
    def all_of(cls, wrongs: Iterable[Wrong]) -> Wrong:
        """One error that stands for several."""
        first, *rest = wrongs
        return cls(first.message, hint=first.hint, at=first.at, more=tuple(rest))

    def below(self, key: str | int) -> Wrong:
        """The same, seen from the value around it."""
        return Wrong(
            self.message,
            hint=self.hint,
            at=(key, *self.at),
            more=tuple(wrong.below(key) for wrong in self.more),
        )

    def flat(self) -> tuple[Wrong, ...]:
        """This one and all that it stands for."""
        return (self, *(part for wrong in self.more for part in wrong.flat()))


def dotted(path: Path) -> str:
    """A path as the user would write it: ``service.web.test.http[0].path``."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        else:
            word = part if _BARE.fullmatch(part) else json.dumps(part, ensure_ascii=False)
            text += f".{word}" if text else word
    return text


def shown(value: Any) -> str:
    """A TOML value in a few characters, for "not ..." in a message."""
    if isinstance(value, str):
        text = value if len(value) <= _SHOWN else value[: _SHOWN - 3] + "..."
        return json.dumps(text, ensure_ascii=False)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict):
        return "a table"
    if isinstance(value, list):
        return "a list"
    if isinstance(value, date | time):
        return "a date or time"
    return str(value) if len(str(value)) <= _SHOWN else "a number that long"


def near(word: str, known: Iterable[str]) -> str:
    """The nearest of the known words; "" when none is near."""
    found = difflib.get_close_matches(word, list(known), n=1, cutoff=0.6)
    return found[0] if found else ""


def nearest(word: str, known: Iterable[str], *, quoted: str = '"') -> str:
    """``did you mean "x"?`` for the nearest of the known words; empty when none is near."""
    found = near(word, known)
    return f"did you mean {quoted}{found}{quoted}?" if found else ""


class Problems:
    """The problems of one file, in the order of its lines.

    Args:
        file: the file as the user named it.
        lines: where its keys stand.
    """

    def __init__(self, file: str, lines: Lines) -> None:
        self.file = file
        self._lines = lines
        self._moved: dict[Path, Path] = {}
        self._found: dict[Problem, None] = {}
        self._silent: set[Path] = set()

    def silence(self, path: Path) -> None:
        """Say nothing more of this value: what is wrong with it is told."""
        self._silent.add(path)

    def silent(self, path: Path) -> bool:
        """Whether the problem of this value, or of one inside it, is told already."""
        return any(told[: len(path)] == path for told in self._silent)

    def moved(self, moved: dict[Path, Path]) -> None:
        """Values of an overlay: their place in the merged document -> where they are written."""
        self._moved = moved

    def written(self, path: Path) -> Path:
        """Where a value of the merged document is written in the file."""
        for length in range(len(path), 0, -1):
            if path[:length] in self._moved:
                return self._moved[path[:length]] + path[length:]
        return path

    def line(self, path: Path) -> int:
        """The line of a value, from 1."""
        return self._lines.of(self.written(path))

    def add(self, path: Path, message: str, hint: str = "") -> None:
        """Something is wrong at this key."""
        if self._silent and any(path[:length] in self._silent for length in range(len(path) + 1)):
            return
        written = self.written(path)
        while written and isinstance(written[-1], int) and not self._lines.knows(written):
            written = written[:-1]  # a single value that stands for a list of one
        line = self._lines.of(written)
        self._found[Problem(self.file, line, dotted(written), message, hint)] = None

    def add_foreign(self, problem: Problem) -> None:
        """Something is wrong in another file that this one names."""
        self._found[problem] = None

    def add_all(self, place: Path, wrongs: Iterable[Wrong], written: Any) -> None:
        """Tell what is wrong with a value.

        Args:
            written: the value before its variables were filled in: only this is shown.
        """
        for wrong in (part for each in wrongs for part in each.flat()):
            message = wrong.message
            if message.startswith("should "):
                value = _at(written, wrong.at)
                message = message if value is _NOTHING else f"{message}, not {shown(value)}"
            self.add((*place, *wrong.at), message, wrong.hint)

    def __bool__(self) -> bool:
        return bool(self._found)

    def check(self) -> None:
        """Raise BadInput with every problem, when there are any."""
        if self._found:
            raise bad_input(self.file, self._found)


def _at(value: Any, path: Path) -> Any:
    for part in path:
        try:
            value = value[part]
        except (KeyError, IndexError, TypeError):
            return _NOTHING
    return value


def bad_input(file: str, found: Iterable[Problem]) -> BadInput:
    """The error that names these problems, by line."""
    problems = tuple(sorted(found, key=lambda p: (p.file != file, p.file, p.line)))
    count = "1 problem" if len(problems) == 1 else f"{len(problems)} problems"
    return BadInput(f"{file} can't be used: {count}", problems=problems)


def unusable(file: str, message: str, *, line: int = 0, hint: str = "") -> BadInput:
    """The error for a file that is wrong as a whole."""
    return bad_input(file, [Problem(file, line, "", message, hint)])
