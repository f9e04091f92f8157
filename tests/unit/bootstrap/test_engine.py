"""The engine: never touched when it answers, installed and started when it is ours to."""

from __future__ import annotations

import pytest

from containerdeploy.bootstrap.engine import EnginePiece
from containerdeploy.engines.address import USUAL, Address
from containerdeploy.errors import EngineError, HostNotReady
from tests.unit.bootstrap.machine import Machine, Started


def piece(machine, tmp_path, *, root=True, daemon=None, systemd=False, where=None, **more):
    return EnginePiece(
        connect=machine.connect,
        log=tmp_path / "state/dockerd.log",
        apt=machine.apt(root=root),
        run=machine.programs,
        daemon=daemon or Started(machine),
        where=lambda: where or Address(USUAL),
        which=machine.which,
        systemd=lambda: systemd,
        **more,
    )


@pytest.fixture(autouse=True)
def _no_socket(monkeypatch):
    """The real engine of this machine plays no part."""
    monkeypatch.setattr(EnginePiece, "_forbidden", lambda self: False)


def test_one_that_answers(tmp_path):
    """An engine that answers is in order, and nothing is run to find that out."""
    machine = Machine(up=True)
    finding = piece(machine, tmp_path).check()
    assert finding.ok
    assert "Docker Engine" in finding.what
    assert machine.programs.ran == []


def test_checking_changes_nothing(tmp_path):
    """Looking for an engine that is not there makes no folder and runs no program."""
    machine = Machine()
    finding = piece(machine, tmp_path).check()
    assert not finding.ok
    assert "cdeploy bootstrap" in finding.cure
    assert machine.programs.ran == []
    assert list(tmp_path.iterdir()) == []


def test_installed_and_started(tmp_path):
    """Without an engine docker.io is installed, with the parts that newer Debians split off."""
    machine = Machine()
    machine.programs.answer("apt-cache", "policy", "docker-buildx", output="  Candidate: 0.13")
    machine.programs.answer("apt-cache", output="  Candidate: (none)")
    daemon = Started(machine)
    done = piece(machine, tmp_path, daemon=daemon).mend(machine.emit)
    assert done == "installed docker.io, started dockerd in the background"
    (install,) = (
        machine.programs.started_with("apt-get", "-o")
        or machine.programs.started_with("apt-get")[-1:]
    )
    assert install[-2:] == ("docker.io", "docker-buildx")
    assert daemon.calls == ["clear", "start"]


def test_started_by_systemd(tmp_path):
    """Where systemd runs the host, it starts the engine."""
    machine = Machine(installed=True)
    machine.programs.after("systemctl", do=lambda argv: setattr(machine, "up", True))
    daemon = Started(machine)
    assert piece(machine, tmp_path, daemon=daemon, systemd=True).mend(machine.emit)
    assert machine.programs.ran == [("systemctl", "start", "docker")]
    assert daemon.calls == []


def test_systemd_fails(tmp_path):
    """A unit that does not start is an error with its words and where to read on."""
    machine = Machine(installed=True)
    machine.programs.answer("systemctl", code=1, output="Unit docker.service is masked.")
    with pytest.raises(HostNotReady, match="systemctl start docker") as caught:
        piece(machine, tmp_path, systemd=True).mend(machine.emit)
    assert "masked" in caught.value.detail
    assert "journalctl" in caught.value.hint


def test_one_that_is_starting_is_waited_for(tmp_path):
    """A dockerd that is on its way up is not started a second time."""
    machine = Machine(installed=True)
    daemon = Started(machine)
    daemon.already = True
    answers = iter([False, False, True])

    def connect():
        machine.up = next(answers, True)
        return Machine.connect(machine)

    waited = piece(machine, tmp_path, daemon=daemon)
    waited.connect = connect
    assert waited.mend(machine.emit) == "waited until it answered"
    assert daemon.calls == []


def test_another_was_quicker(tmp_path):
    """When ours ends because another process started one, the other's is taken."""
    machine = Machine(installed=True)
    daemon = Started(machine, code=1, comes_up=True)
    assert piece(machine, tmp_path, daemon=daemon).mend(machine.emit)


def test_it_does_not_come_up(tmp_path):
    """A daemon that ends is reported with the last lines of its log, in no more than the time."""
    machine = Machine(installed=True)
    daemon = Started(machine, code=None, comes_up=False)
    with pytest.raises(HostNotReady, match="does not answer after it was started") as caught:
        piece(machine, tmp_path, daemon=daemon, start_timeout=0.3).mend(machine.emit)
    assert "no room" in caught.value.detail
    assert str(tmp_path / "state/dockerd.log") in caught.value.hint


@pytest.mark.parametrize(
    ("root", "installed", "url", "cure"),
    [
        (False, False, USUAL, "sudo apt-get install --no-install-recommends docker.io"),
        (False, True, USUAL, "sudo cdeploy bootstrap"),
        (True, True, "tcp://10.0.0.1:2375", "unset DOCKER_HOST"),
        (True, False, "tcp://10.0.0.1:2375", "unset DOCKER_HOST"),
    ],
)
def test_not_ours_to_start(tmp_path, root, installed, url, cure):
    """Without root, or with an engine elsewhere, nothing is installed; the cure is named."""
    machine = Machine(installed=installed)
    where = Address(url, named="" if url == USUAL else "DOCKER_HOST")
    with pytest.raises(HostNotReady) as caught:
        piece(machine, tmp_path, root=root, where=where).mend(machine.emit)
    assert cure in caught.value.hint
    assert machine.programs.ran == []


def test_a_silent_start(tmp_path):
    """An engine that takes connections and says nothing yet, as one does that ends the
    containers of a killed one, is waited for."""
    machine = Machine(installed=True)
    silent = iter([True, True, False])

    def connect():
        if next(silent, False):
            raise EngineError("the engine was silent for 10 s")
        return Machine.connect(machine)

    waited = piece(machine, tmp_path)
    waited.connect = connect
    assert not waited.check().ok
    assert waited.mend(machine.emit) == "started dockerd in the background"
