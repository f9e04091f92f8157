"""What of a build context is sent to the builder: .dockerignore, with BuildKit's meaning.

Not gitignore's meaning (a pattern without a slash matches at the root only, a negated
one brings back what lies below an excluded folder), so not `pathspec`; and not
docker-py's, which costs 0.2 s to import and always keeps the Dockerfile, as only the old
builder did. tests/engine/test_images_ignore.py compares this with BuildKit itself.
Format: docs.docker.com/build/concepts/context/#dockerignore-files.
"""

from __future__ import annotations

import os
import posixpath
import re
from dataclasses import dataclass
from pathlib import Path

from containerdeploy.errors import BadInput, Problem

_DISPUTED = frozenset("+(){}|^")
"""Characters that mean themselves to newer builders, and belong to a regular expression for
Engine 20.10: a pattern with one leaves nothing out here (see `walk`)."""


@dataclass(frozen=True, slots=True)
class Pattern:
    """One line: what it matches, whether it brings back (`!`), and the folder that a
    brought-back path must lie in or above (its part before any wildcard)."""

    regex: re.Pattern[str]
    negated: bool
    prefix: str


@dataclass(frozen=True, slots=True)
class Ignore:
    """The patterns of a .dockerignore, in order: the last one that matches decides."""

    patterns: tuple[Pattern, ...] = ()

    def matches(self, path: str, parent: tuple[bool, ...]) -> tuple[bool, ...]:
        """Which patterns match a path or a folder above it.

        Args:
            path: relative to the context, with slashes.
            parent: what this returned for the folder above; empty at the root.
        """
        above = parent or (False,) * len(self.patterns)
        return tuple(
            before or pattern.regex.match(path) is not None
            for pattern, before in zip(self.patterns, above, strict=True)
        )

    def excluded(self, matched: tuple[bool, ...]) -> bool:
        """Whether a path with these matches is left out."""
        out = False
        for pattern, matches in zip(self.patterns, matched, strict=True):
            if matches:
                out = not pattern.negated
        return out

    def may_hold(self, folder: str) -> bool:
        """Whether something in an excluded folder may be brought back."""
        inside = folder + "/"
        return any(
            pattern.negated
            and (pattern.prefix.startswith(inside) or inside.startswith(pattern.prefix))
            for pattern in self.patterns
        )


def read(context: Path, dockerfile: Path) -> Ignore:
    """The patterns for a build: ``<Dockerfile>.dockerignore``, else the context's .dockerignore.

    Raises:
        BadInput: a pattern that can't be understood, with its line.
    """
    for file in (
        dockerfile.with_name(dockerfile.name + ".dockerignore"),
        context / ".dockerignore",
    ):
        try:
            text = file.read_text(encoding="utf-8-sig")
        except (FileNotFoundError, NotADirectoryError):
            continue
        except (OSError, UnicodeDecodeError) as error:
            raise BadInput(f"{file} can't be read: {error}", hint="mend or remove it") from error
        return parse(text, str(file))
    return Ignore()


def parse(text: str, file: str = ".dockerignore") -> Ignore:
    """The patterns in a .dockerignore's text; `file` is for messages."""
    patterns = []
    for number, line in enumerate(text.splitlines(), 1):
        if line.startswith("#") or not (words := line.strip()):
            continue
        negated = words.startswith("!")
        name = words[1:].strip() if negated else words
        cleaned = posixpath.normpath(name).lstrip("/") if name else ""
        if not cleaned:
            if negated or not name:
                raise _odd(file, number, words, "names nothing")
            continue
        try:
            regex = re.compile(_regex(cleaned), re.DOTALL)
        except re.error as error:
            raise _odd(file, number, words, str(error)) from error
        if not negated and not _DISPUTED.isdisjoint(re.sub(r"\[[^\]]*\]", "", cleaned)):
            continue
        prefix = re.split(r"[*?\[\\]", cleaned, maxsplit=1)[0]
        patterns.append(Pattern(regex, negated, prefix))
    return Ignore(tuple(patterns))


def _regex(pattern: str) -> str:
    """`*` and `?` stop at slashes, `**` does not, a backslash escapes, classes are kept."""
    out = []
    index = 0
    while index < len(pattern):
        char = pattern[index]
        index += 1
        if pattern.startswith("**", index - 1):
            index += 1
            if pattern[index : index + 1] == "/":
                index += 1
            out.append(".*" if index >= len(pattern) else "(?:.*/)?")
        elif char == "*":
            out.append("[^/]*")
        elif char == "?":
            out.append("[^/]")
        elif char == "[" and (end := pattern.find("]", index + 1)) > 0:
            out.append("[" + pattern[index:end].replace("[", r"\[") + "]")
            index = end + 1
        elif char == "\\" and index < len(pattern):
            out.append(re.escape(pattern[index]))
            index += 1
        else:
            out.append(re.escape(char))
    return "".join(out) + r"\Z"


def _odd(file: str, line: int, words: str, why: str) -> BadInput:
    problem = Problem(file, line, "", f"the pattern {words!r} {why}")
    return BadInput(str(problem), problems=(problem,), hint="correct or remove that line")


def walk(context: Path, ignore: Ignore) -> list[tuple[str, os.stat_result]]:
    """Everything of a context that is sent, in a fixed order: (relative path, lstat).

    An excluded folder that may hold something brought back is in it. Where builders of
    different ages disagree, what any of them sends is in it: a digest over too much builds
    once too often, one over too little misses a change. Raises OSError.
    """
    found: list[tuple[str, os.stat_result]] = []

    def visit(folder: str, parent: tuple[bool, ...]) -> None:
        with os.scandir(context / folder) as entries:
            ordered = sorted(entries, key=lambda entry: entry.name)
        for entry in ordered:
            path = f"{folder}/{entry.name}" if folder else entry.name
            matched = ignore.matches(path, parent) if ignore.patterns else ()
            out = ignore.excluded(matched)
            if not entry.is_dir(follow_symlinks=False):
                if not out:
                    found.append((path, entry.stat(follow_symlinks=False)))
                continue
            if out and not ignore.may_hold(path):
                continue
            found.append((path, entry.stat(follow_symlinks=False)))
            visit(path, matched)

    visit("", ())
    return found
