"""A service as the stack file writes it: its keys, defaults, and what each means.

The JSON Schema and the test of docs/stack-file.md are made from these tables.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from containerdeploy.stackfile import places, values
from containerdeploy.stackfile.kinds import (
    ABSOLUTE,
    CAPABILITIES,
    IMAGE,
    KEEP,
    LABELS,
    MOUNT_POINTS,
    NAMES_SCHEMA,
    PORT,
    PROGRAM,
    PROTOCOL,
    REPLICAS,
    RESTART,
    SECONDS_OR_NONE,
    SERVICES,
    SIGNAL,
    STRATEGY,
    STRING_SCHEMA,
    STRINGS,
    SWITCH,
    TEXT,
    URL_PATH,
    VARIABLES,
    VOLUMES,
    WORDS,
    list_schema,
)
from containerdeploy.stackfile.problems import Wrong
from containerdeploy.stackfile.subtables import (
    BeforeSwitchTable,
    BuildTable,
    HealthTable,
    LimitsTable,
    RouteTable,
    SecretTable,
)
from containerdeploy.stackfile.table import (
    NOTHING,
    Kind,
    Table,
    key,
    table_of,
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
        host=places.host(host), path=places.route_path(slash + path) if slash else None
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


ROUTE = table_of(RouteTable, schema=STRING_SCHEMA)
ROUTES = Kind(_routes, {"anyOf": [ROUTE.schema, list_schema(ROUTE.schema)]}, RouteTable)
SECRET = table_of(SecretTable, takes='should be { file = "path" } or { env = "NAME" }')
SECRETS = Kind(
    _secrets,
    {
        "anyOf": [
            list_schema(STRING_SCHEMA),
            {
                "type": "object",
                "propertyNames": NAMES_SCHEMA,
                "additionalProperties": SECRET.schema,
            },
        ]
    },
    SecretTable,
)
BUILD = table_of(
    BuildTable,
    short="context",
    takes='should be a folder such as "web", or a table',
    schema=STRING_SCHEMA,
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
        "before it; the edge lets it call no others.",
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
