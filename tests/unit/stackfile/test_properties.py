"""Whatever is in the file: a stack, or problems that stand in it."""

import os
import tempfile
from pathlib import Path

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from containerdeploy.errors import BadInput
from containerdeploy.stack import Stack
from containerdeploy.stackfile.load import load_stack
from tests.unit.stackfile.documents import KEYS, VALUES, good, mutated, written

QUICK = settings(deadline=None, max_examples=150, suppress_health_check=list(HealthCheck))


def read(source: bytes, environment: str = "") -> Stack | BadInput:
    """Load these bytes as a stack file; the problems must stand in it."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "stack.toml"
        path.write_bytes(source)
        try:
            stack = load_stack(path, environment=environment, env={"X": "x"})
        except BadInput as error:
            found = error
        else:
            assert isinstance(stack, Stack)
            return stack
    assert found.problems
    for problem in found.problems:
        assert problem.message
        if problem.file == str(path):
            assert 1 <= problem.line <= source.count(b"\n") + 1
    return found


@QUICK
@given(st.binary(max_size=200))
@example(b"\xef\xbb\xbf[stack]")
@example(b"[stack]\r\nname = 'x'\r\n[service.a]\r\nimage = 'i'\r\n")
def test_bytes(source):
    """Random bytes never end in another exception."""
    read(source)


@QUICK
@given(st.text("[]{}=\"'.,#\n\\ ab1$-_:\t", max_size=120))
def test_almost_toml(text):
    """Random text of TOML's own characters never ends in another exception."""
    read(text.encode())


@QUICK
@given(st.dictionaries(st.sampled_from(["stack", "service", "environment"]) | KEYS, VALUES))
def test_any_toml(data):
    """Random values at random keys never end in another exception."""
    read(written(data).encode())


@QUICK
@given(mutated(), st.sampled_from(["", "", "p"]))
def test_mutated_stack_files(data, environment):
    """A good file with some values changed is a stack or has problems."""
    read(written(data).encode(), environment)


@QUICK
@given(good())
def test_good_stack_files(data):
    """A good file loads whole, and `in_order` puts each service after those that it uses."""
    stack = read(written(data).encode())
    assert isinstance(stack, Stack), [str(problem) for problem in stack.problems]
    assert [service.name for service in stack.services] == list(data["service"])
    order = [service.name for service in stack.in_order()]
    assert sorted(order) == sorted(data["service"])
    for service in stack.services:
        for used in service.uses:
            assert order.index(used) < order.index(service.name)


@QUICK
@given(good())
def test_same_file_same_stack(data):
    """Reading twice gives equal values."""
    first, second = (read(written(data).encode()) for _ in range(2))
    assert isinstance(first, Stack)
    assert isinstance(second, Stack)
    strip = os.path.basename
    assert [strip(s.file) for s in first.services] == [strip(s.file) for s in second.services]
    assert [s.checks and s.checks[0].title() for s in first.services] == [
        s.checks and s.checks[0].title() for s in second.services
    ]
    assert [(s.name, s.env, s.routes, s.port) for s in first.services] == [
        (s.name, s.env, s.routes, s.port) for s in second.services
    ]
