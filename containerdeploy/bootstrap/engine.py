"""The container engine: installed where there is none, started where it does not run.

An engine that answers is never touched, and one that is somewhere else
(DOCKER_HOST, a context) is nobody's to install.
"""

from __future__ import annotations

import os
import shutil
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from containerdeploy.bootstrap import daemon as daemons
from containerdeploy.bootstrap.apt import Apt
from containerdeploy.bootstrap.base import Finding
from containerdeploy.bootstrap.process import run as run_program
from containerdeploy.engines.address import USUAL, address
from containerdeploy.errors import EngineError, HostNotReady
from containerdeploy.events import Event

if TYPE_CHECKING:
    from collections.abc import Callable

    from containerdeploy.bootstrap.process import Ended
    from containerdeploy.engines.address import Address
    from containerdeploy.engines.base import Engine
    from containerdeploy.events import Emit

WHY = "containers need an engine to run in"
START_TIMEOUT = 60.0
POLL = 0.1
GIVE_UP = 3.0
"""Seconds for which another engine may still appear after the one we started has ended."""
BESIDE = ("docker-cli", "docker-buildx", "iptables", "ca-certificates")
"""What newer releases split off from docker.io and no longer depend on."""
SYSTEMD = Path("/run/systemd/system")
"""There when systemd is the init system (sd_booted(3))."""


@dataclass(slots=True)
class EnginePiece:
    """Docker Engine, answering.

    Attributes:
        connect: gives the engine's driver.
        log: where a dockerd that we start writes.
    """

    connect: Callable[[], Engine]
    log: Path
    apt: Apt = field(default_factory=Apt)
    run: Callable[..., Ended] = run_program
    daemon: daemons.Daemon = field(default_factory=daemons.Daemon)
    where: Callable[[], Address] = address
    which: Callable[[str], str | None] = shutil.which
    systemd: Callable[[], bool] = SYSTEMD.is_dir
    start_timeout: float = START_TIMEOUT
    name: str = "engine"

    def check(self) -> Finding:
        """Whether it answers, and if not, how far off it is."""
        where = self.where()
        try:
            info = self.connect().info()
        except (HostNotReady, EngineError) as error:
            return Finding(False, error.message, WHY, self._cure(where))
        return Finding(True, f"Docker Engine {info.version} ({info.storage}, {info.architecture})")

    def mend(self, emit: Emit) -> str:
        """Install it when it is not there, start it when it does not run.

        Raises:
            HostNotReady: not root, not ours to start, or it did not come up in time.
        """
        where = self.where()
        if where.url != USUAL or not self.apt.root or self._forbidden():
            raise HostNotReady(
                f"no container engine answers at {where}", hint=f"{self._cure(where)}"
            )
        done = []
        if self.which("dockerd") is None:
            _say(emit, "installing docker.io: no container engine is here")
            self.apt.update()
            further = [package for package in BESIDE if self.apt.known(package)]
            self.apt.install("docker.io", *further)
            done.append("installed docker.io")
        if self.systemd():
            _say(emit, "starting the engine with systemd")
            ended = self.run(("systemctl", "start", "docker"), timeout=self.start_timeout)
            if ended.code != 0:
                raise HostNotReady(
                    "`systemctl start docker` failed",
                    hint="`journalctl -u docker -n 50` says why",
                    detail=ended.last,
                )
            self._wait(None)
            return ", ".join([*done, "started by systemd"])
        done.append(self._start(emit))
        return ", ".join(done)

    def _start(self, emit: Emit) -> str:
        if self.daemon.running():
            _say(emit, "waiting for the engine that is starting")
            self._wait(None)
            return "waited until it answered"
        removed = self.daemon.clear()
        if removed:
            _say(emit, f"removed what a killed engine left behind: {', '.join(map(str, removed))}")
        self.log.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        _say(emit, f"starting dockerd (no systemd here); its log is {self.log}")
        process = self.daemon.start(self.log)
        self._wait(process.poll)
        return "started dockerd in the background"

    def _wait(self, ended: Callable[[], int | None] | None) -> None:
        """Until it answers. One that we started and that ended has lost to another, or failed."""
        deadline = time.monotonic() + self.start_timeout
        while True:
            try:
                self.connect().info()
            except (HostNotReady, EngineError) as error:
                # While dockerd ends the containers of a killed one (up to 10 s each, at
                # once), it already takes connections and says nothing.
                if ended is not None and ended() is not None:
                    deadline = min(deadline, time.monotonic() + GIVE_UP)
                    ended = None
                if time.monotonic() > deadline:
                    raise HostNotReady(
                        f"the engine does not answer after it was started: {error.message}",
                        hint=f"its log says why: {self.log}",
                        detail=daemons.tail(self.log),
                    ) from error
                time.sleep(POLL)
            else:
                return

    def _forbidden(self) -> bool:
        """Whether there is an engine that this user may not talk to."""
        path = Path(USUAL.removeprefix("unix://"))
        return path.is_socket() and not os.access(path, os.W_OK)

    def _cure(self, where: Address) -> str:
        if where.url != USUAL:
            return f"start the engine at {where}, or unset {where.named or 'DOCKER_HOST'}"
        if self._forbidden():
            return "`sudo usermod -aG docker $USER`, then log in again; or run cdeploy as root"
        if not self.apt.there():
            return "install Docker Engine 20.10 or newer and start it (docs.docker.com/engine)"
        if self.apt.root:
            return "run `cdeploy bootstrap`, which installs and starts one"
        steps = ["sudo cdeploy bootstrap"]
        if self.which("dockerd") is None:
            steps.insert(0, self.apt.command("docker.io"))
        elif self.systemd():
            steps.insert(0, "sudo systemctl start docker")
        return f"run `{' && '.join(steps)}`"


def _say(emit: Emit, text: str) -> None:
    emit(Event("bootstrap", {"item": "engine", "state": "doing", "what": text}))
