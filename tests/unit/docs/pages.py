"""The pages of this project, and the blocks in them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[3]
PAGES = (ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").rglob("*.md")))

_FENCE = re.compile(r"^(?P<mark>```+)(?P<kind>[\w-]*)[^\n]*\n(?P<text>.*?)^(?P=mark)$", re.M | re.S)


@dataclass(frozen=True)
class Block:
    """A fenced block: what it holds, its kind, and the line after its fence."""

    page: Path
    line: int
    kind: str
    text: str

    def __str__(self) -> str:
        return f"{self.page.relative_to(ROOT)}:{self.line}"


@dataclass(frozen=True)
class Command:
    """A command in a console block, and the output that stands below it."""

    line: int
    words: str
    shown: tuple[str, ...]


def blocks(page: Path, kind: str) -> list[Block]:
    """The blocks of a kind, in their order."""
    text = page.read_text(encoding="utf-8")
    return [
        Block(page, text.count("\n", 0, found.start("text")) + 1, kind, found["text"])
        for found in _FENCE.finditer(text)
        if found["kind"] == kind
    ]


def prose(page: Path) -> str:
    """A page without its fenced blocks."""
    return _FENCE.sub("", page.read_text(encoding="utf-8"))


def commands(block: Block) -> list[Command]:
    """The commands of a console block: each line that begins with `$ ` is one."""
    found: list[Command] = []
    for number, line in enumerate(block.text.splitlines(), block.line):
        if line.startswith("$ "):
            found.append(Command(number, line.removeprefix("$ "), ()))
        else:
            assert found, f"{block}: output without a command"
            last = found.pop()
            found.append(Command(last.line, last.words, (*last.shown, line)))
    return found


ANY = "..."
"""A line of shown output that stands for any lines, or none."""

# What differs from run to run, by how it looks; the first that fits.
_VARYING = (
    (r"\d{8}-\d{6}-[0-9a-f]{4}", r"\d{8}-\d{6}-[0-9a-f]{4}"),  # a rollout's id
    (r"\b[0-9a-f]{12}\b", "[0-9a-f]{12}"),  # a release's id
    (r"\d+(?:\.\d+)? (?:ms|s|min|h)\b", r"\d+(?:\.\d+)? (?:ms|s|min|h)"),
    (r"\b(?:blue|green)\b", "(?:blue|green)"),
    (r"^ +\d+ ", r" *\d+ "),  # a count of `uniq -c`
    (r"(?<=  )\d+(?=  )", r"\d+"),  # a number in a column
    (r"^ +(?=\d)", " *"),  # a number at the right of its column
    (r"^ +", None),
    (r"  +", "  +"),  # columns are as wide as what is in them
    (r"…", ".*"),
)
_TOKEN = re.compile("|".join(f"({seen})" for seen, _ in _VARYING))


def pattern(shown: tuple[str, ...]) -> re.Pattern[str]:
    """What output must look like to be the one that is shown."""
    parts = [r"(?:.*\n)*?" if line == ANY else f"{_line(line)}\n" for line in shown]
    return re.compile("".join(parts))


def _line(line: str) -> str:
    result, at = "", 0
    for found in _TOKEN.finditer(line):
        assert found.lastindex is not None
        varying = _VARYING[found.lastindex - 1][1]
        result += re.escape(line[at : found.start()])
        result += re.escape(found[0]) if varying is None else varying
        at = found.end()
    return result + re.escape(line[at:])
