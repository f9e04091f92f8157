"""cdeploy as its users call it: the installed command, in a process of its own."""

from __future__ import annotations

import json
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.benchmarks.command import CommandFailed, Ended, run

if TYPE_CHECKING:
    from containerdeploy.host import Host

COMMAND = str(Path(sys.executable).with_name("cdeploy"))


@dataclass(frozen=True, slots=True)
class Up:
    """One `cdeploy up`: seconds from outside, and its last event."""

    seconds: float
    done: dict[str, Any]

    @property
    def switch_ms(self) -> float:
        """Milliseconds of the switch itself, as cdeploy reports it."""
        return float(self.done["switch_ms"])


@dataclass(frozen=True, slots=True)
class Cdeploy:
    """The command, on an instance of its own (its host.toml is written already)."""

    host: Host

    def __call__(self, *words: str) -> Ended:
        """`cdeploy WORDS...`, timed."""
        # An installed package has its bytecode; where the environment forbids to write it,
        # each run of this checkout would compile the whole program again.
        env = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
        return run((COMMAND, *words), env={**env, "CDEPLOY_HOST_FILE": str(self.host.file)})

    def up(self, stack: Path, *, result: str = "switched") -> Up:
        """`cdeploy up STACK --json`, timed.

        Raises:
            CommandFailed: it failed, or came to something else than `result`.
        """
        ended = self("up", str(stack), "--json")
        done = json.loads(ended.stdout.splitlines()[-1])
        if done["event"] != "done" or done["result"] != result:
            raise CommandFailed(f"cdeploy up came to {done}, not to {result}")
        return Up(ended.seconds, done)
