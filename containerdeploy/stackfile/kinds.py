"""What the keys of a stack file take: a reader and a JSON Schema each."""

from __future__ import annotations

from typing import Any

from containerdeploy.stackfile import places, values
from containerdeploy.stackfile.problems import Wrong
from containerdeploy.stackfile.table import Kind

_VARIABLE = r".*\$\{.*"
STRING_SCHEMA = {"type": "string"}
_PLAIN = {"type": ["string", "number", "boolean"]}


def _string(pattern: str = "") -> dict[str, Any]:
    """A string of a pattern, or one that a variable fills."""
    return {"type": "string", "pattern": f"^({pattern}|{_VARIABLE})$"} if pattern else STRING_SCHEMA


def _number(kind: str, least: float, most: float) -> dict[str, Any]:
    """A number, or a string that holds one or that a variable fills."""
    number = {"type": kind, "minimum": least, "maximum": most}
    return {"anyOf": [number, _string(r"\d+(\.\d+)?")]}


def _time(*words: str) -> dict[str, Any]:
    pattern = "|".join([r"(\d+(\.\d+)?(ms|s|m|h))+", *words])
    return {"anyOf": [_string(pattern), {"type": "number", "minimum": 0}]}


def list_schema(items: dict[str, Any]) -> dict[str, Any]:
    """A list of these."""
    return {"type": "array", "items": items}


def _choice(*words: str) -> Kind:
    """One of a few words."""

    def parse(value: Any) -> Any:
        if value not in words or not isinstance(value, str):
            raise Wrong("should be " + " or ".join(f'"{word}"' for word in words))
        return str(value)

    return Kind(parse, {"anyOf": [{"enum": list(words)}, _string("")]})


TEXT = Kind(values.text, {"type": "string", "minLength": 1})
NAME = Kind(values.name, _string("[a-z][a-z0-9-]{0,39}"))
IMAGE = Kind(values.image, {"type": "string", "minLength": 1})
WORDS = Kind(values.words, list_schema(STRING_SCHEMA))
PROGRAM = Kind(values.program, {**list_schema(STRING_SCHEMA), "minItems": 1})
STRINGS = Kind(values.strings, {"anyOf": [STRING_SCHEMA, list_schema(STRING_SCHEMA)]})
SERVICES = Kind(values.service_names, list_schema(STRING_SCHEMA))
PORT = Kind(values.port, _number("integer", 1, 65535))
REPLICAS = Kind(values.replicas, _number("integer", 1, 100))
KEEP = Kind(values.keep, _number("integer", 0, 50))
STATUS = Kind(values.status, _number("integer", 100, 599))
PIDS = Kind(values.pids, _number("integer", 1, 4_194_304))
CPUS = Kind(values.cpus, _number("number", 0.01, 1024))
MEMORY = Kind(values.memory, _string(r"\d+(\.\d+)?\s*[kKmMgGtT]([iI]?[bB])?"))
SECONDS = Kind(values.seconds, _time())
SOME_SECONDS = Kind(values.some_seconds, _time())
SECONDS_OR_NONE = Kind(values.seconds_or_none, _time("none"))
SWITCH = Kind(values.switch, {"anyOf": [{"type": "boolean"}, _string("true|false")]})
NAMES_SCHEMA = {"pattern": "^[A-Za-z_][A-Za-z0-9_]*$"}
VARIABLES = Kind(
    values.environment,
    {"type": "object", "propertyNames": NAMES_SCHEMA, "additionalProperties": _PLAIN},
)
LABELS = Kind(
    values.labels,
    {
        "type": "object",
        "propertyNames": {"not": {"pattern": r"^cdeploy\."}},
        "additionalProperties": _PLAIN,
    },
)
VOLUMES = Kind(places.volumes, list_schema(_string(".+:/.+")))
MOUNT_POINTS = Kind(places.mount_points, list_schema(_string("/.+")))
CAPABILITIES = Kind(values.capabilities, list_schema(STRING_SCHEMA))
SIGNAL = Kind(values.signal, STRING_SCHEMA)
ABSOLUTE = Kind(places.absolute, _string("/.*"))
URL_PATH = Kind(places.url_path, _string("/.*"))
ROUTE_PATH = Kind(places.route_path, _string("/.*"))
HOST = Kind(places.host, {"type": "string", "minLength": 1})
VARIABLE = Kind(values.variable, STRING_SCHEMA)
PROTOCOL = _choice("http", "tcp")
STRATEGY = _choice("beside", "replace")
RESTART = _choice("unless-stopped", "always", "on-failure", "no")
