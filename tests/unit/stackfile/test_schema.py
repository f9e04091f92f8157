"""The JSON Schema, and the reference that is held to the same tables."""

import re
import tomllib
from pathlib import Path

import jsonschema
import pytest
from hypothesis import given, settings

from containerdeploy.checks.kinds import KINDS
from containerdeploy.stackfile.example import init_template
from containerdeploy.stackfile.schema import documented_keys, stack_schema
from tests.unit.stackfile.documents import good

ROOT = Path(__file__).parents[3]
DOCS = (ROOT / "docs" / "stack-file.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"```toml\n(.*?)```", DOCS, re.DOTALL)
VALIDATOR = jsonschema.Draft202012Validator(stack_schema())


def test_is_a_schema():
    """It is valid itself, and every reference in it leads somewhere."""
    schema = stack_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    references = set(re.findall(r"'#/\$defs/(\w+)'", str(schema)))
    assert references == set(schema["$defs"])


@pytest.mark.parametrize("path", sorted((ROOT / "stacks").glob("*/stack.toml")), ids=str)
def test_own_stacks_fit(path):
    """The stacks that come with the project fit."""
    VALIDATOR.validate(tomllib.loads(path.read_text(encoding="utf-8")))


def test_first_stack_fits():
    """What `cdeploy init` writes fits."""
    VALIDATOR.validate(tomllib.loads(init_template("first")["stack.toml"]))


@settings(deadline=None, max_examples=60)
@given(good())
def test_good_stacks_fit(data):
    """What can be loaded fits."""
    VALIDATOR.validate(data)


@pytest.mark.parametrize(
    "service",
    [
        {"image": "i", "prot": 1},
        {"image": "i", "port": 70000},
        {"image": "i", "drain": "soon"},
        {"image": "i", "health": {"pth": "/"}},
        {"image": "i", "test": {"htp": {}}},
        {"image": "i", "test": {"http": [{"pth": "/"}]}},
        {"image": "i", "command": "a b"},
    ],
)
def test_bad_services_do_not_fit(service):
    """Unknown keys and values of a wrong shape do not fit."""
    data = {"stack": {"name": "x"}, "service": {"web": service}}
    assert not VALIDATOR.is_valid(data)


def test_each_key_says_what_it_means():
    """Every key has a meaning; the common ones of checks are told in the text."""
    for key in documented_keys():
        assert key.meaning or key.path.split(".")[-1] in ("name", "skip", "timeout"), key.path
    assert {key.path.split(".")[3] for key in documented_keys() if ".test." in key.path} == set(
        KINDS
    )


@pytest.mark.parametrize("key", documented_keys(), ids=lambda key: key.path)
def test_reference_has_every_key(key):
    """docs/stack-file.md has a row for each key, with its default, meaning and example."""
    parts = key.path.removeprefix("service.NAME.").split(".")
    if parts[0] == "test" and len(parts) == 3:
        section = DOCS.split(f"\n### {parts[1]}")[1].split("\n## ")[0].split("\n### ")[0]
        row = next(
            (line for line in section.splitlines() if line.startswith(f"| `{parts[2]}` ")), ""
        )
        assert key.meaning in row
        assert row
        return
    keys = DOCS.split("\n### image")[0]
    rows = [line for line in keys.splitlines() if line.startswith(f"| `{'.'.join(parts)}` ")]
    assert len(rows) == 1
    cells = [cell.strip() for cell in rows[0].strip("|").split(" | ")]
    assert len(cells) == 5
    assert cells[1]
    assert cells[2].strip("`") == (key.default or ("required" if key.path == "stack.name" else ""))
    assert cells[3] == key.meaning
    assert cells[4].strip("`") == key.example


def test_reference_has_no_other_key():
    """A row of the reference is a key that there is."""
    known = {key.path.removeprefix("service.NAME.") for key in documented_keys()}
    known |= {key.path.split(".")[-1] for key in documented_keys() if ".test." in key.path}
    assert set(re.findall(r"^\| `([^`]+)` \|", DOCS, re.MULTILINE)) <= known


@pytest.mark.parametrize("text", EXAMPLES)
def test_examples_of_the_reference_load(text, load, tmp_path):
    """Every example in the reference is a stack, and fits the schema."""
    (tmp_path / "web").mkdir()
    (tmp_path / "web" / "Dockerfile").write_text("FROM scratch\n")
    VALIDATOR.validate(tomllib.loads(text))
    stack = load(text)
    for name in tomllib.loads(text).get("environment", {}):
        assert load(text, environment=name).name == stack.name
    assert len(EXAMPLES) > 5
