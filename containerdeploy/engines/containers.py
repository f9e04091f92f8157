"""Containers through docker-py: created, started, stopped, watched, removed."""

from __future__ import annotations

import math
import re
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from docker.errors import APIError
from docker.errors import NotFound as Missing

from containerdeploy.engines.base import State
from containerdeploy.engines.failures import EngineSilentError, shown, words
from containerdeploy.engines.frames import seconds
from containerdeploy.engines.labels import INSTANCE, STACK, container_from
from containerdeploy.engines.spec import request
from containerdeploy.errors import EngineError, NotFound, StepTimeout

if TYPE_CHECKING:
    from collections.abc import Mapping

    from containerdeploy.engines.base import ContainerSpec
    from containerdeploy.engines.link import Link
    from containerdeploy.observed import Container

SLOW = 120.0
"""Seconds that the engine may be silent while it makes, starts or removes a container."""

_NO_SOURCE = re.compile(r"bind source path does not exist: (.+)$")


class Containers:
    """The part of the driver that is about containers."""

    def __init__(self, link: Link) -> None:
        self._link = link

    def containers(self, instance: str, stack: str = "") -> tuple[Container, ...]:
        """See `Engine.containers`: one list call, and an inspect of each stopped service."""
        labels = [f"{INSTANCE}={instance}"] + ([f"{STACK}={stack}"] if stack else [])
        with self._link.asking() as api:
            raw = api.containers(all=True, filters={"label": labels})
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
        with self._link.asking(timeout=SLOW) as api:
            try:
                return str(api.create_container_from_config(request(spec), spec.name)["Id"])
            except APIError as error:
                status, said = error.status_code, words(error)
                if status not in (400, 404, 409):
                    raise
        if status == 409:
            return self._same(spec, said)
        if status == 404:
            raise NotFound(
                f"container {spec.name} can't be created: {said}",
                hint="was the image, network or volume removed meanwhile? run the command again",
            )
        raise _refused(spec, said)

    def _same(self, spec: ContainerSpec, said: str) -> str:
        """The container that has the name already, if it is the one asked for."""
        try:
            there = self._inspect(spec.name)
        except NotFound:
            raise EngineError(
                f"container {spec.name} can't be created: {said}", hint="run the command again"
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
        with self._link.asking(timeout=SLOW) as api:
            try:
                api.start(container)
            except APIError as error:
                if error.status_code == 404:
                    raise
                raise EngineError(
                    f"container {shown(container)} can't be started: {plain(words(error))}",
                    hint=_cure(words(error)),
                ) from error

    def stop(self, container: str, *, timeout: float) -> None:
        """See `Engine.stop`."""
        with self._link.asking(timeout=timeout + SLOW) as api, suppress(Missing):
            api.stop(container, timeout=math.ceil(timeout))

    def signal(self, container: str, signal: str) -> None:
        """See `Engine.signal`."""
        with self._link.asking() as api:
            api.kill(container, signal)

    def remove(self, container: str) -> None:
        """See `Engine.remove`."""
        with self._link.asking(timeout=SLOW) as api, suppress(Missing):
            try:
                api.remove_container(container, v=True, force=True)
            except APIError as error:
                if error.status_code != 409:
                    raise
                if "already in progress" not in words(error):
                    raise EngineError(
                        f"container {shown(container)} can't be removed: {words(error)}"
                    ) from error
                api.wait(container, timeout=SLOW, condition="removed")

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
        try:
            with self._link.asking(timeout=timeout) as api:
                return int(api.wait(container, timeout=timeout)["StatusCode"])
        except EngineSilentError as error:
            raise StepTimeout(
                f"container {shown(container)} still ran after {timeout:g} s",
                hint=f"look at what it does: docker logs {shown(container)}",
            ) from error

    def _inspect(self, container: str) -> Any:
        with self._link.asking() as api:
            return api.inspect_container(container)


def plain(said: str) -> str:
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
        said = said.replace(chain, "")
    return said.removesuffix(": unknown").strip()


def _health(state: Mapping[str, Any]) -> str:
    status = str((state.get("Health") or {}).get("Status", ""))
    return "" if status == "none" else status


def _cure(said: str) -> str:
    if "port is already allocated" in said or "address already in use" in said:
        return "another process has that port: stop it, or choose another in host.toml"
    if "Address already in use" in said:
        return "another container has that address in the network: `cdeploy doctor` looks"
    if "executable file not found" in said or "no such file or directory" in said:
        return "correct the command or entrypoint, or put that program into the image"
    if "permission denied" in said:
        return "make the program executable in the image (chmod +x)"
    return ""


def _refused(spec: ContainerSpec, said: str) -> EngineError:
    match = _NO_SOURCE.search(said)
    if match is None:
        return EngineError(f"container {spec.name} can't be created: {plain(said)}")
    path = match.group(1).strip()
    target = next((mount.target for mount in spec.mounts if mount.source == path), "")
    return EngineError(
        f"container {spec.name} can't be created: the host path {path}, "
        f"to be mounted at {target}, does not exist",
        hint=f"make {path} on this host, or correct the volume in the stack file",
    )
