"""A made-up machine: programs that are told what to answer, and an engine that comes up."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from containerdeploy.bootstrap.apt import Apt
from containerdeploy.bootstrap.process import Ended
from containerdeploy.engines.fake import FakeEngine
from containerdeploy.errors import HostNotReady


class Programs:
    """Stands for `process.run`; keeps what was run, and answers as it was told."""

    def __init__(self) -> None:
        self.ran: list[tuple[str, ...]] = []
        self.answers: dict[tuple[str, ...], Ended] = {}
        self.then: dict[tuple[str, ...], Callable[[tuple[str, ...]], None]] = {}

    def answer(self, *argv: str, code: int = 0, output: str = "") -> None:
        """What programs that begin so come to."""
        self.answers[argv] = Ended(code, output)

    def after(self, *argv: str, do: Callable[[tuple[str, ...]], None]) -> None:
        """What happens when a program that begins so is run."""
        self.then[argv] = do

    def __call__(self, argv: tuple[str, ...], *, timeout: float, env: object = None) -> Ended:
        assert timeout > 0
        self.ran.append(argv)
        for known, do in self.then.items():
            if argv[: len(known)] == known:
                do(argv)
        for known, ended in self.answers.items():
            if argv[: len(known)] == known:
                return ended
        return Ended(0, "")

    def started_with(self, *argv: str) -> list[tuple[str, ...]]:
        """What was run that begins so."""
        return [one for one in self.ran if one[: len(argv)] == argv]


class Machine:
    """An engine that answers once it is up, and what is installed."""

    def __init__(self, *, up: bool = False, installed: bool = False) -> None:
        self.engine = FakeEngine()
        self.up = up
        self.installed = {"dockerd"} if installed else set()
        self.programs = Programs()
        self.said: list[str] = []

    def apt(self, *, root: bool = True) -> Apt:
        return Apt(self.programs, root=root)

    def connect(self) -> FakeEngine:
        if not self.up:
            raise HostNotReady("no engine answers at unix:///var/run/docker.sock")
        return self.engine

    def which(self, name: str) -> str | None:
        return f"/usr/bin/{name}" if name in self.installed else None

    def emit(self, event) -> None:
        assert event.event == "bootstrap"
        self.said.append(event.data["what"])


class Started:
    """Stands for `Daemon`: coming up is what the test says."""

    def __init__(self, machine: Machine, *, code: int | None = None, comes_up: bool = True) -> None:
        self.machine = machine
        self.code = code
        self.comes_up = comes_up
        self.already = False
        self.left: tuple[Path, ...] = ()
        self.calls: list[str] = []

    def running(self) -> bool:
        return self.already

    def clear(self) -> tuple[Path, ...]:
        self.calls.append("clear")
        return self.left

    def start(self, log: Path):
        self.calls.append("start")
        log.write_text("failed to start daemon: no room\n")
        self.machine.up = self.comes_up
        return self

    def poll(self) -> int | None:
        return self.code
