"""Programs are run with a deadline, and packages installed only by root."""

from __future__ import annotations

import sys

import pytest

from containerdeploy.bootstrap.apt import Apt
from containerdeploy.bootstrap.process import Ended, run
from containerdeploy.errors import HostNotReady
from tests.unit.bootstrap.machine import Programs


def test_both_streams_and_the_code():
    """Output and errors are kept together; a failed program is no exception."""
    script = "import sys; print('out', flush=True); print('err', file=sys.stderr); sys.exit(3)"
    ended = run((sys.executable, "-c", script), timeout=30)
    assert ended == Ended(3, "out\nerr\n")


def test_variables_are_added():
    """The program sees the given variables beside our own."""
    script = "import os; print(os.environ['LC_ALL'], 'PATH' in os.environ)"
    assert run((sys.executable, "-c", script), timeout=30, env={"LC_ALL": "C"}).output == "C True\n"


def test_a_hung_program():
    """A program that does not end is killed, and what it said is shown."""
    script = "import time; print('waiting for a lock', flush=True); time.sleep(60)"
    with pytest.raises(HostNotReady, match="did not end within") as caught:
        run((sys.executable, "-c", script), timeout=1.0)
    assert "waiting for a lock" in caught.value.detail


def test_no_such_program():
    """A host without the program is told what to do instead."""
    with pytest.raises(HostNotReady, match="no program called nosuchprogram"):
        run(("nosuchprogram",), timeout=5)


def test_only_the_last_lines():
    """A long output is cut to its end."""
    last = Ended(1, "".join(f"{n}\n" for n in range(100))).last
    assert last.splitlines()[-1] == "99"
    assert len(last.splitlines()) == 25


def test_lists_are_fetched_once():
    """The package lists are fetched once, however much is installed."""
    programs = Programs()
    apt = Apt(programs, root=True)
    apt.install("one")
    apt.install("two", "three")
    assert len(programs.started_with("apt-get", "update")) == 1
    assert programs.ran[-1][-2:] == ("two", "three")
    assert "--no-install-recommends" in programs.ran[-1]


def test_apt_fails():
    """A failed installation shows its last lines."""
    programs = Programs()
    programs.answer("apt-get", "-o", code=100, output="E: Unable to locate package one\n")
    with pytest.raises(HostNotReady, match="exit code 100") as caught:
        Apt(programs, root=True).install("one")
    assert "Unable to locate" in caught.value.detail


def test_not_root():
    """Others than root get the command and nothing is run."""
    programs = Programs()
    with pytest.raises(HostNotReady) as caught:
        Apt(programs, root=False).install("mmdebstrap")
    assert "sudo apt-get install --no-install-recommends mmdebstrap" in caught.value.hint
    assert programs.ran == []


def test_known_packages():
    """A package without a candidate, or that the lists don't have, is not known."""
    programs = Programs()
    programs.answer("apt-cache", "policy", "there", output="there:\n  Candidate: 1.0\n")
    programs.answer("apt-cache", "policy", "virtual", output="virtual:\n  Candidate: (none)\n")
    apt = Apt(programs, root=True)
    assert apt.known("there")
    assert not apt.known("virtual")
    assert not apt.known("unheard-of")
