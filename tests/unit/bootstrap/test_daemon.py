"""What a killed engine leaves behind is told from what still runs."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from containerdeploy.bootstrap.daemon import Daemon, tail
from containerdeploy.errors import HostNotReady


@pytest.fixture
def remains(tmp_path):
    """A file system with the folders that dockerd uses, and a /proc of our own."""
    (tmp_path / "var/run/docker/containerd").mkdir(parents=True)
    (tmp_path / "run/containerd").mkdir(parents=True)
    return Daemon(root=tmp_path, proc=tmp_path / "proc")


def process(daemon: Daemon, pid: int, comm: str, state: str = "S") -> None:
    folder = daemon.proc / str(pid)
    folder.mkdir(parents=True)
    (folder / "comm").write_text(f"{comm}\n")
    (folder / "stat").write_text(f"{pid} ({comm}) {state} 1 1")


def listening(path: Path) -> socket.socket:
    server = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    server.bind(str(path))
    server.listen()
    return server


def test_nothing_left(remains):
    """A host on which no engine ever ran has nothing to clear."""
    assert remains.clear() == ()
    assert not remains.running()


@pytest.mark.parametrize("index", [0, 1])
@pytest.mark.parametrize("content", ["4242", "", "rubbish"])
def test_stale_pid_file(remains, index, content):
    """A pid file whose process is gone, or that has no number, is removed."""
    file, _ = remains.pid_files[index]
    file.write_text(content)
    assert remains.clear() == (file,)
    assert not file.exists()


@pytest.mark.parametrize("index", [0, 1])
def test_number_of_another_process(remains, index):
    """A pid file whose number now belongs to another program is removed."""
    file, _ = remains.pid_files[index]
    file.write_text("4242\n")
    process(remains, 4242, "postgres")
    assert remains.clear() == (file,)


@pytest.mark.parametrize("index", [0, 1])
def test_running_ones_are_kept(remains, index):
    """The pid file of a dockerd or containerd that runs is left alone."""
    file, name = remains.pid_files[index]
    file.write_text("4242")
    process(remains, 4242, name)
    assert remains.clear() == ()
    assert file.exists()
    assert remains.running() is (index == 0)


def test_a_zombie_does_not_run(remains):
    """A dockerd that was killed and not reaped yet counts as gone."""
    file, name = remains.pid_files[0]
    file.write_text("4242")
    process(remains, 4242, name, state="Z")
    assert not remains.running()
    assert remains.clear() == (file,)


def test_sockets(remains):
    """A containerd socket goes when nobody listens, and stays when somebody does."""
    (path,) = remains.sockets
    server = listening(path)
    assert remains.clear() == ()
    server.close()
    assert remains.clear() == (path,)
    assert not path.exists()


def test_start_outlives_us_and_keeps_a_log(tmp_path):
    """The daemon gets a session of its own, and what it says is in the log."""
    program = tmp_path / "dockerd"
    program.write_text(f"#!{sys.executable}\nimport os\nprint('sid', os.getsid(0), flush=True)\n")
    program.chmod(0o755)
    log = tmp_path / "dockerd.log"
    started = Daemon(program=str(program)).start(log)
    assert started.wait(timeout=30) == 0
    assert tail(log) == f"sid {started.pid}"
    assert os.getsid(0) != started.pid


def test_start_without_the_program(tmp_path):
    """A dockerd that is not there is an error that names the cure."""
    with pytest.raises(HostNotReady, match="could not be started") as caught:
        Daemon(program=str(tmp_path / "none")).start(tmp_path / "log")
    assert "docker.io" in caught.value.hint


def test_tail(tmp_path):
    """Only the last lines are shown, and a log that is not there is no error."""
    log = tmp_path / "log"
    assert tail(log) == ""
    log.write_text("".join(f"line {n}\n" for n in range(5000)))
    assert tail(log, 2) == "line 4998\nline 4999"


def test_the_real_proc():
    """A process of this machine is recognised by its name, and no more when it has ended."""
    sleeper = subprocess.Popen(("sleep", "60"))
    try:
        daemon = Daemon()
        # The kernel names a process a moment after Popen has seen that it was started.
        deadline = time.monotonic() + 5
        while not daemon._is(sleeper.pid, "sleep") and time.monotonic() < deadline:
            time.sleep(0.005)
        assert daemon._is(sleeper.pid, "sleep")
        assert not daemon._is(sleeper.pid, "dockerd")
        sleeper.send_signal(signal.SIGKILL)
        # Not reaped yet: a zombie.
        os.waitid(os.P_PID, sleeper.pid, os.WEXITED | os.WNOWAIT)
        assert not daemon._is(sleeper.pid, "sleep")
    finally:
        sleeper.kill()
        sleeper.wait()
