"""A Dockerfile's instructions with their lines, and the images that it builds on.

Only what cdeploy has to know before a build; BuildKit has the last word. The format:
docs.docker.com/reference/dockerfile.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

_DIRECTIVE = re.compile(r"#\s*(\w+)\s*=\s*(\S+)\s*$")
_HEREDOC = re.compile(r"<<(-?)(['\"]?)([A-Za-z_][A-Za-z0-9_]*)\2")
_FLAG = re.compile(r"--(\S+)\s*")
_MOUNT_FROM = re.compile(r"--mount=(\S*)")
_VARIABLE = re.compile(
    r"\\(?P<escaped>.)|\$(?:(?P<plain>\w+)|\{(?P<braced>\w+)(?::(?P<how>[-+])(?P<word>[^}]*))?\})"
)


@dataclass(frozen=True, slots=True)
class Instruction:
    """One instruction: its first line (from 1), keyword in capitals, and the rest as one line."""

    line: int
    keyword: str
    rest: str

    @property
    def text(self) -> str:
        """The instruction on one line, white space folded."""
        return " ".join(f"{self.keyword} {self.rest}".split())


def instructions(text: str) -> list[Instruction]:
    """The instructions of a Dockerfile; here-documents are skipped, comments left out."""
    lines = text.removeprefix("\ufeff").splitlines()
    escape = _escape(lines)
    found: list[Instruction] = []
    index = 0
    while index < len(lines):
        start = index
        parts: list[str] = []
        continued = True
        while continued and index < len(lines):
            line = lines[index]
            index += 1
            if line.lstrip().startswith("#") or (parts and not line.strip()):
                continue  # comments and blank lines don't end a continued instruction
            continued = line.rstrip().endswith(escape)
            parts.append(line.rstrip().removesuffix(escape) if continued else line)
            if not parts[0].strip():
                break
        whole = " ".join(part.strip() for part in parts).strip()
        if not whole:
            continue
        keyword, _, rest = whole.partition(" ")
        first = next(
            n for n in range(start, index) if lines[n].strip() and lines[n].lstrip()[0] != "#"
        )
        found.append(Instruction(first + 1, keyword.upper(), rest.strip()))
        if keyword.upper() in ("RUN", "COPY", "ADD"):
            index = _after_heredocs(rest, lines, index)
    return found


def bases_of(text: str, args: Mapping[str, str]) -> tuple[str, ...]:
    """The images that a build may take from: FROM, COPY --from and RUN --mount=from.

    ARGs before the first FROM are put in (`args` beats their defaults); names of stages,
    ``scratch`` and references with a variable that has no value are left out.
    """
    known: dict[str, str] = {}
    stages: set[str] = set()
    found: dict[str, None] = {}
    in_stage = False
    for one in instructions(text):
        if one.keyword == "ARG" and not in_stage:
            for name, value in _declared(one.rest):
                known[name] = args.get(name, _put_in(value, known) or "")
        elif one.keyword == "FROM":
            in_stage = True
            words = _without_flags(one.rest).split()
            ref = _put_in(words[0], known) if words else None
            if ref and ref != "scratch" and ref.lower() not in stages:
                found[ref] = None
            if len(words) == 3 and words[1].lower() == "as":
                stages.add(words[2].lower())
        else:
            for source in _taken_from(one):
                ref = _put_in(source, known)
                if ref and not ref.isdigit() and ref.lower() not in stages:
                    found[ref] = None
    return tuple(found)


def line_of(text: str, step: str) -> int:
    """The line of the instruction that a build step names; 0 when it is not found.

    BuildKit names a step by its instruction with variables put in, so the one with the
    same keyword and the longest common beginning is taken when none is equal.
    """
    wanted = " ".join(step.split())
    best, longest = 0, 0
    for one in instructions(text):
        if one.text == wanted:
            return one.line
        common = 0
        while common < min(len(one.text), len(wanted)) and one.text[common] == wanted[common]:
            common += 1
        if common > max(longest, len(one.keyword)):
            best, longest = one.line, common
    return best


def _escape(lines: list[str]) -> str:
    for line in lines:
        match = _DIRECTIVE.match(line.strip())
        if match is None:
            return "\\"
        if match.group(1).lower() == "escape":
            return match.group(2)
    return "\\"


def _after_heredocs(rest: str, lines: list[str], index: int) -> int:
    for dash, _, word in _HEREDOC.findall(rest):
        while index < len(lines):
            line = lines[index].lstrip("\t") if dash else lines[index]
            index += 1
            if line == word:
                break
    return index


def _declared(rest: str) -> list[tuple[str, str]]:
    pairs = []
    for word in re.findall(r"""(?:[^\s"']|"[^"]*"|'[^']*')+""", rest):
        name, _, value = word.partition("=")
        pairs.append((name, value.strip("\"'")))
    return pairs


def _without_flags(rest: str) -> str:
    while match := _FLAG.match(rest):
        rest = rest[match.end() :]
    return rest


def _taken_from(one: Instruction) -> list[str]:
    if one.keyword in ("COPY", "ADD"):
        found = re.match(r"(?:--\S+\s+)*?--from=(\S+)", one.rest)
        return [found.group(1)] if found else []
    if one.keyword == "RUN":
        options = [o for mount in _MOUNT_FROM.findall(one.rest) for o in mount.split(",")]
        return [option[5:] for option in options if option.startswith("from=")]
    return []


def _put_in(text: str, known: Mapping[str, str]) -> str | None:
    """`text` with its variables' values; None when one has none."""
    missing = False

    def value(match: re.Match[str]) -> str:
        nonlocal missing
        if match["escaped"]:
            return match["escaped"]
        found = known.get(match["plain"] or match["braced"], "")
        if match["how"] == "-":
            return found or match["word"]
        if match["how"] == "+":
            return match["word"] if found else ""
        missing = missing or not found
        return found

    result = _VARIABLE.sub(value, text).strip("\"'")
    return None if missing else result
