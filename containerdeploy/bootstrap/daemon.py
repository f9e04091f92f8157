"""The engine's daemon on a host without systemd: started, and told from its remains.

An engine that was killed hard leaves files behind that keep the next one from
starting: pid files whose number now belongs to another process (dockerd then says
"process with PID ... is still running"), and sockets that nobody listens at.
Remains of one that still runs are never touched.
"""

from __future__ import annotations

import os
import socket
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from containerdeploy.errors import HostNotReady

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass(frozen=True, slots=True)
class Daemon:
    """dockerd and the containerd that it starts.

    Attributes:
        root: the file system's root; tests give a folder.
        proc: where processes are seen.
        program: what is started.
    """

    root: Path = Path("/")
    proc: Path = Path("/proc")
    program: str = "dockerd"

    @property
    def pid_files(self) -> tuple[tuple[Path, str], ...]:
        """Pid files with the name of the process that each should point at."""
        run = self.root / "var/run"
        return (
            (run / "docker.pid", "dockerd"),
            (run / "docker/containerd/containerd.pid", "containerd"),
        )

    @property
    def sockets(self) -> tuple[Path, ...]:
        """Sockets that dockerd takes for a sign of a running containerd.

        dockerd 20.10 to 28 use a system containerd when this file exists, and wait
        in vain when nobody listens there (cmd/dockerd/daemon_unix.go).
        """
        return (self.root / "run/containerd/containerd.sock",)

    def running(self) -> bool:
        """Whether a dockerd runs, starting up included."""
        file, name = self.pid_files[0]
        pid = _pid(file)
        return pid is not None and self._is(pid, name)

    def stale(self) -> Iterator[Path]:
        """What a hard end left behind and would be in the way."""
        for file, name in self.pid_files:
            if file.exists():
                pid = _pid(file)
                if pid is None or not self._is(pid, name):
                    yield file
        for path in self.sockets:
            if path.is_socket() and not _listens(path):
                yield path

    def clear(self) -> tuple[Path, ...]:
        """Remove what is stale; what was removed. Raises `HostNotReady`."""
        removed = tuple(self.stale())
        for path in removed:
            try:
                path.unlink(missing_ok=True)
            except OSError as error:
                raise HostNotReady(
                    f"{path} is left over from a killed engine and can't be removed: {error}",
                    hint=f"remove it as root: `sudo rm {path}`",
                ) from error
        return removed

    def start(self, log: Path) -> subprocess.Popen[bytes]:
        """Start it in the background, so that it outlives us; its output is added to `log`.

        Raises:
            HostNotReady: it could not be started at all.
        """
        try:
            with log.open("ab") as output:
                return subprocess.Popen(
                    (self.program,),
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    # Neither our Ctrl-C nor our folder is the engine's business.
                    start_new_session=True,
                    cwd="/",
                )
        except OSError as error:
            raise HostNotReady(
                f"{self.program} could not be started: {error}",
                hint="is docker.io installed completely? `apt-get install --reinstall docker.io`",
            ) from error

    def _is(self, pid: int, name: str) -> bool:
        try:
            comm = (self.proc / str(pid) / "comm").read_text(encoding="utf-8").strip()
            state = (self.proc / str(pid) / "stat").read_text(encoding="utf-8")
        except (FileNotFoundError, ProcessLookupError):
            return False
        # A zombie runs no more, whatever its name (proc(5): the state follows the name).
        return comm == name and state.rpartition(")")[2].split()[:1] != ["Z"]


def tail(log: Path, lines: int = 15) -> str:
    """The last lines of a log; empty when there is none."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - 16_384))
            text = file.read().decode(errors="replace")
    except FileNotFoundError:
        return ""
    return "\n".join(text.splitlines()[-lines:])


def _pid(file: Path) -> int | None:
    try:
        return int(file.read_text(encoding="ascii").strip())
    except (FileNotFoundError, ValueError):
        return None


def _listens(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(2.0)
        try:
            probe.connect(str(path))
        except TimeoutError:
            return True  # somebody is there, only slow
        except OSError:
            return False
    return True
