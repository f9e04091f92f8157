"""A stack comes back from the ledger's JSON as it was."""

from __future__ import annotations

import json

from containerdeploy.checks.kinds import KINDS
from containerdeploy.stack import (
    Build,
    Health,
    Limits,
    Route,
    Secret,
    Service,
    Stack,
    Volume,
)
from containerdeploy.stored import stack_from_json, stack_to_json


def test_there_and_back():
    """Everything of a stack survives, checks and tuples included."""
    web = Service(
        name="web",
        build=Build("/src", "/src/Dockerfile", (("A", "1"),), "prod"),
        command=("a", "b"),
        port=8000,
        protocol="http",
        routes=(Route(host="a.localhost", path="/x/"), Route(tcp=5432)),
        uses=("db",),
        env=(("A", "1"),),
        secrets=(Secret("K", env="K"),),
        volumes=(Volume("data", "/data"), Volume("/x", "/y", True, True, "./x")),
        limits=Limits(memory=1, cpus=0.5),
        health=Health(path="/up"),
        before_switch=("m",),
        checks=(
            KINDS["http"](path="/up", status=200, file="stack.toml", line=3),
            KINDS["command"](run=("true",), timeout=3.0),
        ),
        file="stack.toml",
        line=2,
    )
    stack = Stack("shop", (web, Service(name="db", port=5432)), "stack.toml", "production")
    assert stack_from_json(json.loads(json.dumps(stack_to_json(stack)))) == stack
