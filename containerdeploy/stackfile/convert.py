"""From a table of the language to a `Service`: paths made absolute, short forms made long."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path as FilePath
from typing import TYPE_CHECKING

from containerdeploy.stack import (
    Build,
    Health,
    Limits,
    Route,
    Secret,
    Service,
    Volume,
)
from containerdeploy.stackfile.env_file import read_env_file
from containerdeploy.stackfile.places import is_bind
from containerdeploy.stackfile.subtables import BeforeSwitchTable

if TYPE_CHECKING:
    from collections.abc import Callable, Set

    from containerdeploy.check import Check
    from containerdeploy.stack import Protocol
    from containerdeploy.stackfile.model import ServiceTable
    from containerdeploy.stackfile.problems import Path, Problems

DEFAULT_DOCKERFILE = "Dockerfile"

RESERVED_ENV = "CDEPLOY_"


@dataclass(frozen=True)
class Converter:
    """Makes the services of one file.

    Attributes:
        folder: the absolute folder of the stack file, which paths are relative to.
        problems: takes what is wrong.
    """

    folder: str
    problems: Problems

    def service(
        self, name: str, table: ServiceTable, checks: tuple[Check, ...], broken: Set[str]
    ) -> Service:
        """The service that a table describes.

        Args:
            broken: keys whose problem is told already; nothing more is said of them.
        """
        place: Path = ("service", name)
        routes = self._routes(place, table)
        job = table.before_switch
        if job is not None and job.command is None:
            self.problems.add((*place, "before_switch", "command"), "is missing")
        return Service(
            name=name,
            build=self._build(place, table, broken),
            image=table.image or "",
            command=table.command,
            entrypoint=table.entrypoint,
            port=table.port,
            protocol=_protocol(table, routes, checks),
            routes=routes,
            replicas=table.replicas,
            uses=table.uses,
            env=self._env(place, table),
            secrets=self._secrets(place, table),
            volumes=self._volumes(place, table),
            tmpfs=table.tmpfs,
            user=table.user or "",
            workdir=table.workdir or "",
            read_only=table.read_only,
            capabilities=table.capabilities,
            limits=Limits(
                memory=table.limits.memory or 0,
                cpus=table.limits.cpus or 0.0,
                pids=table.limits.pids or 0,
            ),
            health=self._health(place, table),
            drain=table.drain,
            hold=table.hold,
            stop_signal=table.stop_signal or "",
            stop_timeout=table.stop_timeout,
            before_switch=(job.command or ()) if job else (),
            before_switch_timeout=(job or BeforeSwitchTable()).timeout,
            strategy=table.strategy,
            restart=table.restart,
            keep=table.keep,
            labels=tuple(table.labels.items()),
            checks=checks,
            file=self.problems.file,
            line=self.problems.line(place),
        )

    def _build(self, place: Path, table: ServiceTable, broken: Set[str]) -> Build | None:
        build = table.build
        if build is None:
            told = broken & {"build", "image"}
            if table.image is None and not told:
                self.problems.add(
                    place, "has no image", 'give build = "a folder with a Dockerfile", or image'
                )
            for key in ("args", "target"):
                if key in table.given and "build" not in broken:
                    self.problems.add((*place, key), "belongs to a build, and there is none")
            return None
        if table.image is not None:
            hint = "leave one of them out"
            self.problems.add((*place, "image"), "a service has build or image, not both", hint)
        for key in ("args", "target"):
            if key in table.given and key in build.given:
                self.problems.add((*place, key), f"is given twice: build.{key} says it too")
        if build.context is None:
            self.problems.add((*place, "build"), "needs a context: the folder to build from")
            return None
        context = self._absolute(build.context)
        dockerfile = os.path.normpath(os.path.join(context, build.dockerfile))  # noqa: PTH118
        self._check_build(place, build.context, context, build.dockerfile, dockerfile)
        return Build(
            context=context,
            dockerfile=dockerfile,
            args=tuple((build.args or table.args).items()),
            target=build.target or table.target or "",
        )

    def _check_build(
        self, place: Path, named: str, context: str, named_dockerfile: str, dockerfile: str
    ) -> None:
        if not _is(context, FilePath.is_dir):
            self.problems.add((*place, "build"), "there is no such folder beside the stack file")
        elif not _is(dockerfile, FilePath.is_file):
            plain = named_dockerfile == DEFAULT_DOCKERFILE
            message = "the folder has no Dockerfile" if plain else "there is no such file"
            key = "build" if plain else "dockerfile"
            at = (*place, "build") if key == "build" else (*place, "build", key)
            self.problems.add(at, message, "it is looked for in the build's folder")

    def _routes(self, place: Path, table: ServiceTable) -> tuple[Route, ...]:
        found = []
        for index, route in enumerate(table.route):
            at: Path = (*place, "route", index)
            if route.tcp is not None and (route.host is not None or route.path is not None):
                self.problems.add(at, "is a host or a TCP port, not both", "make it two routes")
            elif route.tcp is not None:
                found.append(Route(tcp=route.tcp))
            elif route.host is None:
                self.problems.add(at, "needs a host, or a TCP port as { tcp = 5432 }")
            else:
                found.append(Route(host=route.host, path=route.path or "/"))
        return tuple(found)

    def _health(self, place: Path, table: ServiceTable) -> Health:
        health = table.health
        if health.status is not None and health.path is None:
            self.problems.add((*place, "health", "status"), "needs a health.path that answers it")
        return Health(
            path=health.path or "",
            status=health.status or 0,
            timeout=health.timeout,
            interval=health.interval,
            settle=health.settle,
        )

    def _env(self, place: Path, table: ServiceTable) -> tuple[tuple[str, str], ...]:
        found: dict[str, str] = {}
        for index, name in enumerate(table.env_file):
            at: Path = (*place, "env_file", index)
            found |= read_env_file(self._absolute(name), name, at, self.problems)
        for name in table.env:
            if name.startswith(RESERVED_ENV):
                hint = (
                    f"cdeploy gives {RESERVED_ENV}STACK, _SERVICE and _RELEASE to every container"
                )
                message = f'names that start with "{RESERVED_ENV}" are reserved'
                self.problems.add((*place, "env", name), message, hint)
        return tuple({**found, **table.env}.items())

    def _secrets(self, place: Path, table: ServiceTable) -> tuple[Secret, ...]:
        found = []
        for name, source in table.secrets.items():
            if source.file is not None and source.env is not None:
                self.problems.add((*place, "secrets", name), "has a file or an env, not both")
            elif source.file is not None:
                found.append(Secret(name=name, file=self._absolute(source.file)))
            else:
                found.append(Secret(name=name, env=source.env or name))
        return tuple(found)

    def _volumes(self, place: Path, table: ServiceTable) -> tuple[Volume, ...]:
        taken = set(table.tmpfs)
        found = []
        for index, (source, target, read_only) in enumerate(table.volumes):
            at: Path = (*place, "volumes", index)
            if target in taken:
                self.problems.add(at, f"something else is mounted on {target} already")
            taken.add(target)
            bind = is_bind(source)
            path = self._absolute(source) if bind else source
            if bind and not source.startswith("/") and not _is(path, FilePath.exists):
                self.problems.add(at, "there is no such file or folder beside the stack file")
            found.append(Volume(path, target, read_only=read_only, bind=bind, written=source))
        return tuple(found)

    def _absolute(self, name: str) -> str:
        # By text, not through links: the path in messages is the one that was written.
        return os.path.normpath(os.path.join(self.folder, name))  # noqa: PTH118


def _protocol(
    table: ServiceTable, routes: tuple[Route, ...], checks: tuple[Check, ...]
) -> Protocol:
    if table.protocol is not None:
        return table.protocol
    http = (
        any(route.host for route in routes)
        or table.health.path is not None
        or any(check.kind == "http" for check in checks)
    )
    return "http" if http else "tcp"


def _is(path: str, test: Callable[[FilePath], bool]) -> bool:
    """A question to the file system; a path that can't be one, or can't be seen, is not there."""
    try:
        return test(FilePath(path))
    except (OSError, ValueError):
        return False
