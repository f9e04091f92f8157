"""The lock of a stack: one at a time, and it dies with its holder."""

from __future__ import annotations

import signal
import subprocess
import sys
import textwrap

import pytest

from containerdeploy.errors import Locked
from containerdeploy.lock import stack_lock

HOLDER = """
    import sys
    from pathlib import Path
    from containerdeploy.lock import stack_lock
    with stack_lock(Path(sys.argv[1]), "shop", doing="up"):
        print("held", flush=True)
        sys.stdin.read()
"""


@pytest.fixture
def holder(tmp_path):
    """Another process that holds the lock of stack shop."""
    process = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(HOLDER), str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout.readline() == "held\n"
    yield process
    process.kill()
    process.wait()
    for pipe in (process.stdin, process.stdout):
        pipe.close()


def test_second_is_told_who(tmp_path, holder):
    """The second is told which process holds it, since when, and what it does."""
    with (
        pytest.raises(Locked, match=rf"process {holder.pid} for \d+ s \(up\)"),
        stack_lock(tmp_path, "shop", doing="up"),
    ):
        pass


def test_other_stack_is_free(tmp_path, holder):
    """Another stack's lock is another lock."""
    with stack_lock(tmp_path, "blog", doing="up"):
        pass


def test_dies_with_its_holder(tmp_path, holder):
    """A holder that is killed leaves no lock behind."""
    holder.send_signal(signal.SIGKILL)
    holder.wait()
    with stack_lock(tmp_path, "shop", doing="up"):
        pass


def test_waits(tmp_path, holder):
    """With a wait, the second says once whom it waits for, and goes on when it is free."""
    said = []

    def waiting(text: str) -> None:
        said.append(text)
        holder.stdin.close()

    with stack_lock(tmp_path, "shop", doing="up", wait=10, waiting=waiting):
        pass
    assert len(said) == 1
    assert str(holder.pid) in said[0]


def test_again_after_an_error(tmp_path):
    """An error inside gives the lock back."""
    with pytest.raises(ValueError, match="inside"), stack_lock(tmp_path, "shop", doing="up"):
        raise ValueError("inside")
    with stack_lock(tmp_path, "shop", doing="up"):
        pass
