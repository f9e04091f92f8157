"""One question to what was just deployed: the first URL, through the edge."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from containerdeploy.host import Host

TIMEOUT = 10.0
MOST = 64 * 1024
"""Bytes of the body that are read."""
ANYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104  an address to avoid
"""Where to connect when the edge listens on every address."""


def ask(host: Host, url: str) -> dict[str, Any]:
    """GET a URL of this host's edge, once.

    The connection goes to the edge's own address, with the URL's name in the Host
    header: no name has to be resolved.

    Returns:
        `url` and `again` (a command that asks the same), with `status`, `reason` and
        `body` (the first 64 KiB), or with `error` when there was no answer.
    """
    import http.client

    address = ANYWHERE.get(host.bind, host.bind)
    name = urlsplit(url).netloc
    path = urlsplit(url).path or "/"
    place = f"[{address}]" if ":" in address else address
    again = f"curl -H 'Host: {name}' http://{place}:{host.http}{path}"
    known = {"url": url, "again": again}
    connection = http.client.HTTPConnection(address, host.http, timeout=TIMEOUT)
    try:
        connection.request("GET", path, headers={"Host": name, "User-Agent": "cdeploy"})
        response = connection.getresponse()
        body = response.read(MOST).decode("utf-8", errors="replace")
    except (OSError, http.client.HTTPException) as error:
        return {**known, "error": str(error) or type(error).__name__}
    finally:
        connection.close()
    return {**known, "status": response.status, "reason": response.reason, "body": body}
