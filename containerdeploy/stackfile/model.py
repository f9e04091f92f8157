"""The language of the stack file: its tables, keys, defaults, and what each means.

The JSON Schema and the test of docs/stack-file.md are made from these tables.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from containerdeploy.stackfile import values
from containerdeploy.stackfile.problems import Wrong
from containerdeploy.stackfile.table import NOTHING, REQUIRED, Kind, Table, key, table_of

_VARIABLE = r".*\$\{.*"
_STRING = {"type": "string"}
_PLAIN = {"type": ["string", "number", "boolean"]}


def _string(pattern: str = "") -> dict[str, Any]:
    """A string of a pattern, or one that a variable fills."""
    return {"type": "string", "pattern": f"^({pattern}|{_VARIABLE})$"} if pattern else _STRING


def _number(kind: str, least: float, most: float) -> dict[str, Any]:
    """A number, or a string that holds one or that a variable fills."""
    number = {"type": kind, "minimum": least, "maximum": most}
    return {"anyOf": [number, _string(r"\d+(\.\d+)?")]}


def _time(*words: str) -> dict[str, Any]:
    pattern = "|".join([r"(\d+(\.\d+)?(ms|s|m|h))+", *words])
    return {"anyOf": [_string(pattern), {"type": "number", "minimum": 0}]}


def _list(items: dict[str, Any]) -> dict[str, Any]:
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
WORDS = Kind(values.words, _list(_STRING))
PROGRAM = Kind(values.program, {**_list(_STRING), "minItems": 1})
STRINGS = Kind(values.strings, {"anyOf": [_STRING, _list(_STRING)]})
SERVICES = Kind(values.service_names, _list(_STRING))
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
_NAMES = {"pattern": "^[A-Za-z_][A-Za-z0-9_]*$"}
VARIABLES = Kind(
    values.environment,
    {"type": "object", "propertyNames": _NAMES, "additionalProperties": _PLAIN},
)
LABELS = Kind(
    values.labels,
    {
        "type": "object",
        "propertyNames": {"not": {"pattern": r"^cdeploy\."}},
        "additionalProperties": _PLAIN,
    },
)
VOLUMES = Kind(values.volumes, _list(_string(".+:/.+")))
MOUNT_POINTS = Kind(values.mount_points, _list(_string("/.+")))
CAPABILITIES = Kind(values.capabilities, _list(_STRING))
SIGNAL = Kind(values.signal, _STRING)
ABSOLUTE = Kind(values.absolute, _string("/.*"))
URL_PATH = Kind(values.url_path, _string("/.*"))
ROUTE_PATH = Kind(values.route_path, _string("/.*"))
HOST = Kind(values.host, {"type": "string", "minLength": 1})
VARIABLE = Kind(values.variable, _STRING)
PROTOCOL = _choice("http", "tcp")
STRATEGY = _choice("beside", "replace")
RESTART = _choice("unless-stopped", "always", "on-failure", "no")


@dataclass(frozen=True, kw_only=True)
class StackTable(Table):
    """The stack as a whole."""

    name: str = key(
        NAME,
        REQUIRED,
        "The stack's name: small letters, digits and hyphens, at most 40 characters. It names "
        "the containers, the network and the volumes.",
        example="shop",
    )


@dataclass(frozen=True, kw_only=True)
class BuildTable(Table):
    """How the image is made."""

    context: str | None = key(
        TEXT,
        None,
        "The folder that is sent to the builder, relative to the stack file.",
        example="web",
    )
    dockerfile: str = key(
        TEXT,
        "Dockerfile",
        "The Dockerfile, relative to the context.",
        example="Dockerfile.production",
        written="Dockerfile",
    )
    args: dict[str, str] = key(
        VARIABLES, NOTHING, "Build arguments (`ARG`).", example={"VERSION": "3"}
    )
    target: str | None = key(
        TEXT, None, "The stage to build; the last one by default.", example="runtime"
    )


@dataclass(frozen=True, kw_only=True)
class RouteTable(Table):
    """Where outside traffic arrives: a host (with a path), or a TCP port."""

    host: str | None = key(HOST, None, "The host name of the requests.", example="shop.example.com")
    path: str | None = key(
        ROUTE_PATH,
        None,
        "The path that the route starts with; everything by default. The longest path of a host"
        " wins.",
        example="/api",
    )
    tcp: int | None = key(
        PORT,
        None,
        "A TCP port of the edge; it must be among the host settings' `tcp` ports.",
        example=5432,
    )


@dataclass(frozen=True, kw_only=True)
class SecretTable(Table):
    """Where a secret's value comes from; its own name as a variable when neither is given."""

    file: str | None = key(
        TEXT,
        None,
        "A file that holds the value, relative to the stack file.",
        example="secrets/session_key",
    )
    env: str | None = key(
        VARIABLE, None, "An environment variable that holds the value.", example="SHOP_KEY"
    )


@dataclass(frozen=True, kw_only=True)
class LimitsTable(Table):
    """Bounds of one container."""

    memory: int | None = key(
        MEMORY,
        None,
        "The most memory, with its unit (K, M, G: powers of 1024); at least 6M. Unbounded by "
        "default.",
        example="256M",
    )
    cpus: float | None = key(
        CPUS, None, "Processors, also parts of one. Unbounded by default.", example=0.5
    )
    pids: int | None = key(
        PIDS, None, "The most processes and threads. Unbounded by default.", example=128
    )


@dataclass(frozen=True, kw_only=True)
class HealthTable(Table):
    """How a new container shows that it is ready."""

    path: str | None = key(
        URL_PATH,
        None,
        "Ready when a GET of this path answers. Without it: the image's HEALTHCHECK, else a TCP"
        " connection to the port, else staying up for `settle`.",
        example="/healthz",
    )
    status: int | None = key(
        STATUS,
        None,
        "The status that the path must answer with; 200 to 399 by default.",
        example=204,
    )
    timeout: float = key(
        SOME_SECONDS,
        30.0,
        "How long a container may take to become ready.",
        example="60s",
        written="30s",
    )
    interval: float = key(
        SOME_SECONDS, 0.1, "The time between two looks.", example="1s", written="100ms"
    )
    settle: float = key(
        SECONDS,
        1.0,
        "Without a port and a HEALTHCHECK: ready after staying up for this long.",
        example="5s",
        written="1s",
    )


@dataclass(frozen=True, kw_only=True)
class BeforeSwitchTable(Table):
    """A job that runs once with the new image, before any traffic."""

    command: tuple[str, ...] | None = key(
        PROGRAM,
        None,
        "The job's words; no shell is involved.",
        example=["python3", "-m", "shop.migrate"],
    )
    timeout: float = key(
        SOME_SECONDS,
        600.0,
        "How long the job may take; the rollout fails when it takes longer.",
        example="2m",
        written="10m",
    )


def _route(value: Any) -> RouteTable:
    """``host/path`` or a table."""
    if isinstance(value, dict):
        found: RouteTable = ROUTE.parse(value)
        return found
    if not isinstance(value, str) or not value.strip():
        raise Wrong('should be a route such as "shop.localhost" or { tcp = 5432 }')
    if "://" in value:
        raise Wrong('should be a route without a scheme, such as "shop.localhost"')
    host, slash, path = str(value).partition("/")
    return RouteTable(
        host=values.host(host), path=values.route_path(slash + path) if slash else None
    )


def _routes(value: Any) -> tuple[RouteTable, ...]:
    """One route, or a list of them."""
    return values.each(value, _route) if isinstance(value, list) else (_route(value),)


def _secrets(value: Any) -> dict[str, SecretTable]:
    """Names of secrets, or a table of where they come from."""
    if isinstance(value, list):
        return {name: SecretTable() for name in values.variables(value)}
    if not isinstance(value, dict):
        raise Wrong('should be a list of names such as ["SESSION_KEY"], or a table')
    return values.each_of(value, values.variable, SECRET.parse)


def _checks(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise Wrong("should be tables such as [[service.NAME.test.http]]")
    return value


ROUTE = table_of(RouteTable, schema=_STRING)
ROUTES = Kind(_routes, {"anyOf": [ROUTE.schema, _list(ROUTE.schema)]}, RouteTable)
SECRET = table_of(SecretTable, takes='should be { file = "path" } or { env = "NAME" }')
SECRETS = Kind(
    _secrets,
    {
        "anyOf": [
            _list(_STRING),
            {"type": "object", "propertyNames": _NAMES, "additionalProperties": SECRET.schema},
        ]
    },
    SecretTable,
)
BUILD = table_of(
    BuildTable,
    short="context",
    takes='should be a folder such as "web", or a table',
    schema=_STRING,
)
LIMITS = table_of(LimitsTable, takes='should be a table such as { memory = "256M" }')
HEALTH = table_of(
    HealthTable,
    short="path",
    takes='should be a path such as "/healthz", or a table',
    schema=URL_PATH.schema,
)
BEFORE_SWITCH = table_of(
    BeforeSwitchTable,
    short="command",
    takes='should be a list of words such as ["python3", "-m", "migrate"]',
    schema=PROGRAM.schema,
)
TEST = Kind(_checks, {"$ref": "#/$defs/Test"})


@dataclass(frozen=True, kw_only=True)
class ServiceTable(Table):
    """One function of the stack."""

    build: BuildTable | None = key(
        BUILD,
        None,
        "The folder with the Dockerfile, relative to the stack file, or a table that says more."
        " A service has either `build` or `image`.",
        example="web",
    )
    image: str | None = key(
        IMAGE,
        None,
        "An image that is here already or can be pulled, instead of `build`.",
        example="debian:trixie-slim",
    )
    args: dict[str, str] = key(
        VARIABLES, NOTHING, "Build arguments; short for `build.args`.", example={"VERSION": "3"}
    )
    target: str | None = key(
        TEXT, None, "The stage to build; short for `build.target`.", example="runtime"
    )
    command: tuple[str, ...] | None = key(
        WORDS,
        None,
        "The container's command, instead of the image's CMD. A list of words: no shell is "
        "involved.",
        example=["python3", "app.py"],
    )
    entrypoint: tuple[str, ...] | None = key(
        WORDS,
        None,
        "The container's entrypoint, instead of the image's ENTRYPOINT.",
        example=["/usr/bin/tini", "--"],
    )
    port: int | None = key(
        PORT,
        None,
        "The port that the function listens on; other services of the stack reach it there too."
        " None: nobody calls it.",
        example=8000,
    )
    protocol: Literal["http", "tcp"] | None = key(
        PROTOCOL,
        None,
        "What is spoken on the port. By default `http` where there is a route with a host, a "
        "health path or an http check, else `tcp`.",
        example="http",
    )
    route: tuple[RouteTable, ...] = key(
        ROUTES,
        (),
        'Where outside traffic arrives: `"host"`, `"host/path"`, `{ tcp = 5432 }`, or a list of'
        " these. None: the service is reached from inside the stack only.",
        example="shop.localhost",
    )
    replicas: int = key(
        REPLICAS, 1, "How many containers of it run, 1 to 100.", example=2, written=1
    )
    uses: tuple[str, ...] = key(
        SERVICES,
        (),
        "Services of this stack that this one calls, by their name and port. They are started "
        "before it; it can reach no others.",
        example=["db"],
    )
    env: dict[str, str] = key(
        VARIABLES,
        NOTHING,
        "Environment variables. Not for secrets: these are visible to everyone who may talk to "
        "the engine.",
        example={"LOG_LEVEL": "info"},
    )
    env_file: tuple[str, ...] = key(
        STRINGS,
        (),
        "Files with environment variables (`NAME=value` lines), relative to the stack file. "
        "Later files win over earlier ones, and `env` over all of them.",
        example="web.env",
    )
    secrets: dict[str, SecretTable] = key(
        SECRETS,
        NOTHING,
        "Secrets, each a file /run/secrets/NAME in the container: a list of names, whose values"
        " are taken from environment variables of the same name, or a table that says where "
        "each comes from.",
        example=["SESSION_KEY"],
    )
    volumes: tuple[tuple[str, str, bool], ...] = key(
        VOLUMES,
        (),
        'Named volumes (`"data:/var/lib/data"`) or folders of the host (`"./site:/srv:ro"`, '
        "relative to the stack file); `:ro` to only read.",
        example=["data:/var/lib/data"],
    )
    tmpfs: tuple[str, ...] = key(
        MOUNT_POINTS, (), "Paths that are kept in memory and start empty.", example=["/run/app"]
    )
    user: str | None = key(
        TEXT,
        None,
        "The user (and group) that runs it, instead of the image's.",
        example="10001:10001",
    )
    workdir: str | None = key(
        ABSOLUTE, None, "The working folder, instead of the image's.", example="/app"
    )
    read_only: bool = key(
        SWITCH,
        False,
        "Whether the container's own files can't be changed; volumes and tmpfs can.",
        example=True,
        written=False,
    )
    capabilities: tuple[str, ...] = key(
        CAPABILITIES,
        (),
        "Linux capabilities that it keeps, without CAP_; all others are dropped.",
        example=["NET_BIND_SERVICE"],
    )
    limits: LimitsTable = key(LIMITS, LimitsTable(), "Bounds of each container.")
    health: HealthTable = key(
        HEALTH,
        HealthTable(),
        "How a new container shows that it is ready; a string is its `path`.",
        example="/healthz",
    )
    drain: float = key(
        SECONDS_OR_NONE,
        30.0,
        'After a switch: how long the old release may finish what is in flight. `"none"`: not '
        "at all.",
        example="5m",
        written="30s",
    )
    hold: float = key(
        SECONDS_OR_NONE,
        30.0,
        'With `strategy = "replace"`: how long a caller waits at the edge while the service is '
        "replaced, before it gets an error.",
        example="1m",
        written="30s",
    )
    stop_signal: str | None = key(
        SIGNAL,
        None,
        "The signal that asks it to stop, instead of the image's (SIGTERM).",
        example="SIGINT",
    )
    stop_timeout: float = key(
        SECONDS_OR_NONE,
        10.0,
        "How long it may take to stop before it is killed.",
        example="60s",
        written="10s",
    )
    before_switch: BeforeSwitchTable | None = key(
        BEFORE_SWITCH,
        None,
        "A job that runs once with the new image and the service's environment, before any "
        "traffic; when it fails, so does the rollout. Such as a migration.",
        example=["python3", "-m", "shop.migrate"],
    )
    strategy: Literal["beside", "replace"] = key(
        STRATEGY,
        "beside",
        "`beside`: the new starts beside the old. `replace`: the old is stopped first, while "
        "callers wait at the edge; for a single writer such as a database.",
        example="replace",
        written="beside",
    )
    restart: Literal["unless-stopped", "always", "on-failure", "no"] = key(
        RESTART,
        "unless-stopped",
        "When the engine starts it again after it has ended.",
        example="on-failure",
        written="unless-stopped",
    )
    keep: int = key(
        KEEP, 1, "How many retired releases are kept for a rollback, 0 to 50.", example=3, written=1
    )
    labels: dict[str, str] = key(
        LABELS,
        NOTHING,
        "Labels of the containers; `cdeploy.` is reserved.",
        example={"team": "shop"},
    )
    test: dict[str, Any] = key(
        TEST,
        NOTHING,
        "Checks on the image and on a running container of it; a red one stops the rollout. A "
        "table, or an array of tables, for each kind.",
    )
