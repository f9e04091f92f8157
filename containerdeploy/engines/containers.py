"""Containers through the Engine API: created, started, stopped, watched, removed."""

from __future__ import annotations

import math
import re
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from containerdeploy.engines.base import State
from containerdeploy.engines.frames import seconds
from containerdeploy.engines.labels import INSTANCE, STACK, container_from
from containerdeploy.engines.spec import request
from containerdeploy.engines.wire import EngineSilentError, quoted, shown
from containerdeploy.errors import EngineError, NotFound, StepTimeout

if TYPE_CHECKING:
    from collections.abc import Mapping

    from containerdeploy.engines.base import ContainerSpec
    from containerdeploy.engines.wire import Wire
    from containerdeploy.observed import Container

SLOW = 120.0
"""Seconds that the engine may be silent while it makes, starts or removes a container."""

_NO_SOURCE = re.compile(r"bind source path does not exist: (.+)$")


class Containers:
    """The part of the driver that is about containers."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire

    def containers(self, instance: str, stack: str = "") -> tuple[Container, ...]:
        """See `Engine.containers`: one list call, and an inspect of each stopped service."""
        labels = [f"{INSTANCE}={instance}"] + ([f"{STACK}={stack}"] if stack else [])
        query = {"all": "1", "filters": {"label": labels}}
        raw = self._wire.call("GET", "/containers/json", query=query).json()
        stopped = [one["Id"] for one in raw if one["State"] in ("exited", "dead")]
        finished = self._finished(stopped)
        return tuple(
            container_from(
                one["Labels"] or {},
                id=one["Id"],
                name=one["Names"][0].lstrip("/") if one["Names"] else one["Id"][:12],
                state=one["State"],
                image=one["ImageID"],
                created=float(one["Created"]),
                finished=finished.get(one["Id"], 0.0),
            )
            for one in raw
        )

    def _finished(self, ids: list[str]) -> dict[str, float]:
        if not ids:
            return {}
        with ThreadPoolExecutor(min(len(ids), 8)) as pool:
            return dict(zip(ids, pool.map(self._when_finished, ids), strict=True))

    def _when_finished(self, container: str) -> float:
        try:
            return self.state(container).finished
        except NotFound:  # removed since it was listed
            return 0.0

    def create(self, spec: ContainerSpec) -> str:
        """See `Engine.create`."""
        reply = self._wire.call(
            "POST",
            "/containers/create",
            query={"name": spec.name},
            data=request(spec),
            timeout=SLOW,
            allow=(400, 404, 409),
        )
        if reply.status == 409:
            return self._same(spec, reply.words)
        if reply.status == 404:
            raise NotFound(
                f"container {spec.name} can't be created: {reply.words}",
                hint="was the image, network or volume removed meanwhile? run the command again",
            )
        if reply.status == 400:
            raise _refused(spec, reply.words)
        return str(reply.json()["Id"])

    def _same(self, spec: ContainerSpec, words: str) -> str:
        """The container that has the name already, if it is the one asked for."""
        try:
            there = self._inspect(spec.name)
        except NotFound:
            raise EngineError(
                f"container {spec.name} can't be created: {words}", hint="run the command again"
            ) from None
        labels: dict[str, str] = there["Config"]["Labels"] or {}
        odd = sorted(key for key, value in spec.labels.items() if labels.get(key) != value)
        if odd:
            seen = ", ".join(f"{key}={labels.get(key, '')!r}" for key in odd)
            raise EngineError(
                f"the name {spec.name} is taken by another container ({seen})",
                hint=f"rename or remove that one: docker rm -f {spec.name}",
            )
        return str(there["Id"])

    def start(self, container: str) -> None:
        """See `Engine.start`."""
        path = f"/containers/{quoted(container)}/start"
        reply = self._wire.call("POST", path, timeout=SLOW, allow=(400, 403, 409, 500))
        if reply.status >= 400:
            raise EngineError(
                f"container {shown(container)} can't be started: {plain(reply.words)}",
                hint=_cure(reply.words),
            )

    def stop(self, container: str, *, timeout: float) -> None:
        """See `Engine.stop`."""
        self._wire.call(
            "POST",
            f"/containers/{quoted(container)}/stop",
            query={"t": math.ceil(timeout)},
            timeout=timeout + SLOW,
            allow=(404,),
        )

    def signal(self, container: str, signal: str) -> None:
        """See `Engine.signal`."""
        path = f"/containers/{quoted(container)}/kill"
        self._wire.call("POST", path, query={"signal": signal})

    def remove(self, container: str) -> None:
        """See `Engine.remove`."""
        path = f"/containers/{quoted(container)}"
        query = {"force": "1", "v": "1"}
        reply = self._wire.call("DELETE", path, query=query, timeout=SLOW, allow=(404, 409))
        if reply.status != 409:
            return
        if "already in progress" not in reply.words:
            raise EngineError(f"container {shown(container)} can't be removed: {reply.words}")
        self._wire.call(
            "POST", f"{path}/wait", query={"condition": "removed"}, timeout=SLOW, allow=(404,)
        )

    def state(self, container: str) -> State:
        """See `Engine.state`."""
        raw = self._inspect(container)
        state = raw["State"]
        return State(
            status=state["Status"],
            exit_code=state["ExitCode"],
            oom_killed=state["OOMKilled"],
            pid=state["Pid"],
            health=_health(state),
            restarts=raw["RestartCount"],
            started=seconds(state["StartedAt"]),
            finished=seconds(state["FinishedAt"]),
            error=state["Error"],
        )

    def wait(self, container: str, *, timeout: float) -> int:
        """See `Engine.wait`: the engine answers when the process ends; nothing is polled."""
        path = f"/containers/{quoted(container)}/wait"
        try:
            reply = self._wire.call("POST", path, timeout=timeout)
        except EngineSilentError as error:
            raise StepTimeout(
                f"container {shown(container)} still ran after {timeout:g} s",
                hint=f"look at what it does: docker logs {shown(container)}",
            ) from error
        return int(reply.json()["StatusCode"])

    def _inspect(self, container: str) -> Any:
        return self._wire.call("GET", f"/containers/{quoted(container)}/json").json()


def plain(words: str) -> str:
    """The engine's words without the runtime's chain of who told whom."""
    for chain in (
        "failed to create shim task: ",
        "failed to create task for container: ",
        "OCI runtime create failed: ",
        "OCI runtime exec failed: ",
        "runc create failed: ",
        "exec failed: ",
        "container_linux.go:",
        "unable to start container process: ",
    ):
        words = words.replace(chain, "")
    return words.removesuffix(": unknown").strip()


def _health(state: Mapping[str, Any]) -> str:
    status = str((state.get("Health") or {}).get("Status", ""))
    return "" if status == "none" else status


def _cure(words: str) -> str:
    if "port is already allocated" in words or "address already in use" in words:
        return "another process has that port: stop it, or choose another in host.toml"
    if "Address already in use" in words:
        return "another container has that address in the network: `cdeploy doctor` looks"
    if "executable file not found" in words or "no such file or directory" in words:
        return "correct the command or entrypoint, or put that program into the image"
    if "permission denied" in words:
        return "make the program executable in the image (chmod +x)"
    return ""


def _refused(spec: ContainerSpec, words: str) -> EngineError:
    match = _NO_SOURCE.search(words)
    if match is None:
        return EngineError(f"container {spec.name} can't be created: {plain(words)}")
    path = match.group(1).strip()
    target = next((mount.target for mount in spec.mounts if mount.source == path), "")
    return EngineError(
        f"container {spec.name} can't be created: the host path {path}, "
        f"to be mounted at {target}, does not exist",
        hint=f"make {path} on this host, or correct the volume in the stack file",
    )
