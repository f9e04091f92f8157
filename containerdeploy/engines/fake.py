"""An engine in memory: the same promises as the real one, and scriptable.

    engine = FakeEngine()
    image = engine.add_image("web:1", behaviour=Behaviour(exit_code=1, output=("boom",)))
    engine.fail("start", EngineError("no space left on device"))

The contract suite (tests/contract/engine_contract.py) runs on this and on Docker.
"""

from __future__ import annotations

import dataclasses
import hashlib
from typing import TYPE_CHECKING

from containerdeploy.check import PathInfo, Ran
from containerdeploy.engines.base import ContainerSpec, EngineInfo, LogLine, State
from containerdeploy.engines.fake_state import Behaviour, Made
from containerdeploy.engines.fake_store import FakeStore
from containerdeploy.engines.labels import INSTANCE, STACK, container_from
from containerdeploy.errors import EngineError, NotFound, StepTimeout

if TYPE_CHECKING:
    from collections.abc import Iterator

    from containerdeploy.observed import Container

__all__ = ["Behaviour", "FakeEngine"]


class FakeEngine(FakeStore):
    """An `Engine` in memory. Thread-safe; its clock only goes on when something happens.

    Attributes:
        calls: every call so far, as (method, first argument).
        behaviours: by image id; an image without one keeps running and says nothing.
        registry: references that can be pulled.
    """

    # -- the script ------------------------------------------------------------

    def fail(self, method: str, error: Exception, *, about: str = "") -> None:
        """The next call of `method` (whose first argument is or belongs to `about`) raises."""
        with self._changed:
            self._failures.append((method, about, error))

    def exit(self, container: str, exit_code: int, *, oom: bool = False) -> None:
        """A running container's process ends by itself; its restart policy is followed."""
        with self._changed:
            made = self._get(container)
            again = made.spec.restart in ("always", "unless-stopped") or (
                made.spec.restart == "on-failure" and exit_code != 0
            )
            self._end(made, exit_code, oom=oom, status="restarting" if again else "exited")
            if again:
                made.state = dataclasses.replace(made.state, restarts=made.state.restarts + 1)

    def health(self, container: str, health: str) -> None:
        """The HEALTHCHECK of a container says something else from now on."""
        with self._changed:
            made = self._get(container)
            made.state = dataclasses.replace(made.state, health=health)

    def say(self, container: str, text: str, *, stream: str = "stdout") -> None:
        """A container writes a line."""
        with self._changed:
            self._get(container).lines.append(LogLine(self._tick(), stream, text))
            self._changed.notify_all()

    def spec(self, container: str) -> ContainerSpec:
        """What a container was created with."""
        with self._changed:
            return self._get(container).spec

    def addresses(self, container: str) -> dict[str, str]:
        """The networks that a container is on, and its address in each."""
        with self._changed:
            return dict(self._get(container).networks)

    # -- containers -------------------------------------------------------------

    def info(self) -> EngineInfo:
        """See `Engine.info`."""
        self._called("info")
        return EngineInfo(version="fake", storage="memory", architecture="x86_64")

    def containers(self, instance: str, stack: str = "") -> tuple[Container, ...]:
        """See `Engine.containers`."""
        with self._called("containers", instance):
            return tuple(
                container_from(
                    made.spec.labels,
                    id=made.id,
                    name=made.spec.name,
                    state=made.state.status,
                    image=made.spec.image,
                    created=made.created,
                    finished=made.state.finished if made.state.status == "exited" else 0.0,
                )
                for made in reversed(self._made.values())
                if made.spec.labels.get(INSTANCE) == instance
                and (not stack or made.spec.labels.get(STACK) == stack)
            )

    def create(self, spec: ContainerSpec) -> str:
        """See `Engine.create`."""
        with self._called("create", spec.name):
            for made in self._made.values():
                if made.spec.name == spec.name:
                    if any(made.spec.labels.get(k) != v for k, v in spec.labels.items()):
                        raise EngineError(f"the name {spec.name} is taken by another container")
                    return made.id
            if spec.image not in self._images:
                raise NotFound(f"container {spec.name} can't be created: no image {spec.image}")
            networks = {}
            if not spec.network.startswith("container:") and spec.network not in ("none", "host"):
                networks[spec.network] = spec.address
            id = hashlib.sha256(f"{spec.name} {self._tick()}".encode()).hexdigest()
            self._made[id] = Made(id, spec, self._now, State("created"), networks)
            for mount in spec.mounts:
                if mount.kind == "volume":
                    self._volumes.setdefault(mount.source, {})
            return id

    def start(self, container: str) -> None:
        """See `Engine.start`."""
        with self._called("start", container):
            made = self._get(container)
            if made.state.status == "running":
                return
            behaviour = self._behaviour(made)
            if words := behaviour.start_error or self._taken(made):
                made.state = dataclasses.replace(made.state, error=words)
                raise EngineError(f"container {made.spec.name} can't be started: {words}")
            made.state = State(
                "running",
                pid=1000 + len(self.calls),
                health=behaviour.health,
                started=self._tick(),
                finished=made.state.finished,
            )
            made.lines += [LogLine(self._tick(), "stdout", text) for text in behaviour.output]
            if behaviour.exit_code is not None:
                self.exit(made.id, behaviour.exit_code, oom=behaviour.oom)
            self._changed.notify_all()

    def stop(self, container: str, *, timeout: float) -> None:
        """See `Engine.stop`."""
        with self._called("stop", container):
            made = self._find(container)
            if made is not None and made.state.status in ("running", "restarting", "paused"):
                self._end(made, 0)

    def signal(self, container: str, signal: str) -> None:
        """See `Engine.signal`; SIGKILL and SIGTERM end it, others do nothing."""
        with self._called("signal", container):
            made = self._running(container)
            if signal in ("SIGKILL", "KILL", "SIGTERM", "TERM"):
                self._end(made, 137 if "KILL" in signal else 143)

    def remove(self, container: str) -> None:
        """See `Engine.remove`."""
        with self._called("remove", container):
            made = self._find(container)
            if made is not None:
                made.gone = True
                del self._made[made.id]
                self._changed.notify_all()

    def state(self, container: str) -> State:
        """See `Engine.state`."""
        with self._called("state", container):
            return self._get(container).state

    def wait(self, container: str, *, timeout: float) -> int:
        """See `Engine.wait`."""
        with self._called("wait", container):
            made = self._get(container)
            ended = self._changed.wait_for(
                lambda: made.gone or made.state.status not in ("running", "restarting"), timeout
            )
            if not ended:
                raise StepTimeout(f"container {made.spec.name} still ran after {timeout:g} s")
            return made.state.exit_code

    # -- what comes out of them ----------------------------------------------------

    def logs(
        self,
        container: str,
        *,
        tail: int | None = None,
        since: float = 0.0,
        follow: bool = False,
    ) -> Iterator[LogLine]:
        """See `Engine.logs`."""
        with self._called("logs", container):
            made = self._get(container)
            there = [line for line in made.lines if line.at >= since]
            seen = len(made.lines)
        return self._lines(
            made, there if tail is None else there[len(there) - tail :], seen, follow
        )

    def _lines(
        self, made: Made, there: list[LogLine], seen: int, follow: bool
    ) -> Iterator[LogLine]:
        yield from there
        while follow:
            with self._changed:
                while len(made.lines) == seen and made.state.status == "running" and not made.gone:
                    self._changed.wait()
                new, seen = made.lines[seen:], len(made.lines)
            if not new:
                return
            yield from new

    def run(
        self,
        container: str,
        argv: tuple[str, ...],
        *,
        user: str = "",
        timeout: float = 30.0,
        stdin: bytes = b"",
    ) -> Ran:
        """See `Engine.run`."""
        with self._called("run", container):
            behaviour = self._behaviour(self._running(container))
        return behaviour.run(argv, stdin)

    def stat(self, container: str, path: str) -> PathInfo | None:
        """See `Engine.stat`."""
        with self._called("stat", container):
            files = self._behaviour(self._get(container)).files
            if path in files:
                return PathInfo(path, "file", 0o644, len(files[path]), uid=0, gid=0)
            if any(name.startswith(path.rstrip("/") + "/") for name in files):
                return PathInfo(path, "directory", 0o755, 0, uid=0, gid=0)
            return None

    def read(self, container: str, path: str) -> bytes:
        """See `Engine.read`."""
        there = self.stat(container, path)
        if there is None:
            raise NotFound(f"{container} has no {path}")
        if there.type != "file":
            raise EngineError(f"{path} in {container} is a {there.type}, not a file")
        with self._changed:
            return self._behaviour(self._get(container)).files[path]
