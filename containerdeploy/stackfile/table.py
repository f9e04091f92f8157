"""A table of the language: its keys, what each takes and means, and how it is read.

Why not pydantic: `cdeploy up` of an unchanged stack has 0.3 s in all, and
importing pydantic and building its models took half of it. See
docs/decisions/stack-file.md.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

from containerdeploy.stackfile.problems import Wrong, nearest

if TYPE_CHECKING:
    from collections.abc import Callable

REQUIRED = object()
"""The default of a key that must be given."""
NOTHING = object()
"""The default of a key that takes a table: an empty one."""


@dataclass(frozen=True, slots=True)
class Kind:
    """What a key takes.

    Attributes:
        parse: from what tomllib gave to the value; raises `Wrong`.
        schema: the same as JSON Schema. Strings may also hold a variable.
        table: the table that it is or can be, for the reference.
    """

    parse: Callable[[Any], Any]
    schema: dict[str, Any]
    table: type[Table] | None = None


@dataclass(frozen=True, slots=True)
class Key:
    """A key as the reference and the schema tell of it.

    Attributes:
        kind: what it takes.
        meaning: one or two sentences.
        example: a value as in TOML.
        default: the default as in TOML; None where leaving the key out says more.
        required: whether the table must have it.
    """

    kind: Kind
    meaning: str
    example: Any
    default: Any
    required: bool


@dataclass(frozen=True, kw_only=True)
class Table:
    """A table as it was read; `given` are the keys that were there."""

    given: frozenset[str] = frozenset()


_T = TypeVar("_T", bound=Table)


def key(kind: Kind, default: Any, meaning: str, *, example: Any = None, written: Any = None) -> Any:
    """A key of a table, as the default of a dataclass field.

    Args:
        default: the value when the key is not there, `REQUIRED` or `NOTHING`.
        written: the default as one would write it in TOML, where that differs.
    """
    required = default is REQUIRED
    about = Key(kind, meaning, example, written, required)
    if required:
        return field(metadata={"key": about})
    if default is NOTHING:
        return field(default_factory=dict, metadata={"key": about})
    return field(default=default, metadata={"key": about})


def keys_of(table: type[Table]) -> dict[str, Key]:
    """The keys of a table, in the order of its reference."""
    fields = dataclasses.fields(table)
    return {each.name: each.metadata["key"] for each in fields if "key" in each.metadata}


def read_table(
    table: type[_T], raw: dict[str, Any], *, partial: bool = False
) -> tuple[_T | None, list[Wrong], set[str]]:
    """Read a table.

    Args:
        partial: it is laid over another, so that no key is missing in it.

    Returns:
        the table without the keys that are wrong (None when it can't be without
        one), what is wrong, and the keys that are wrong or that an unknown key
        was meant to be.
    """
    keys = keys_of(table)
    values: dict[str, Any] = {}
    wrongs: list[Wrong] = []
    broken: set[str] = set()
    for name, value in raw.items():
        if name not in keys:
            wrongs.append(unknown(name, list(keys)))
            broken.add(near_key(name, keys))
            continue
        try:
            values[name] = keys[name].kind.parse(value)
        except Wrong as wrong:
            wrongs.append(wrong.below(name))
            broken.add(name)
    missing = [name for name, about in keys.items() if about.required and name not in values]
    wrongs += [
        Wrong("is missing", at=(name,)) for name in missing if name not in raw and not partial
    ]
    found = None if missing else table(**values, given=frozenset(values))
    return found, wrongs, broken


def near_key(name: str, keys: dict[str, Key]) -> str:
    """The key that an unknown one was meant to be, or the unknown one itself."""
    from containerdeploy.stackfile.problems import near

    return near(name, keys) or name


def unknown(name: str, allowed: list[str], what: str = "key") -> Wrong:
    """The error for a key that is not in the language."""
    message = f"unknown {what}; allowed: {', '.join(allowed)}"
    return Wrong(message, hint=nearest(name, allowed), at=(name,))


def table_of(
    table: type[Table], *, short: str = "", takes: str = "should be a table", schema: Any = None
) -> Kind:
    """A key that is a table, or a short form of one.

    Args:
        short: the key of the table that a string or list stands for.
        takes: what it should be, in words.
        schema: JSON Schema of the short form.
    """

    def parse(value: Any) -> Table:
        if short and isinstance(value, str | list):
            try:
                return table(
                    **{short: keys_of(table)[short].kind.parse(value)}, given=frozenset({short})
                )
            except Wrong as wrong:
                # The short form has no key of its own in the file.
                raise wrong from None
        if not isinstance(value, dict):
            raise Wrong(takes)
        found, wrongs, _ = read_table(table, value)
        if wrongs or found is None:
            raise Wrong.all_of(wrongs)
        return found

    reference = {"$ref": f"#/$defs/{table.__name__}"}
    return Kind(parse, {"anyOf": [schema, reference]} if schema else reference, table)
