"""Columns of text that fit the terminal."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from containerdeploy.report.words import shortened

if TYPE_CHECKING:
    from collections.abc import Sequence

GAP = "  "
_STYLE = re.compile(r"\x1b\[[0-9;]*m")


def columns(
    rows: Sequence[Sequence[str]], *, head: Sequence[str] = (), width: int = 0
) -> list[str]:
    """Rows as aligned lines; empty columns are left out.

    Args:
        head: the names of the columns.
        width: the terminal's columns; the last column is shortened to it, 0 doesn't.
    """
    if not rows:
        return []
    used = [i for i in range(len(rows[0])) if any(row[i] for row in rows)]
    table = [[row[i] for i in used] for row in ([head, *rows] if head else rows)]
    wide = [max(_visible(row[i]) for row in table) for i in range(len(used))]
    return [_line(row, wide, width) for row in table]


def _line(row: list[str], wide: list[int], width: int) -> str:
    cells = [cell + " " * (wide[i] - _visible(cell)) for i, cell in enumerate(row[:-1])]
    begin = GAP.join([*cells, ""])
    last = row[-1]
    room = width - _visible(begin)
    if width and room > 0 and _visible(last) > room:
        last = shortened(_STYLE.sub("", last), room)
    return (begin + last).rstrip()


def _visible(text: str) -> int:
    return len(_STYLE.sub("", text))
