"""The disposable world that a service is tested in: itself, and what it uses, beside it.

There is no edge in it: a used service is reached by its name at the container's
own address. Nothing is published to the host, nothing in it can reach the outside,
volumes are thrown away with it, and a host folder that the service binds can only
be read: secrets and addresses in it are real, so it must not be able to do harm.
"""

from __future__ import annotations

import threading
import time
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

from containerdeploy.checks.claim import ROLE
from containerdeploy.checks.known import used_by
from containerdeploy.checks.subject import ContainerSubject, host_of
from containerdeploy.engines.labels import labels_of
from containerdeploy.errors import CandidateFailed, EngineError, StepTimeout
from containerdeploy.probe import last_lines, wait_ready
from containerdeploy.spec import container_spec

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from containerdeploy.checks.world import World
    from containerdeploy.engines.base import ContainerSpec
    from containerdeploy.stack import Service

NO_NETWORK = "none"
"""The engine's own name for it."""

JOB_SLICE = 1.0
"""Seconds after which a waiting job looks whether the run was given up."""


class Environment:
    """The test world of one service.

    `container` makes the service's container, unstarted; `start` brings up what
    it uses and then the service; `close` removes everything, in the background.

    Args:
        service: the service under test.
        world: what the environments of this run share.
        runs: whether `start` will be called; otherwise no network is needed.
    """

    def __init__(self, service: Service, world: World, *, runs: bool) -> None:
        self._service = service
        self._world = world
        self._runs = runs
        self._stopped = threading.Event()
        self._lock = threading.Lock()
        self._created: list[tuple[str, Callable[[], None]]] = []
        self._used = used_by(world.stack, service.name) if runs else ()
        self._addresses: dict[str, str] = {}
        self._network = ""
        self._container = ""

    @property
    def unstarted(self) -> ContainerSubject:
        """The service's container for image checks; made when the first of them needs it."""
        image = self._world.images[self._service.name]
        return ContainerSubject(self._world.engine, self.container, image)

    @property
    def started(self) -> ContainerSubject:
        """The service's running container; after `start`."""
        service = self._service
        return ContainerSubject(
            self._world.engine,
            self.container(),
            self._world.images[service.name],
            address=self._addresses[service.name],
            port=service.port,
            host=host_of(service),
            cancelled=self._stopped,
        )

    def container(self) -> str:
        """The id of the service's container, created (but not started) at the first call."""
        if not self._container:
            self._prepare()
            with _blamed_on(self._service):
                self._container = self._create(self._spec(self._service))
        return self._container

    def start(self) -> None:
        """Bring up what the service uses, run its job, start it, and wait until it is ready.

        Raises:
            CandidateFailed: the service, a job, or a used service failed; the
                message names it, the detail has its last log lines.
            StepTimeout: a job took longer than it may.
        """
        self.container()
        services = (*self._used, self._service)
        ready: dict[str, Future[None]] = {}
        with ThreadPoolExecutor(len(services), thread_name_prefix="cdeploy-test") as pool:
            # In the order of use, so whoever waits for another waits for one that has a thread.
            for service in services:
                ready[service.name] = pool.submit(self._bring_up, service, ready)
            done, waiting = wait(ready.values(), return_when=FIRST_EXCEPTION)
            if waiting:
                self._stopped.set()
        # The one that failed first, not those that were told to give up because of it.
        for future in done:
            future.result()

    def stop(self) -> None:
        """Give up, from another thread: whoever waits in `start` or in a check stops waiting."""
        self._stopped.set()
        if container := self._container:
            # A command that runs in it would otherwise go on to its own deadline.
            step = _call(self._world.engine.remove, container)
            self._world.removals.remove([(f"container {container}", step)])

    def close(self) -> None:
        """Remove everything, in the background; called by the thread that called `start`."""
        self._stopped.set()
        with self._lock:
            steps, self._created = self._created[::-1], []
        if steps:
            self._world.removals.remove(steps)

    def log(self) -> str:
        """The last lines that the service wrote."""
        return last_lines(self._world.engine, self._container) if self._container else ""

    # -- how ---------------------------------------------------------------------

    def _prepare(self) -> None:
        """Everybody's address, and the throw-away volumes."""
        world, name = self._world, self._name
        if self._runs:
            self._network = world.network
            self._addresses = {s.name: world.address() for s in (*self._used, self._service)}
        own = labels_of(instance=world.host.instance, role=ROLE, rollout=world.claim.run)
        for volume in sorted({v for s in (*self._used, self._service) for v in _volumes(s)}):
            self._undo(f"volume {name(volume)}", _call(world.engine.remove_volume, name(volume)))
            world.engine.create_volume(name(volume), own)

    def _bring_up(self, service: Service, ready: dict[str, Future[None]]) -> None:
        for used in service.uses:
            ready[used].result()
        world = self._world
        with _blamed_on(service):
            if service.before_switch:
                self._job(service)
            container = (
                self._container if service is self._service else self._create(self._spec(service))
            )
            self._go_on()
            world.engine.start(container)
            wait_ready(
                world.engine,
                container,
                service,
                world.images[service.name],
                self._addresses[service.name],
                timeout=service.health.timeout,
                cancelled=self._stopped,
            )

    def _job(self, service: Service) -> None:
        """Run `before_switch` once, in the service's own shape."""
        engine = self._world.engine
        spec = self._spec(service, job=True)
        container = self._create(spec)
        engine.start(container)
        words = " ".join(service.before_switch)
        where = f"{service.where}: service {service.name}: before_switch ({words})"
        deadline = time.monotonic() + service.before_switch_timeout
        while True:
            self._go_on()
            remaining = deadline - time.monotonic()
            try:
                code = engine.wait(container, timeout=max(0.1, min(JOB_SLICE, remaining)))
                break
            except StepTimeout as error:
                if remaining > JOB_SLICE:
                    continue
                raise StepTimeout(
                    f"{where} did not end in {service.before_switch_timeout:g} s",
                    hint="raise before_switch_timeout if it needs longer",
                    detail=last_lines(engine, container),
                ) from error
        if code:
            raise CandidateFailed(
                f"{where} ended with exit code {code}",
                hint="its last lines say what it lacked",
                detail=last_lines(engine, container),
            )

    def _spec(self, service: Service, *, job: bool = False) -> ContainerSpec:
        world = self._world
        spec = container_spec(
            world.releases[service.name],
            world.host,
            name=self._name(service.name, "job") if job else self._name(service.name),
            network=self._network or NO_NETWORK,
            address=self._address(service, job=job),
            role=ROLE,
            rollout=world.claim.run,
            hosts={used: self._addresses[used] for used in service.uses if self._network},
            secrets_dir=world.secrets_dirs.get(service.name, ""),
            volumes={volume: self._name(volume) for volume in _volumes(service)},
            command=service.before_switch if job else None,
        )
        mounts = tuple(
            # A test must not write into a folder of this host.
            replace(mount, read_only=True) if mount.kind == "bind" else mount
            for mount in spec.mounts
        )
        return replace(spec, mounts=mounts)

    def _address(self, service: Service, *, job: bool) -> str:
        if not self._network:
            return ""
        return self._world.address() if job else self._addresses[service.name]

    def _create(self, spec: ContainerSpec) -> str:
        self._go_on()
        self._undo(f"container {spec.name}", _call(self._world.engine.remove, spec.name))
        return self._world.engine.create(spec)

    def _undo(self, what: str, step: Callable[[], None]) -> None:
        """Remember how to remove something, before it is made."""
        with self._lock:
            self._created.append((what, step))

    def _go_on(self) -> None:
        if self._stopped.is_set():
            raise CandidateFailed(f"{self._service.name}: the test was given up")

    def _name(self, *parts: str) -> str:
        return self._world.claim.name(self._service.name, *parts)


@contextmanager
def _blamed_on(service: Service) -> Iterator[None]:
    """What the engine can't do with a service's container is that service's failure."""
    try:
        yield
    except EngineError as error:
        raise CandidateFailed(
            f"{service.where}: service {service.name}: {error.message}",
            hint=error.hint,
            detail=error.detail,
        ) from error


def _volumes(service: Service) -> tuple[str, ...]:
    return tuple(volume.source for volume in service.volumes if not volume.bind)


def _call(step: Callable[[str], None], name: str) -> Callable[[], None]:
    return lambda: step(name)
