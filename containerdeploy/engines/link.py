"""The way to one engine: its API version is agreed on at the first call, errors are ours."""

from __future__ import annotations

import threading
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING

from docker.errors import DockerException

from containerdeploy.engines.client import TIMEOUT, Client
from containerdeploy.engines.failures import translated
from containerdeploy.errors import HostNotReady

if TYPE_CHECKING:
    from collections.abc import Iterator

    from containerdeploy.engines.address import Address

OLDEST = (1, 41)
"""Docker Engine 20.10, the oldest that is supported."""
NEWEST = (1, 47)
"""The newest API version whose answers are known here; a newer engine speaks it too."""
GREETING = 10.0
"""Seconds that an engine may take for its first answer."""


class Link:
    """The way to one engine. Thread-safe; opens nothing until the first call."""

    def __init__(self, address: Address) -> None:
        self.address = address
        self._client: Client | None = None
        self._lock = threading.Lock()

    @contextmanager
    def asking(self, *, timeout: float = TIMEOUT) -> Iterator[Client]:
        """docker-py's client, for calls that end in cdeploy's errors.

        A status that the caller understands is caught inside the block, as
        `docker.errors.APIError`.

        Args:
            timeout: seconds that the engine may be silent.

        Raises:
            NotFound, EngineError (`EngineSilentError` when the time is up), HostNotReady.
        """
        with self.translated(timeout):
            client = self._agreed()
            with client.within(timeout):
                yield client

    @contextmanager
    def translated(self, seconds: float | None = None) -> Iterator[None]:
        """For what is read later from an answer; see `failures.translated`."""
        with translated(self.address, seconds):
            yield

    def close(self) -> None:
        """Close the idle connections; the next call opens new ones."""
        with self._lock:
            if self._client is not None:
                self._client.close()

    def _agreed(self) -> Client:
        with self._lock:
            if self._client is None:
                version = self._negotiated()
                self._client = self._made(version)
            return self._client

    def _made(self, version: tuple[int, int]) -> Client:
        try:
            return Client(self.address, _text(version))
        except DockerException as error:
            raise HostNotReady(
                f"the container engine at {self.address} can't be used: {error}",
                hint="check DOCKER_HOST, `docker context ls` and the docker CLI's config.json",
            ) from error

    def _negotiated(self) -> tuple[int, int]:
        """The newest API version that both sides know.

        Asked of /_ping, which any version answers in half a millisecond. docker-py asks
        /version, for which the engine starts `runc --version`: ten milliseconds.
        """
        client = self._made(OLDEST)
        with self.translated(GREETING), closing(client), client.within(GREETING):
            response = client.get(f"{client.base_url}/_ping")
        offered = response.headers.get("Api-Version", "")
        numbers = offered.split(".")
        if len(numbers) != 2 or not all(number.isdecimal() for number in numbers):
            raise HostNotReady(
                f"what answers at {self.address} is not a Docker Engine "
                f"(status {response.status_code}, API version {offered!r})",
                hint="check DOCKER_HOST and `docker context ls`",
            )
        version = min((int(numbers[0]), int(numbers[1])), NEWEST)
        if version < OLDEST:
            raise HostNotReady(
                f"the engine at {self.address} speaks API {offered}, older than {_text(OLDEST)}",
                hint="upgrade it to Docker Engine 20.10 or newer",
            )
        return version


def _text(version: tuple[int, int]) -> str:
    return f"{version[0]}.{version[1]}"
