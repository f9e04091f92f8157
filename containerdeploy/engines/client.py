"""docker-py's `APIClient`, with what many threads and short deadlines need beyond it."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from docker.api.client import APIClient
from docker.errors import create_api_error_from_http_exception
from requests import HTTPError, Response
from requests.adapters import HTTPAdapter

from containerdeploy.engines.address import USUAL
from containerdeploy.engines.pool import OnePool

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from requests import PreparedRequest

    from containerdeploy.engines.address import Address

TIMEOUT = 60.0
"""Seconds that an engine may be silent during an ordinary call."""
POOL = 32
"""Idle connections that are kept for the next calls."""


class Client(APIClient):  # type: ignore[misc]  # docker-py has no types
    """A client of one API version. Thread-safe; opens nothing until the first call.

    Raises:
        docker.errors.DockerException: the address or the docker CLI's configuration can't
            be used.
    """

    def __init__(self, where: Address, version: str) -> None:
        over_ssh = where.url.startswith("ssh://")
        super().__init__(
            base_url=USUAL if over_ssh else where.url,  # no matter: `OnePool` dials
            version=version,
            timeout=TIMEOUT,
            tls=where.tls or False,
        )
        self._where = where
        self._secured = where.tls is not None
        self._limit = threading.local()
        if where.local or over_ssh:
            # No proxy, .netrc or certificate of the environment is about this socket, and
            # looking for them at each call takes as long as the call.
            self.trust_env = False
            self.mount("http+docker://", OnePool(where, timeout=TIMEOUT, size=POOL))
        else:
            for scheme in ("http://", "https://"):
                self.mount(scheme, HTTPAdapter(pool_connections=1, pool_maxsize=POOL))

    def another(self) -> Client:
        """One with connections of its own, for the caller to close."""
        return Client(self._where, str(self.api_version))

    @contextmanager
    def within(self, seconds: float) -> Iterator[None]:
        """In this thread, the engine may be silent for so long; docker-py's own methods
        know one time for all calls, and none for a pull or an import."""
        before = getattr(self._limit, "seconds", None)
        self._limit.seconds = seconds
        try:
            yield
        finally:
            self._limit.seconds = before

    def send(self, request: PreparedRequest, **kwargs: Any) -> Response:
        """Send a request; see `requests.Session.send`."""
        seconds: float | None = getattr(self._limit, "seconds", None)
        if seconds is not None:
            kwargs["timeout"] = seconds
        if self._secured:  # or requests prefers REQUESTS_CA_BUNDLE to the engine's certificate
            kwargs["verify"] = self.verify
        response: Response = super().send(request, **kwargs)
        return response

    def opened(
        self,
        method: str,
        path: str,
        *names: str,
        query: Mapping[str, Any] | None = None,
        data: Any = None,
        headers: Mapping[str, str] | None = None,
    ) -> Response:
        """An answer that is read bit by bit by the caller, who closes it.

        docker-py's own streams wait without end (`get_archive`), tell not what is stdout and
        what is stderr (`logs`), or lose what arrived together with the head (`exec_start`).

        Args:
            path: below the API version; each ``{}`` is filled with one of `names`, quoted.
            data: sent as JSON.

        Raises:
            docker.errors.APIError: a status of 400 and above.
        """
        url = path.format(*(quote(name, safe="/:@") for name in names))
        response: Response = self.request(
            method,
            f"{self.base_url}/v{self.api_version}{url}",
            params=query,
            json=data,
            headers={"Accept-Encoding": "identity", **(headers or {})},  # 20.10 gzips archives
            timeout=self.timeout,
            stream=True,
        )
        try:
            response.raise_for_status()
        except HTTPError as error:
            with response:
                raise create_api_error_from_http_exception(error) from error
        return response
