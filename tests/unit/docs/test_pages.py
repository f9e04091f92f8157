"""The pages know what the code knows: keys, commands, messages, files, the version."""

from __future__ import annotations

import ast
import re
from functools import cache

import pytest

from containerdeploy import __version__
from containerdeploy.bootstrap import NAMES
from containerdeploy.cli.app import COMMANDS
from containerdeploy.host import Host
from containerdeploy.stackfile.host_file import HostTable
from containerdeploy.stackfile.table import keys_of
from tests.unit.docs.pages import PAGES, ROOT

PACKAGE = ROOT / "containerdeploy"
HOST = (ROOT / "docs/host.md").read_text(encoding="utf-8")
HOW = (ROOT / "docs/how-it-works.md").read_text(encoding="utf-8")
TROUBLE = (ROOT / "docs/troubleshooting.md").read_text(encoding="utf-8")
MESSAGES = re.findall(r"^### `(.+)`$", TROUBLE, re.M)


def rows(text: str, section: str) -> list[str]:
    """The first cells of the table in a section."""
    _, _, rest = text.partition(f"\n## {section}\n")
    assert rest, section
    table = re.findall(r"^\| (.+?) \|", rest.partition("\n## ")[0], re.M)
    return table[1:]


@cache
def said() -> str:
    """Every text in the code but docstrings, one a line; what is filled in is `…`."""
    found: list[str] = []
    for file in sorted(PACKAGE.rglob("*.py")):
        nodes = list(ast.walk(ast.parse(file.read_text(encoding="utf-8"))))
        alone = {node.value for node in nodes if isinstance(node, ast.Expr)}
        for node in nodes:
            if node in alone:
                continue
            if isinstance(node, ast.JoinedStr):
                parts = (v.value if isinstance(v, ast.Constant) else "…" for v in node.values)
                found.append("".join(map(str, parts)))
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                found.append(node.value)
    return "\n".join(found)


# -- this host -----------------------------------------------------------------------


def test_every_key_of_host_toml_is_on_its_page():
    """docs/host.md has a row for each key, no more and no fewer, and an example of each."""
    assert rows(HOST, "Keys") == [f"`{name}`" for name in keys_of(HostTable)]
    for name in keys_of(HostTable):
        assert re.search(rf"^{name} +=", HOST, re.M), name


def test_the_defaults_of_host_toml_are_the_ones_on_its_page(tmp_path):
    """What docs/host.md calls the default is the default."""
    host = Host(file=tmp_path, state=tmp_path)
    for name, shown in re.findall(r"^\| `(\w+)` \| `(.+?)` \|", HOST, re.M):
        value = getattr(host, name)
        if isinstance(value, tuple):
            value = list(value)
        assert shown == (f'"{value}"' if isinstance(value, str) else str(value)), name


def test_every_piece_of_a_host_is_on_its_page():
    """docs/host.md says what bootstrap does for each piece, in its order."""
    assert ["host settings", *rows(HOST, "Made ready: cdeploy bootstrap")] == list(NAMES)


def test_the_state_folder_is_as_described(tmp_path):
    """docs/how-it-works.md names what the host settings say lies in the state folder."""
    host = Host(file=tmp_path, state=tmp_path)
    folder = HOW.partition("\n## The state folder\n")[2].partition("\n## ")[0]
    for path in (host.ledger, host.locks, host.edge_state, host.secrets):
        assert f"    {path.relative_to(tmp_path)}" in folder, path


# -- commands and events --------------------------------------------------------------


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_commands_that_are_named_exist(page):
    """No page names a command of cdeploy that is not there."""
    text = page.read_text(encoding="utf-8")
    named = set(
        re.findall(r"(?:^    |^\$ |`|sudo |# )cdeploy (?:--host-file \S+ )?([a-z]+)", text, re.M)
    )
    assert named <= set(COMMANDS)


def test_commands_that_messages_name_exist():
    """No message of the code sends anybody to a command of cdeploy that is not there."""
    named = set(re.findall(r"`(?:sudo )?cdeploy ([a-z]+)", said()))
    assert "bootstrap" in named
    assert named <= set(COMMANDS)


def test_every_event_is_described():
    """docs/how-it-works.md has every event that the code emits, and no other."""
    emitted = set()
    for file in sorted(PACKAGE.rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "Event" and node.args:
                name = node.args[0]
                assert isinstance(name, ast.Constant), f"{file}:{node.lineno}"
                emitted.add(name.value)
    described = {n for cell in rows(HOW, "For programs") for n in re.findall(r"`(\w+)`", cell)}
    assert described == emitted


# -- messages ---------------------------------------------------------------------------


@pytest.mark.parametrize("message", MESSAGES)
def test_messages_are_the_codes_own(message):
    """docs/troubleshooting.md explains messages that there are, in their words."""
    parts = [re.escape(part.strip()) for part in message.split("…") if part.strip()]
    assert re.search("[^\n]*?".join(parts), said()), message


def test_there_are_messages():
    """The test above looks at something."""
    assert len(MESSAGES) > 20


# -- the version --------------------------------------------------------------------------


def test_the_changelog_has_this_version():
    """CHANGELOG.md begins with the version that the package has."""
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    first = re.search(r"^## \[(\d+\.\d+\.\d+)\] - (unreleased|\d{4}-\d\d-\d\d)$", text, re.M)
    assert first is not None
    assert first[1] == __version__


def test_the_python_and_engine_that_are_needed_are_named():
    """README.md asks for the Python that the package asks for."""
    asked = re.search(r'requires-python = ">=([\d.]+)"', (ROOT / "pyproject.toml").read_text())
    assert asked is not None
    assert f"Python {asked[1]} or newer" in (ROOT / "README.md").read_text(encoding="utf-8")
