"""What checks look at: a container by way of the engine, with or without a shell in it."""

from __future__ import annotations

import posixpath
from typing import TYPE_CHECKING

from containerdeploy.check import Answer, CannotObserve, ImageInfo, PathInfo, Ran
from containerdeploy.checks.web import Fetch, fetch
from containerdeploy.errors import Failed

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Mapping

    from containerdeploy.engines.base import Engine, State
    from containerdeploy.stack import Service


class ContainerSubject:
    """A container as a subject (`containerdeploy.check.Subject`).

    Files are read through the engine's archive endpoint and commands run by
    argv, so an image FROM scratch bears every check.

    Args:
        engine: the engine that has the container.
        container: its id or name, or what makes it when it is first needed; it need
            not run for `stat` and `read`.
        image: the image under test.
        address, port: where the service listens; empty when it has no port.
        host: the Host header of requests that don't name one.
        http: how to ask over HTTP.
        cancelled: when set, nothing is waited for any longer.
    """

    def __init__(
        self,
        engine: Engine,
        container: str | Callable[[], str],
        image: ImageInfo,
        *,
        address: str = "",
        port: int | None = None,
        host: str = "",
        http: Fetch = fetch,
        cancelled: threading.Event | None = None,
    ) -> None:
        self._engine = engine
        self._name = container
        self._image = image
        self._address = address
        self._port = port
        self._host = host
        self._fetch = http
        self._cancelled = cancelled

    @property
    def _container(self) -> str:
        return self._name if isinstance(self._name, str) else self._name()

    @property
    def image(self) -> ImageInfo:
        """The image under test."""
        return self._image

    def stat(self, path: str) -> PathInfo | None:
        """The path inside the container, or None when nothing is there."""
        try:
            return self._engine.stat(self._container, posixpath.normpath(path))
        except Failed as error:
            raise CannotObserve(f"can't look at {path}: {error.message}") from error

    def read(self, path: str) -> bytes:
        """The content of a regular file."""
        try:
            return self._engine.read(self._container, posixpath.normpath(path))
        except Failed as error:
            raise CannotObserve(f"can't read {path}: {error.message}") from error

    def run(self, argv: tuple[str, ...], *, user: str, timeout: float) -> Ran:
        """Run a command inside the container, without a shell."""
        if gone := self.exited():
            raise CannotObserve(gone)
        try:
            return self._engine.run(self._container, argv, user=user, timeout=timeout)
        except Failed as error:
            raise CannotObserve(f"can't run {argv[0]}: {error.message}") from error

    def http(
        self,
        method: str,
        path: str,
        *,
        headers: Mapping[str, str],
        body: bytes | None,
        timeout: float,
    ) -> Answer:
        """One HTTP request to the container's own address and port."""
        if not self._port:
            raise CannotObserve("the service has no port to send a request to: give it one")
        named = {name.lower() for name in headers}
        host = {"host": self._host} if self._host and "host" not in named else {}
        url = f"http://{self._address}:{self._port}{path}"
        return self._fetch(method, url, headers={**host, **headers}, body=body, timeout=timeout)

    def exited(self) -> str:
        """Why the container is gone (exit code, OOM), or "" while it runs."""
        if self._cancelled is not None and self._cancelled.is_set():
            return "given up: the run was interrupted"
        try:
            state = self._engine.state(self._container)
        except Failed as error:
            return f"the container can't be seen: {error.message}"
        return exit_words(state)


def host_of(service: Service) -> str:
    """The Host header of a check that names none: the first route's host, or the service's name."""
    return next((route.host for route in service.routes if route.host), service.name)


def exit_words(state: State) -> str:
    """How a container ended, in words; "" while it runs or before it was started."""
    if not state.died:
        return ""
    words = f"the container ended with exit code {state.exit_code}"
    if state.oom_killed:
        words += ", killed for using more memory than its limit (limits.memory)"
    if state.error:
        words += f": {state.error}"
    return words
