"""``[service.X.test.KIND]``: from tables to checks.

Nothing here knows a kind: its dataclass says which keys it has and of what type,
and its `problems()` what can't be.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from containerdeploy.check import Check
from containerdeploy.stackfile import hints, values
from containerdeploy.stackfile.problems import Wrong, shown
from containerdeploy.stackfile.table import unknown

if TYPE_CHECKING:
    from collections.abc import Mapping

    from containerdeploy.stackfile.problems import Path, Problems

_PLACE = ("file", "line")
_PART = re.compile(r"[^.\[\]]+")


def check_hints(kind: type[Check]) -> dict[str, Any]:
    """The keys of a kind with their types: its own first, then those that all kinds have."""
    found = {name: hint for name, hint in hints.fields_of(kind).items() if name not in _PLACE}
    common = hints.fields_of(Check)
    return dict(sorted(found.items(), key=lambda item: item[0] in common))


def parse_checks(
    test: dict[str, Any],
    written: dict[str, Any],
    place: Path,
    kinds: Mapping[str, type[Check]],
    problems: Problems,
    *,
    partial: bool = False,
) -> tuple[Check, ...]:
    """The checks of a service, in the order of the file.

    Args:
        test: the table ``service.X.test``; a kind is a table or a list of tables.
        written: the same before its variables were filled in: only this is shown.
        place: where `test` stands in the document.
        partial: `test` is laid over another: nothing is missing in it.
    """
    found: list[Check] = []
    for name, entries in test.items():
        if name not in kinds:
            problems.add_all(place, [unknown(name, list(kinds), "kind of check")], written)
            continue
        one = isinstance(entries, dict)
        if not one and not isinstance(entries, list):
            message = f"should be a table or an array of tables, not {shown(written[name])}"
            problems.add((*place, name), message)
            continue
        for index, entry in enumerate([entries] if one else entries):
            at: Path = (*place, name) if one else (*place, name, index)
            seen = written[name] if one else written[name][index]
            if not isinstance(entry, dict):
                problems.add(at, f"should be a table, not {shown(seen)}")
                continue
            check, wrongs = _check(kinds[name], entry, problems.file, problems.line(at), partial)
            problems.add_all(at, wrongs, seen)
            if check is not None:
                found.append(check)
    return tuple(sorted(found, key=lambda check: check.line))


def _check(
    kind: type[Check], entry: dict[str, Any], file: str, line: int, partial: bool
) -> tuple[Check | None, list[Wrong]]:
    """One check, or what is wrong with it."""
    keys = check_hints(kind)
    found: dict[str, Any] = {}
    wrongs: list[Wrong] = []
    for key, value in entry.items():
        if key not in keys:
            wrongs.append(unknown(key, list(keys)))
            continue
        try:
            timeout = key == "timeout"
            found[key] = values.some_seconds(value) if timeout else hints.read(keys[key], value)
        except Wrong as wrong:
            wrongs.append(wrong.below(key))
    missing = [key for key in hints.required(kind) if key not in found]
    if not partial:
        wrongs += [Wrong("is missing", at=(key,)) for key in missing if key not in entry]
    if missing:
        return None, wrongs
    check = kind(**found, file=file, line=line)
    if not partial and not wrongs:
        for key, message in check.problems():
            wrongs.append(Wrong(message, at=tuple(_PART.findall(key))))
    return (None if wrongs else check), wrongs
