"""One HTTP request straight to a container: the only file of the checks that speaks HTTP."""

from __future__ import annotations

import ssl
import time
from typing import TYPE_CHECKING, Protocol

from containerdeploy.check import Answer, CannotObserve

if TYPE_CHECKING:
    from collections.abc import Mapping

MAX_BODY = 10 * 1024 * 1024
"""Bytes of an answer that a check will look at."""


class Fetch(Protocol):
    """One HTTP request, redirects not followed; raises `CannotObserve` without an answer."""

    def __call__(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str],
        body: bytes | None,
        timeout: float,
    ) -> Answer:
        """The answer of the server at `url`, within `timeout` seconds."""
        ...


def fetch(
    method: str,
    url: str,
    *,
    headers: Mapping[str, str],
    body: bytes | None,
    timeout: float,
) -> Answer:
    """One HTTP request on a connection of its own, by no proxy of the environment's.

    Args:
        method: such as ``GET``.
        url: ``http://address:port/path?query``.
        headers: sent as they are; ``host`` names the virtual host.
        body: the request's content, or None for none.
        timeout: seconds for the whole exchange.

    Raises:
        CannotObserve: nobody listens, no answer in time, or no HTTP.
    """
    import httpx

    # Only plain HTTP goes to a container, so the certificate authorities that
    # httpx would load (20 ms) are left out.
    transport = httpx.HTTPTransport(verify=ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT))
    deadline = time.monotonic() + timeout
    try:
        with (
            httpx.Client(transport=transport, trust_env=False, timeout=timeout) as client,
            client.stream(method, url, headers=dict(headers), content=body) as response,
        ):
            content = bytearray()
            for chunk in response.iter_bytes():
                content += chunk
                if len(content) > MAX_BODY:
                    raise CannotObserve(f"the answer of {url} is larger than {MAX_BODY} bytes")
                if time.monotonic() > deadline:
                    raise CannotObserve(f"the answer of {url} was not complete in {timeout:.1f} s")
            found = {name.lower(): value for name, value in response.headers.items()}
            return Answer(response.status_code, found, bytes(content))
    except httpx.ConnectError as error:
        raise CannotObserve(f"nobody answers at {url}: {error}") from error
    except httpx.TimeoutException as error:
        raise CannotObserve(f"no answer from {url} in {timeout:.1f} s") from error
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise CannotObserve(f"no HTTP answer from {url}: {error}") from error
