"""Where each key of a TOML document stands: its line.

tomllib gives values without places, so the same text is read once more with
tree-sitter's TOML grammar, for places only. tomllib has the last word on what
is valid; where the grammar sees an error that tomllib does not (it knows no
blanks after a line-ending backslash), a key's line is that of the nearest table
around it that was found.
"""

from __future__ import annotations

import functools
import tomllib
from typing import TYPE_CHECKING

import tree_sitter
import tree_sitter_toml

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tree_sitter import Node

    from containerdeploy.stackfile.problems import Path

_CONTAINERS = ("array", "inline_table")


@functools.cache
def _parser() -> tree_sitter.Parser:
    return tree_sitter.Parser(tree_sitter.Language(tree_sitter_toml.language()))


class Lines:
    """The lines of a TOML document's keys.

    Args:
        source: the document; anything is taken, only valid TOML is placed rightly.
    """

    def __init__(self, source: bytes) -> None:
        self.count = max(1, source.count(b"\n") + (not source.endswith(b"\n")))
        self._lines: dict[Path, int] = {}
        self._lengths: dict[Path, int] = {}
        prefix: Path = ()
        for node in _parser().parse(source).root_node.named_children:
            if node.type == "pair":
                self._pair(node, ())
            elif node.type in ("table", "table_array_element"):
                prefix = self._header(node)
                for child in node.named_children:
                    if child.type == "pair":
                        self._pair(child, prefix)

    def of(self, path: Path) -> int:
        """The line of a key, counted from 1; that of the nearest known parent otherwise."""
        while path and path not in self._lines:
            path = path[:-1]
        return min(self._lines.get(path, 1), self.count)

    def knows(self, path: Path) -> bool:
        """Whether a key or an item of a list stands in the document."""
        return path in self._lines

    def _header(self, node: Node) -> Path:
        """Note a ``[table]`` or ``[[table]]`` line; the path that its keys are below."""
        line = node.start_point.row + 1
        path: Path = ()
        parts = list(_parts(node.named_children[0])) if node.named_children else []
        for number, part in enumerate(parts, 1):
            path = (*path, part)
            if number < len(parts) and path in self._lengths:
                path = (*path, self._lengths[path] - 1)
            self._lines.setdefault(path, line)
        if node.type == "table_array_element":
            index = self._lengths.get(path, 0)
            self._lengths[path] = index + 1
            path = (*path, index)
        self._lines[path] = line
        return path

    def _pair(self, node: Node, prefix: Path) -> None:
        """Note a ``key = value`` and everything inside its value."""
        todo: list[tuple[Node, Path]] = [(node, prefix)]
        while todo:
            node, path = todo.pop()
            line = node.start_point.row + 1
            if node.type == "pair":
                named = [child for child in node.named_children if child.type != "comment"]
                if not named:
                    continue
                for part in _parts(named[0]):
                    path = (*path, part)
                    self._lines.setdefault(path, line)
                if named[-1].type in _CONTAINERS:
                    todo.append((named[-1], path))
            elif node.type == "inline_table":
                todo.extend((child, path) for child in node.named_children if child.type == "pair")
            elif node.type == "array":
                items = (child for child in node.named_children if child.type != "comment")
                for index, child in enumerate(items):
                    self._lines[(*path, index)] = child.start_point.row + 1
                    if child.type in _CONTAINERS:
                        todo.append((child, (*path, index)))


def _parts(node: Node) -> Iterator[str]:
    """The words of a dotted key, from the left. The grammar nests them to the left."""
    if node.type == "dotted_key":
        words: list[Node] = []
        while node.type == "dotted_key":
            left, *right = node.named_children
            words.extend(reversed(right))
            node = left
        words.append(node)
        for word in reversed(words):
            yield _word(word)
    else:
        yield _word(node)


def _word(node: Node) -> str:
    text = (node.text or b"").decode("utf-8", "replace")
    if node.type == "quoted_key":
        if "\\" not in text:
            return text[1:-1]
        try:
            return next(iter(tomllib.loads(f"{text} = 0")))
        except tomllib.TOMLDecodeError:
            return text
    return text
