"""Values read by the type of a dataclass field: how the keys of a kind of check are read.

A new kind needs nothing here as long as its fields are of these types: str, int,
float, bool, Literal, Any, tuples and dicts of them, dataclasses, and unions.
"""

from __future__ import annotations

import dataclasses
import functools
import types
from typing import Annotated, Any, ClassVar, Literal, Union, get_args, get_origin, get_type_hints

from containerdeploy.stackfile import values
from containerdeploy.stackfile.problems import Wrong
from containerdeploy.stackfile.table import unknown

_INT64 = 2**63
_NUMBER = {"type": "string", "pattern": r"^(\d+(\.\d+)?|.*\$\{.*)$"}

_SWITCH = {"type": "string", "pattern": r"^(true|false|.*\$\{.*)$"}


def fields_of(cls: Any) -> dict[str, Any]:
    """The types of a dataclass's fields, with their `Annotated` texts."""
    return _fields_of(cls)


@functools.cache
def _fields_of(cls: Any) -> dict[str, Any]:
    hints = get_type_hints(cls, include_extras=True)
    return {field.name: hints[field.name] for field in dataclasses.fields(cls)}


def required(cls: Any) -> list[str]:
    """The fields of a dataclass that have no default."""
    none = dataclasses.MISSING
    return [f.name for f in dataclasses.fields(cls) if f.default is none is f.default_factory]


def read(hint: Any, value: Any) -> Any:  # noqa: PLR0911 - one return a shape of type
    """A TOML value as this type; raises `Wrong`."""
    origin = get_origin(hint)
    if origin is Annotated:
        return read(get_args(hint)[0], value)
    if origin is Literal:
        if value not in get_args(hint):
            raise Wrong("should be " + " or ".join(f'"{word}"' for word in get_args(hint)))
        return value
    if origin in (Union, types.UnionType):
        return _read_union([part for part in get_args(hint) if part is not types.NoneType], value)
    if origin is tuple:
        if not isinstance(value, list):
            raise Wrong("should be a list")
        inner = get_args(hint)[0]
        return values.each(value, lambda item: read(inner, item))
    if origin is dict:
        if not isinstance(value, dict):
            raise Wrong("should be a table")
        inner = get_args(hint)[1]
        return values.each_of(value, str, lambda item: read(inner, item))
    if dataclasses.is_dataclass(hint):
        return read_dataclass(hint, value)
    return _read_plain(hint, value)


def read_dataclass(hint: Any, value: Any) -> Any:
    """A table as a dataclass; raises `Wrong` for all of its keys."""
    if not isinstance(value, dict):
        raise Wrong("should be a table")
    hints = fields_of(hint)
    found, wrongs = {}, []
    for key, item in value.items():
        if key not in hints:
            wrongs.append(unknown(key, list(hints)))
            continue
        try:
            found[key] = read(hints[key], item)
        except Wrong as wrong:
            wrongs.append(wrong.below(key))
    wrongs += [Wrong("is missing", at=(key,)) for key in required(hint) if key not in value]
    if wrongs:
        raise Wrong.all_of(wrongs)
    return hint(**found)


def _read_union(parts: list[Any], value: Any) -> Any:
    wrongs = []
    for part in parts:
        try:
            return read(part, value)
        except Wrong as wrong:
            wrongs.append(wrong)
    # Where one of the types has looked inside the value, it knows best.
    inside = [wrong for wrong in wrongs if any(each.at for each in wrong.flat())]
    inside += [w for w in wrongs if w.message.startswith("unknown")]
    if inside:
        raise inside[0]
    said = list(dict.fromkeys(wrong.message.removeprefix("should be ") for wrong in wrongs))
    words = said[0] if len(said) == 1 else f"{', '.join(said[:-1])} or {said[-1]}"
    raise Wrong(f"should be {words}")


def _read_plain(hint: Any, value: Any) -> Any:
    if hint is Any:
        return value
    if hint is str:
        if not isinstance(value, str):
            raise Wrong("should be a string")
        return str(value)
    if hint is bool:
        return values.switch(value)
    if hint is int:
        if isinstance(value, str) and value.isascii() and value.isdecimal() and len(value) < 19:
            return int(value)
        if not isinstance(value, int) or isinstance(value, bool) or abs(value) >= _INT64:
            raise Wrong("should be a whole number")
        return value
    if hint is float:
        if not isinstance(value, int | float) or isinstance(value, bool):
            raise Wrong("should be a number")
        return float(value)
    raise TypeError(f"a stack file has no value of the type {hint}")


def schema(hint: Any) -> dict[str, Any]:  # noqa: PLR0911 - one return a shape of type
    """The JSON Schema of a type."""
    origin = get_origin(hint)
    if origin is Annotated:
        first, *extras = get_args(hint)
        text = next((extra for extra in extras if isinstance(extra, str)), "")
        return {**schema(first), **({"description": text} if text else {})}
    if origin is Literal:
        return {"enum": list(get_args(hint))}
    if origin in (Union, types.UnionType):
        parts = [schema(part) for part in get_args(hint) if part is not types.NoneType]
        return parts[0] if len(parts) == 1 else {"anyOf": parts}
    if origin is tuple:
        return {"type": "array", "items": schema(get_args(hint)[0])}
    if origin is dict:
        return {"type": "object", "additionalProperties": schema(get_args(hint)[1])}
    if dataclasses.is_dataclass(hint):
        return dataclass_schema(hint, fields_of(hint))
    plain: dict[Any, dict[str, Any]] = {
        Any: {},
        str: {"type": "string"},
        bool: {
            "anyOf": [
                {"type": "boolean"},
                {"type": "string", "pattern": r"^(true|false|.*\$\{.*)$"},
            ]
        },
        int: {"anyOf": [{"type": "integer"}, _NUMBER]},
        float: {"type": "number"},
    }
    if hint not in plain:
        raise TypeError(f"a stack file has no value of the type {hint}")
    return plain[hint]


def dataclass_schema(cls: Any, hints: dict[str, Any]) -> dict[str, Any]:
    """The JSON Schema of a dataclass with these of its fields."""
    needed = [name for name in required(cls) if name in hints]
    return {
        "type": "object",
        "properties": {
            name: schema(hint) for name, hint in hints.items() if get_origin(hint) is not ClassVar
        },
        "additionalProperties": False,
        **({"required": needed} if needed else {}),
    }
