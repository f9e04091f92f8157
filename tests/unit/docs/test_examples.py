"""What the pages show in blocks is true."""

from __future__ import annotations

import pytest

from containerdeploy.stackfile import load_host, load_stack
from containerdeploy.stackfile.example import init_template
from tests.unit.docs.pages import PAGES, ROOT, blocks, commands, pattern

TOML = [block for page in PAGES for block in blocks(page, "toml")]
# docs/checks.md shows parts; tests/unit/checks/test_docs.py puts them together.
STACKS = [b for b in TOML if "[stack]" in b.text or b.page.name not in ("checks.md", "host.md")]
HOSTS = [b for b in TOML if b.page.name == "host.md"]


@pytest.mark.parametrize("block", STACKS, ids=str)
def test_stack_files_load(block, tmp_path):
    """Every stack file on a page is read without a complaint."""
    for folder in ("web", "app"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "Dockerfile").write_text("FROM scratch\n")
    file = tmp_path / "stack.toml"
    file.write_text(block.text)
    assert load_stack(file, env={}).services


@pytest.mark.parametrize("block", HOSTS, ids=str)
def test_host_files_load(block, tmp_path):
    """Every host.toml on a page is read without a complaint."""
    file = tmp_path / "host.toml"
    file.write_text(block.text)
    assert load_host(file, {}).instance in block.text


def test_the_readme_shows_what_init_writes():
    """Each line of the stack file in README.md is one of those that `cdeploy init` writes."""

    def lines(text: str) -> set[str]:
        plain = (" ".join(line.partition(" # ")[0].split()) for line in text.splitlines())
        return {line for line in plain if line}

    (shown,) = blocks(ROOT / "README.md", "toml")
    assert lines(shown.text) <= lines(init_template("first")["stack.toml"])


def test_consoles_are_run():
    """Only README.md has console blocks: its commands are run by tests/engine/test_docs.py."""
    found = [block for page in PAGES for block in blocks(page, "console")]
    assert {block.page for block in found} == {ROOT / "README.md"}
    assert all(commands(block) for block in found)


@pytest.mark.parametrize(
    ("shown", "seen", "fits"),
    [
        (("ready",), "ready\n", True),
        (("ready",), "not ready\n", False),
        (("ready",), "ready\nand more\n", False),
        (("...", "ready"), "one\ntwo\nready\n", True),
        (("...", "ready"), "ready\n", True),
        (("...", "ready"), "ready\nand more\n", False),
        (("switched in 1.1 ms",), "switched in 23 ms\n", True),
        (("switched in 1.1 ms",), "failed after 1.1 ms\n", False),
        (("release d217ee14b33a",), "release 39b5759c3d31\n", True),
        (("release d217ee14b33a",), "release latest\n", False),
        (("     27 Hello",), "      3 Hello\n", True),
        (("     27 Hello",), "      3 Moin\n", False),
        (("     27 Hello",), "      3 Hello\n      1 error\n", False),
        (("  web   serving  1/1  0    4",), "  web  serving  1/1  12   4\n", True),
        (("  web   serving  1/1  0    4",), "  web  serving  0/1  12   4\n", False),
        (("-> 200 OK",), "-> 503 OK\n", False),
        (("key; allowed: … (port)",), "key; allowed: a, b (port)\n", True),
        ((), "", True),
        ((), "words\n", False),
    ],
)
def test_output_that_differs_is_noticed(shown, seen, fits):
    """Times, ids and counts may differ from what is shown; words, states and lines may not."""
    assert bool(pattern(shown).fullmatch(seen)) is fits
