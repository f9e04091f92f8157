"""The JSON Schema of stack.toml, and the list of its keys, both from the tables of the language."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from containerdeploy.stackfile import hints, model, subtables
from containerdeploy.stackfile.checks import check_hints
from containerdeploy.stackfile.kinds import SOME_SECONDS
from containerdeploy.stackfile.table import Table, keys_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from containerdeploy.check import Check
    from containerdeploy.stackfile.table import Key

_TABLES: tuple[type[Table], ...] = (
    subtables.StackTable,
    model.ServiceTable,
    subtables.BuildTable,
    subtables.RouteTable,
    subtables.SecretTable,
    subtables.LimitsTable,
    subtables.HealthTable,
    subtables.BeforeSwitchTable,
)
_SERVICES = {
    "type": "object",
    "propertyNames": {"pattern": "^[a-z][a-z0-9-]{0,39}$"},
    "additionalProperties": {"$ref": "#/$defs/ServiceTable"},
}


@dataclass(frozen=True, slots=True)
class DocumentedKey:
    """A key of the stack file, for the reference.

    Attributes:
        path: where it stands, such as ``service.NAME.health.path``.
        default: the default as in TOML; "" where there is none.
        meaning: what it means.
        example: a value as in TOML; "" where it is a table of its own.
    """

    path: str
    default: str
    meaning: str
    example: str


def stack_schema(kinds: Mapping[str, type[Check]] | None = None) -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) of a stack file, for editors.

    It knows keys, types and shapes. What holds between services, such as
    circles, only `load_stack` can say.
    """
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "cdeploy stack file",
        "type": "object",
        "properties": {
            "stack": {"$ref": "#/$defs/StackTable"},
            "service": {
                **_SERVICES,
                "minProperties": 1,
                "title": "services",
                "description": "The functions of the stack, each by its name.",
            },
            "environment": {
                "type": "object",
                "title": "environments",
                "description": "Overlays by name: laid over the services when --env chooses one.",
                "additionalProperties": {
                    "type": "object",
                    "properties": {"service": _SERVICES},
                    "additionalProperties": False,
                },
            },
        },
        "required": ["stack"],
        "additionalProperties": False,
        "$defs": {
            **{table.__name__: _table_schema(table) for table in _TABLES},
            "Test": _test_schema(_kinds(kinds)),
        },
    }


def _kinds(kinds: Mapping[str, type[Check]] | None) -> Mapping[str, type[Check]]:
    if kinds is not None:
        return kinds
    from containerdeploy.checks.kinds import KINDS

    return KINDS


def _table_schema(table: type[Table]) -> dict[str, Any]:
    keys = keys_of(table)
    required = [name for name, about in keys.items() if about.required]
    return {
        "type": "object",
        "title": table.__name__.removesuffix("Table").lower(),
        "description": (table.__doc__ or "").strip(),
        "properties": {name: _key_schema(name, about) for name, about in keys.items()},
        "additionalProperties": False,
        **({"required": required} if required else {}),
    }


def _key_schema(name: str, about: Key) -> dict[str, Any]:
    return {
        **about.kind.schema,
        "title": name,
        "description": about.meaning,
        **({} if about.default is None else {"default": about.default}),
        **({} if about.example is None else {"examples": [about.example]}),
    }


def _test_schema(kinds: Mapping[str, type[Check]]) -> dict[str, Any]:
    # An overlay may give a part of a check, so nothing is required here.
    properties = {}
    for name, kind in kinds.items():
        one = hints.dataclass_schema(kind, check_hints(kind))
        one.pop("required", None)
        one["properties"]["timeout"] = {
            **SOME_SECONDS.schema,
            "description": one["properties"]["timeout"].get("description", ""),
        }
        properties[name] = {
            "title": name,
            "description": (kind.__doc__ or "").strip().partition("\n")[0],
            "anyOf": [one, {"type": "array", "items": one}],
        }
    return {
        "type": "object",
        "title": "test",
        "properties": properties,
        "additionalProperties": False,
    }


def documented_keys(kinds: Mapping[str, type[Check]] | None = None) -> tuple[DocumentedKey, ...]:
    """Every key that docs/stack-file.md has to name, in its order."""
    found = [*_keys("stack", subtables.StackTable), *_keys("service.NAME", model.ServiceTable)]
    for name, kind in _kinds(kinds).items():
        for key, hint in check_hints(kind).items():
            text = hints.schema(hint).get("description", "")
            found.append(DocumentedKey(f"service.NAME.test.{name}.{key}", "", text, ""))
    return tuple(found)


def _keys(place: str, table: type[Table]) -> Iterator[DocumentedKey]:
    for name, about in keys_of(table).items():
        path = f"{place}.{name}"
        yield DocumentedKey(path, _toml(about.default), about.meaning, _toml(about.example))
        inner = about.kind.table
        if inner is not None:
            yield from _keys(f"{path}.NAME" if inner is subtables.SecretTable else path, inner)


def _toml(value: Any) -> str:
    """A value as in TOML; "" for none."""
    if value is None:
        return ""
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{key} = {_toml(item)}" for key, item in value.items()) + " }"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(_toml(item) for item in value) + "]"
    return json.dumps(value, ensure_ascii=False)
