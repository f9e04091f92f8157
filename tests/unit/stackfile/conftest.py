"""Stack files in a folder of their own."""

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from containerdeploy.errors import BadInput, Problem
from containerdeploy.stack import Stack
from containerdeploy.stackfile.load import load_stack

Load = Callable[..., Stack]
Told = Callable[..., tuple[Problem, ...]]


@pytest.fixture
def load(tmp_path: Path) -> Load:
    """Load a text as a stack file; ``tmp_path/app`` can be built."""
    (tmp_path / "app").mkdir()
    (tmp_path / "app" / "Dockerfile").write_text("FROM scratch\n")

    def load(text: str, *, environment: str = "", env: Mapping[str, str] | None = None) -> Stack:
        path = tmp_path / "stack.toml"
        path.write_text(text)
        return load_stack(path, environment=environment, env=env or {})

    return load


@pytest.fixture
def told(load: Load) -> Told:
    """The problems of a text as a stack file, which must have some."""

    def told(text: str, **arguments: object) -> tuple[Problem, ...]:
        with pytest.raises(BadInput) as caught:
            load(text, **arguments)
        assert caught.value.problems
        return caught.value.problems

    return told
