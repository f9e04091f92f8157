"""docs/checks.md and the kinds say the same."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from containerdeploy.checks.kinds import KINDS, docs
from containerdeploy.stackfile.load import load_stack

PAGE = (Path(__file__).parents[3] / "docs" / "checks.md").read_text()


def keys(section):
    """The keys in a section's table."""
    _, _, rest = PAGE.partition(f"\n## {section}\n")
    rows = re.findall(r"^\| (`.*?) \|", rest.partition("\n## ")[0], re.MULTILINE)
    return {key for row in rows for key in re.findall(r"`(\w+)`", row)}


@pytest.mark.parametrize("kind", KINDS)
def test_every_key_is_on_the_page(kind):
    """Its own table has its keys, no more and no fewer; the common ones have theirs."""
    assert keys(kind) | keys("Keys of every kind") == set(docs(KINDS[kind]))


def test_the_example_is_a_stack_file(tmp_path):
    """What the page shows is read without a complaint, a check of each kind."""
    example = re.search(r"```toml\n(.*?)```", PAGE, re.DOTALL)[1]
    file = tmp_path / "stack.toml"
    file.write_text(f'[stack]\nname = "x"\n[service.web]\nimage = "x"\nport = 8000\n{example}')
    stack = load_stack(file, env={})
    assert [check.kind for check in stack["web"].checks] == list(KINDS)
