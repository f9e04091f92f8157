"""How each step is done, on the ports to the engine and the edge."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field
from functools import singledispatchmethod
from typing import TYPE_CHECKING

from containerdeploy import plan as steps
from containerdeploy.edge.edits import applied
from containerdeploy.errors import (
    CandidateFailed,
    ChecksRed,
    EdgeError,
    EngineError,
    HostNotReady,
    NotFound,
    StepTimeout,
)
from containerdeploy.events import Emit, Event, note
from containerdeploy.files import private_folder, write_atomically
from containerdeploy.observed import LABEL
from containerdeploy.probe import last_lines, wait_ready
from containerdeploy.secrets import drop_secrets, keep_secrets
from containerdeploy.spec import container_spec
from containerdeploy.stack import Health, Service

if TYPE_CHECKING:
    from collections.abc import Mapping

    from containerdeploy.check import ImageInfo
    from containerdeploy.edge.base import Edge
    from containerdeploy.edge.table import Table
    from containerdeploy.engines.base import ContainerSpec, Engine
    from containerdeploy.host import Host
    from containerdeploy.release import Release
    from containerdeploy.secrets import Values
    from containerdeploy.stack import Stack

QUIET_FOR = 0.05
"""Seconds between two looks that must both find nothing in flight: a request that was
routed just before the switch shows up within microseconds (docs/edge.md)."""
LINGER = 30.0
"""Seconds that a proxy process from before a reload is waited for: it lets go of idle
connections after 20 (docs/edge.md)."""
LOG_LINES = 500
JOB_LOOK = 0.5
"""Seconds of one wait for a job, between two looks at whether the rollout goes on."""
JOB_STOP = 5.0
"""Seconds that a job which is given up gets to end by itself."""
LOGS_KEPT = 300
"""Files of kept logs; the oldest go first."""


@dataclass
class RolloutActions:
    """Does the steps of one rollout.

    Attributes:
        images: by image id.
        secrets: values by service; only those that were read for this run.
        switch_seconds: how long the switch took, once it was done.
    """

    engine: Engine
    edge: Edge
    host: Host
    stack: Stack
    rollout: str
    images: Mapping[str, ImageInfo]
    secrets: Mapping[str, Values]
    emit: Emit
    cancel: threading.Event = field(default_factory=threading.Event)
    hurry: threading.Event = field(default_factory=threading.Event)
    switch_seconds: float = 0.0
    _started: set[str] = field(default_factory=set)

    @singledispatchmethod
    def do(self, step: steps.Step) -> None:
        """Do one step; repeating it is harmless."""
        raise NotImplementedError(type(step).__name__)

    # -- networks and the edge ---------------------------------------------------

    @do.register
    def _(self, step: steps.MakeNetwork) -> None:
        labels = {f"{LABEL}.instance": self.host.instance, f"{LABEL}.stack": step.stack}
        self.engine.create_network(
            step.network, subnet=step.subnet, gateway=step.gateway, labels=labels
        )
        self.engine.connect(step.network, self.host.holder, address=step.edge_address)

    @do.register
    def _(self, step: steps.DropNetwork) -> None:
        self.engine.disconnect(step.network, self.host.holder)
        self.engine.remove_network(step.network)

    @do.register
    def _(self, step: steps.EditEdge) -> None:
        if step.is_switch:
            self._still_alive()

        def edit(table: Table) -> Table:
            # Under the edge's lock: a rollout that was given up is undone, and what is
            # undone must not be switched to afterwards.
            if step.is_switch and self.cancel.is_set():
                raise CandidateFailed("the rollout was given up before it switched")
            return applied(step.edits, table)

        change = self.edge.change(edit)
        if step.is_switch:
            self.switch_seconds = change.switch_seconds

    def _still_alive(self) -> None:
        """A candidate that died after it was ready must not get traffic."""
        for name in self._started:
            state = self.engine.state(name)
            if state.died:
                raise CandidateFailed(
                    f"{name} ended after it had been ready (exit code {state.exit_code})",
                    hint="its last lines, above, say why",
                    detail=last_lines(self.engine, name),
                )

    @do.register
    def _(self, step: steps.Drain) -> None:
        begun = time.monotonic()
        quiet = 0
        while quiet < 2:
            try:
                busy, lingering = self._in_flight(step), self.edge.lingering()
            except (EdgeError, HostNotReady):
                # What can't be seen is not quiet: a proxy that crashed is back in a moment.
                if time.monotonic() >= begun + step.seconds or self.hurry.is_set():
                    raise
                quiet = 0
                self.hurry.wait(QUIET_FOR)
                continue
            quiet = quiet + 1 if not busy and not lingering else 0
            # Nothing need be in flight on an idle connection that a proxy from before a
            # reload still holds; a request that comes on it would find the old one gone.
            allowed = max(step.seconds, LINGER) if lingering and not busy else step.seconds
            if time.monotonic() >= begun + allowed or self.hurry.is_set():
                self._cut(step, busy)
                return
            if quiet < 2:
                self.hurry.wait(QUIET_FOR)

    def _in_flight(self, step: steps.Drain) -> int:
        figures = self.edge.figures().get((step.key, step.colour))
        if figures is None:
            return 0
        if not step.addresses:
            return figures.current
        return sum(figures.by_address.get(address, 0) for address in step.addresses)

    def _cut(self, step: steps.Drain, busy: int) -> None:
        if not busy:
            return
        text = f"{busy} still in flight after {step.seconds:g} s of drain: ended"
        note(self.emit, text, service=step.service)
        if not step.addresses:  # else the stop of those containers ends them, and only them
            self.edge.close_sessions(step.key, step.colour)

    # -- containers ----------------------------------------------------------------

    def _hosts(self, release: Release) -> dict[str, str]:
        address = self.edge.table().members[release.stack].address
        return dict.fromkeys(release.runtime.uses, address)

    def _volumes(self, release: Release) -> dict[str, str]:
        labels = {f"{LABEL}.instance": self.host.instance, f"{LABEL}.stack": release.stack}
        names = {}
        for volume in release.runtime.volumes:
            if not volume.bind:
                names[volume.source] = self.host.volume_name(release.stack, volume.source)
                self.engine.create_volume(names[volume.source], labels)
        return names

    def _spec(self, step: steps.Start | steps.Job) -> ContainerSpec:
        release = step.release
        return container_spec(
            release,
            self.host,
            name=step.container,
            network=self.host.stack_network(release.stack),
            address=step.address,
            role="job" if isinstance(step, steps.Job) else "service",
            replica=0 if isinstance(step, steps.Job) else step.replica,
            rollout=self.rollout,
            hosts=self._hosts(release),
            secrets_dir=keep_secrets(self.host, release, self.secrets.get(release.service, {})),
            volumes=self._volumes(release),
            command=step.argv if isinstance(step, steps.Job) else None,
        )

    @do.register
    def _(self, step: steps.Start) -> None:
        if not step.existing:
            self.engine.create(self._spec(step))
        self._begin(step, "")
        self._started.add(step.container)

    def _begin(self, step: steps.Start | steps.Job, what: str) -> None:
        """Start a new container; an engine that can't run it is told with the service's place."""
        try:
            self.engine.start(step.container)
        except EngineError as error:
            raise CandidateFailed(
                f"{self.stack[step.service].where}: service {step.service}: {what}{error.message}",
                hint=error.hint,
                detail=error.detail,
            ) from error

    @do.register
    def _(self, step: steps.Revive) -> None:
        self.engine.start(step.container)
        plain = Service(step.service, port=step.port, health=Health(timeout=steps.REVIVE))
        image = self._image_of(step.container)
        wait_ready(self.engine, step.container, plain, image, step.address, timeout=steps.REVIVE)

    @do.register
    def _(self, step: steps.Probe) -> None:
        service = self.stack[step.service]
        wait_ready(
            self.engine,
            step.container,
            service,
            self._image_of(step.container),
            step.address,
            timeout=service.health.timeout,
            cancelled=self.cancel,
        )

    def _image_of(self, container: str) -> ImageInfo:
        for known in self.engine.containers(self.host.instance, self.stack.name):
            if known.name == container:
                image = self.images.get(known.image) or self.engine.image(known.image)
                if image is not None:
                    return image
        raise NotFound(f"container {container} is gone", hint="run `cdeploy up` again")

    @do.register
    def _(self, step: steps.Job) -> None:
        self.engine.create(self._spec(step))
        failed = True
        try:
            self._begin(step, "before_switch: ")
            code = self._job_code(step)
            failed = code != 0
            if failed:
                service = self.stack[step.service]
                raise CandidateFailed(
                    f"{service.where}: service {step.service}: before_switch "
                    f"{' '.join(step.argv)} failed (exit code {code})",
                    hint="its last lines, above, say why; nothing was switched",
                    detail=last_lines(self.engine, step.container),
                )
        finally:
            self._keep_log(step.container, tell=failed)
            self.engine.remove(step.container)

    def _job_code(self, step: steps.Job) -> int:
        """A job's exit code; a rollout that is given up ends its job."""
        service = self.stack[step.service]
        begun = time.monotonic()
        while True:
            try:
                return self.engine.wait(step.container, timeout=JOB_LOOK)
            except StepTimeout as still:
                spent = time.monotonic() - begun
                if not self.cancel.is_set() and spent < service.before_switch_timeout:
                    continue
                detail = last_lines(self.engine, step.container)
                self.engine.stop(step.container, timeout=min(service.stop_timeout, JOB_STOP))
                raise StepTimeout(
                    f"{service.where}: service {step.service}: before_switch "
                    f"{' '.join(step.argv)} still ran after {spent:.0f} s, and was stopped",
                    hint="raise before_switch.timeout if it needs longer",
                    detail=detail,
                ) from still

    @do.register
    def _(self, step: steps.Stop) -> None:
        self._started.discard(step.container)
        self.engine.stop(step.container, timeout=step.stop_timeout)

    @do.register
    def _(self, step: steps.Remove) -> None:
        self._started.discard(step.container)
        if step.keep_log:
            self._keep_log(step.container)
        self.engine.remove(step.container)

    def _keep_log(self, container: str, *, tell: bool = True) -> None:
        """Keep the end of a container's log beyond the container's life."""
        try:
            lines = [line.text for line in self.engine.logs(container, tail=LOG_LINES)]
        except NotFound:
            return
        if not lines:
            return
        folder = private_folder(self.host.state / "logs")
        path = folder / f"{self.rollout}-{container}.log"
        write_atomically(path, "\n".join([*lines, ""]).encode(), sync=False)
        for old in sorted(folder.glob("*.log"))[:-LOGS_KEPT]:  # their names begin with the time
            old.unlink(missing_ok=True)
        if tell:
            self.emit(Event("log", {"container": container, "file": str(path)}))

    @do.register
    def _(self, step: steps.Prune) -> None:
        from containerdeploy.images.names import image_name

        for container in step.containers:
            self.engine.remove(container)
        name = image_name(self.host, self.stack.name, step.service, step.release_id)
        self.engine.remove_image(name)
        drop_secrets(self.host, self.stack.name, step.service, step.release_id)

    def _gone(self, service: Service) -> str:
        """Why a candidate of a service ended, or ""; a smoke check that waits stops then."""
        from containerdeploy.checks.subject import exit_words

        for container in self.engine.containers(self.host.instance, self.stack.name):
            if container.service == service.name and container.name in self._started:
                state = self.engine.state(container.name)
                if state.died:
                    return exit_words(state)
        return ""

    # -- checks ------------------------------------------------------------------------

    @do.register
    def _(self, step: steps.Smoke) -> None:
        from containerdeploy.checks.failure import red_texts
        from containerdeploy.checks.smoke import smoke

        service = self.stack[step.service]
        results = smoke(self.edge, step.key, step.colour, service, gone=lambda: self._gone(service))
        red = [result for result in results if result.red]
        if red:
            raise ChecksRed(
                f"{service.where}: service {step.service}: {len(red)} of {len(results)} smoke "
                "checks are red through the edge",
                hint="the old release serves; mend the service or its checks",
                detail=red_texts(red),
            )
