"""Every command explains itself, in its help and in docs/commands.md."""

from __future__ import annotations

from pathlib import Path

import pytest
import typer

from containerdeploy.cli import exits
from containerdeploy.cli.app import COMMANDS, make_app

DOCS = (Path(__file__).parents[3] / "docs" / "commands.md").read_text(encoding="utf-8")
GROUP = typer.main.get_command(make_app())


def section(name: str) -> str:
    """The part of the docs about one command."""
    _, _, rest = DOCS.partition(f"\n## cdeploy {name}\n")
    return rest.partition("\n## ")[0]


@pytest.mark.parametrize("name", COMMANDS)
def test_the_help_of_a_command_has_an_example(name, cdeploy):
    """`cdeploy COMMAND --help` shows an example of that very command, and the global options."""
    out = cdeploy(name, "--help").out
    assert f"cdeploy {name}" in out.partition("Example:")[2]
    for option in ("--json", "--quiet", "--verbose", "--no-color", "--host-file"):
        assert option in out


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_and_option_is_documented(name):
    """docs/commands.md has a section for each command, which names each of its options."""
    text = section(name)
    assert text.strip(), f"docs/commands.md has no section '## cdeploy {name}'"
    options = [opt for p in GROUP.commands[name].params for opt in p.opts if opt.startswith("-")]
    missing = [opt for opt in options if f"`{opt}" not in text and opt not in ("-h", "--help")]
    assert missing == []


def test_the_docs_name_no_option_that_is_not_there():
    """What the docs say of a command, the command can do."""
    import re

    shared = {opt for param in GROUP.params for opt in param.opts}
    for name in COMMANDS:
        known = {opt for p in GROUP.commands[name].params for opt in p.opts} | shared
        assert set(re.findall(r"^- `(--?[a-z-]+)", section(name), re.M)) <= known, name


def test_global_options_and_exit_codes_are_documented():
    """docs/commands.md names every global option and every exit code."""
    for param in GROUP.params:
        for opt in param.opts:
            assert f"`{opt}" in DOCS, opt
    for code in exits.MEANINGS:
        assert f"| {code} |" in DOCS, code


def test_the_help_lists_every_command(cdeploy):
    """`cdeploy --help` names each command, in the order of their use."""
    out = cdeploy("--help").out.partition("Commands:")[2]
    assert [line.split()[0] for line in out.splitlines() if line.startswith("  ")] == list(COMMANDS)
