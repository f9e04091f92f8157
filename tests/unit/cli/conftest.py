"""A cdeploy that runs in this process, on a host of its own in a temporary folder."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import pytest

from containerdeploy.cli.app import run

STACK = """
[stack]
name = "shop"

[service.web]
image = "web:1"
port = 8000
route = "shop.localhost"

[service.db]
image = "db:1"

[environment.production.service.web]
replicas = 2
"""


@dataclass(frozen=True)
class Ran:
    """What a run came to."""

    code: int
    out: str
    err: str

    @property
    def events(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.out.splitlines()]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """An empty folder to work in, with host.toml beside it."""
    (tmp_path / "host.toml").write_text(f'state = "{tmp_path}/state"\ninstance = "t-cli"\n')
    here = tmp_path / "here"
    here.mkdir()
    monkeypatch.chdir(here)
    return here


@pytest.fixture
def stack(folder):
    """The same folder with a stack.toml."""
    (folder / "stack.toml").write_text(STACK)
    return folder


@pytest.fixture
def cdeploy(folder, capsys):
    """Runs cdeploy with these arguments."""

    def call(*args: str, **env: str) -> Ran:
        everything = {"CDEPLOY_HOST_FILE": str(folder.parent / "host.toml"), **env}
        code = run(args, everything)
        said = capsys.readouterr()
        return Ran(code, said.out, said.err)

    return call
