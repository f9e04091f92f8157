"""The small tables of the stack file: their keys, defaults, and what each means."""

from __future__ import annotations

from dataclasses import dataclass

from containerdeploy.stackfile.kinds import (
    CPUS,
    HOST,
    MEMORY,
    NAME,
    PIDS,
    PORT,
    PROGRAM,
    ROUTE_PATH,
    SECONDS,
    SOME_SECONDS,
    STATUS,
    TEXT,
    URL_PATH,
    VARIABLE,
    VARIABLES,
)
from containerdeploy.stackfile.table import (
    NOTHING,
    REQUIRED,
    Table,
    key,
)


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
