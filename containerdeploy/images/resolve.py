"""From a stack's services to image ids: found, built or pulled."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

from containerdeploy.errors import CdeployError, ImageUnavailable, Interrupted
from containerdeploy.events import Event, note
from containerdeploy.images.digest import dockerfile_text, source_digest
from containerdeploy.images.dockerfile import bases_of
from containerdeploy.images.names import BUILDER, SOURCE, repository, source_name, source_tag

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping

    from containerdeploy.check import ImageInfo
    from containerdeploy.engines.base import Engine
    from containerdeploy.events import Emit
    from containerdeploy.host import Host
    from containerdeploy.stack import Build, Service, Stack

WORKERS = 8


@dataclass(frozen=True, slots=True)
class ResolvedImage:
    """The image of a service.

    Attributes:
        image: as the engine has it.
        built: whether this run built it.
        source: the digest of what it is built from; empty for `image = ...`.
    """

    image: ImageInfo
    built: bool = False
    source: str = ""


def resolve_images(
    stack: Stack,
    engine: Engine,
    host: Host,
    emit: Emit,
    *,
    force: bool = False,
    only: Collection[str] = (),
    builder: Callable[..., str] | None = None,
) -> dict[str, ResolvedImage]:
    """The image of each service, by the service's name; builds and pulls what is not here.

    Services with the same sources are built once; what can be done at once is. All
    failures are gathered: the first (in the stack's order) is raised, with the others
    in its detail.

    Args:
        force: build also what is here (BuildKit's cache still counts).
        only: these services; empty for all.
        builder: builds one image (`build.build_image` unless a test says otherwise).

    Raises:
        BuildFailed, ImageUnavailable, BadInput, HostNotReady, EngineError, Interrupted.
    """
    services = [service for service in stack.services if not only or service.name in only]
    work = _Work(stack.name, engine, host, emit, force, builder)
    with ThreadPoolExecutor(WORKERS) as pool:
        try:
            return work.resolve(services, pool)
        except BaseException:  # Ctrl-C too: builds must not go on alone
            work.cancel.set()
            pool.shutdown(wait=False, cancel_futures=True)
            raise


class _Work:
    """One call of `resolve_images`."""

    def __init__(
        self,
        stack: str,
        engine: Engine,
        host: Host,
        emit: Emit,
        force: bool,
        builder: Callable[..., str] | None,
    ) -> None:
        self.stack = stack
        self.engine = engine
        self.host = host
        self.emit = emit
        self.force = force
        self.cancel = threading.Event()
        self._builder = builder
        self._failures: dict[str, CdeployError] = {}

    def resolve(
        self, services: list[Service], pool: ThreadPoolExecutor
    ) -> dict[str, ResolvedImage]:
        """Bases first (they are part of the digests), then everything else at once."""
        named = [service for service in services if service.build is None]
        builds = {service.name: service.build for service in services if service.build}
        bases = self._bases(builds, pool)
        sources: dict[str, str] = {}
        for name, build in builds.items():
            with _gathered(self._failures, name):
                wanted = {ref: bases.get(ref, "") for ref in _bases_of(build)}
                sources[name] = source_digest(build, wanted)
        here = self._built(pool, set(sources.values()))
        found = {
            name: ResolvedImage(here[source], source=source)
            for name, source in sources.items()
            if source in here
        }
        groups: dict[str, list[str]] = {}
        for name, source in sources.items():
            if name not in found:
                groups.setdefault(source, []).append(name)
        if groups and self._builder is None:
            from containerdeploy.images.builder import find_builder

            find_builder()  # once, here: a host that can't build says so once
        tasks = [
            *(pool.submit(self._build, source, builds, names) for source, names in groups.items()),
            *(pool.submit(self._named, service) for service in named),
        ]
        for task in tasks:
            found.update(task.result())
        self._raise_failures([service.name for service in services])
        for name, source in sources.items():
            self._name(name, source, found[name].image)
        return {service.name: found[service.name] for service in services}

    def _bases(self, builds: Mapping[str, Build], pool: ThreadPoolExecutor) -> dict[str, str]:
        """The ids of all base images by reference; pulled where they are not here.

        One that can't be had is left to BuildKit, which may not need it (an unused
        stage) and otherwise says so best.
        """
        refs: dict[str, None] = {}
        for name, build in builds.items():
            with _gathered(self._failures, name):
                refs.update(dict.fromkeys(_bases_of(build)))

        def base(ref: str) -> str:
            image = self.engine.image(ref)
            if image is not None:
                return image.id
            try:
                return self.engine.pull(ref, self._pulling(ref, "")).id
            except ImageUnavailable as error:
                self.emit(Event("warn", {"text": error.message}))
                return ""

        return dict(zip(refs, pool.map(base, refs), strict=True))

    def _built(self, pool: ThreadPoolExecutor, sources: set[str]) -> dict[str, ImageInfo]:
        """The images of this instance that were built from these sources, by digest."""
        if self.force or not sources:
            return {}
        tags = {source_tag(source): source for source in sources}
        found: dict[str, str] = {}
        for image in self.engine.images(f"{BUILDER}={self.host.instance}"):
            for tag in image.tags:
                source = tags.get(tag.rpartition(":")[2])
                if source is not None:
                    found.setdefault(source, image.id)
        infos = {
            image.id: image for image in pool.map(self.engine.image, set(found.values())) if image
        }
        return {source: infos[image] for source, image in found.items() if image in infos}

    def _build(
        self, source: str, builds: Mapping[str, Build], names: list[str]
    ) -> dict[str, ResolvedImage]:
        from containerdeploy.images.build import build_image

        first = names[0]
        with _gathered(self._failures, *names):
            image = (self._builder or build_image)(
                builds[first],
                service=first,
                tags=(source_name(self.host, self.stack, first, source),),
                labels={BUILDER: self.host.instance},
                emit=self.emit,
                cancel=self.cancel,
            )
            info = self.engine.image(image)
            if info is None:
                raise ImageUnavailable(
                    f"{first}: the builder made {image}, but the engine does not have it",
                    hint="the docker CLI talks to another engine than cdeploy: "
                    "compare `docker context show` and DOCKER_HOST",
                )
            return {name: ResolvedImage(info, built=True, source=source) for name in names}
        return {}

    def _named(self, service: Service) -> dict[str, ResolvedImage]:
        """The image that a service names: here, or pulled."""
        with _gathered(self._failures, service.name):
            image = self.engine.image(service.image)
            if image is None:
                try:
                    image = self.engine.pull(
                        service.image, self._pulling(service.image, service.name)
                    )
                except ImageUnavailable as error:
                    raise ImageUnavailable(
                        f"{service.where}: service {service.name}: {error.message}",
                        hint=error.hint,
                        detail=error.detail,
                    ) from error
            return {service.name: ResolvedImage(image)}
        return {}

    def _pulling(self, ref: str, service: str) -> Callable[[str], None]:
        note(self.emit, f"pulling {ref}", service=service)

        def progress(line: str) -> None:
            if self.cancel.is_set():
                raise Interrupted(f"the pull of {ref} was called off")
            self.emit(Event("pull", {"service": service, "image": ref, "text": line}))

        return progress

    def _name(self, service: str, source: str, image: ImageInfo) -> None:
        """A service that shares its sources with another gets a name of its own."""
        name = source_name(self.host, self.stack, service, source)
        if name not in image.tags:
            self.engine.tag(image.id, name)

    def _raise_failures(self, order: Iterable[str]) -> None:
        told = [self._failures[name] for name in order if name in self._failures]
        if not told:
            return
        different: dict[str, CdeployError] = {}
        for error in told:
            different.setdefault(error.message, error)
        first, *others = different.values()
        if others:
            also = "\n".join(
                "\n".join(filter(None, (f"also: {e.message}", e.detail))) for e in others
            )
            first.detail = f"{first.detail}\n{also}".strip()
        raise first


class _gathered:  # noqa: N801 - reads as a statement
    """Keep a failure for these services instead of raising it."""

    def __init__(self, failures: dict[str, CdeployError], *services: str) -> None:
        self._failures = failures
        self._services = services

    def __enter__(self) -> None: ...

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> bool:
        if not isinstance(error, CdeployError):
            return False
        for service in self._services:
            self._failures.setdefault(service, error)
        return True


def _bases_of(build: Build) -> tuple[str, ...]:
    return bases_of(dockerfile_text(build), dict(build.args))


def prune_sources(
    engine: Engine,
    host: Host,
    stack: str,
    services: Collection[str],
    *,
    used: Collection[str],
    keep: int = 1,
) -> tuple[str, ...]:
    """Take the ``src-`` names from images that are no longer needed; returns the names.

    Kept are the images in `used` (ids: of the stack's containers and of the images just
    resolved) and, of each service, the newest `keep` others. An image that loses its
    last name is gone; one that a release still names stays.
    """
    left = {repository(host, stack, service): keep for service in services}
    removed = []
    for image in engine.images(f"{BUILDER}={host.instance}"):  # newest first
        for name in image.tags:
            place, _, tag = name.rpartition(":")
            if place not in left or not tag.startswith(SOURCE) or image.id in used:
                continue
            left[place] -= 1
            if left[place] < 0:
                engine.remove_image(name)
                removed.append(name)
    return tuple(removed)
