"""One HTTP request through the proxy's preview socket, by either way to it."""

from __future__ import annotations

import http.client
import io
from typing import TYPE_CHECKING

from containerdeploy.check import Answer
from containerdeploy.errors import BadInput, EdgeError

if TYPE_CHECKING:
    import socket
    from collections.abc import Mapping

    from containerdeploy.edge.haproxy.ways import Way


def ask_http(
    way: Way,
    backend: str,
    method: str,
    path: str,
    *,
    host: str,
    headers: Mapping[str, str],
    body: bytes | None,
    timeout: float,
) -> Answer:
    """Send a request to a backend, live or not. The connection is closed after it.

    Raises:
        BadInput: method, path or a header holds a line break or another control character.
        EdgeError: no whole answer came within `timeout` seconds.
    """
    own = {"host", "connection", "content-length", "x-cdeploy-backend", "transfer-encoding"}
    fields = [("Host", host), ("X-Cdeploy-Backend", backend), ("Connection", "close")]
    if body is not None or method in ("POST", "PUT", "PATCH"):
        fields.append(("Content-Length", str(len(body or b""))))
    fields += [(name, value) for name, value in headers.items() if name.lower() not in own]
    lines = [f"{method} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in fields)]
    for line in lines:
        if any(ord(char) < ord(" ") or char == "\x7f" for char in line):
            raise BadInput(
                f"{line!r} can't be part of an HTTP request: it holds a control character"
            )
    head = "\r\n".join((*lines, "", "")).encode()
    raw = way.exchange("preview", head + (body or b""), timeout=timeout)
    return _parsed(raw, method, backend)


class _Read:
    """What `http.client` reads a response from; it only asks for a file."""

    def __init__(self, raw: bytes) -> None:
        self._raw = raw

    def makefile(self, mode: str) -> io.BytesIO:
        return io.BytesIO(self._raw)


def _parsed(raw: bytes, method: str, backend: str) -> Answer:
    source: socket.socket = _Read(raw)  # type: ignore[assignment]
    response = http.client.HTTPResponse(source, method=method)
    try:
        response.begin()
        body = response.read()
    except http.client.HTTPException as error:
        raise EdgeError(
            f"{backend} gave no whole HTTP answer through the edge ({type(error).__name__})",
            hint="does the service speak HTTP at its port?",
            detail=raw[:500].decode(errors="replace"),
        ) from error
    headers = {name.lower(): value for name, value in response.getheaders()}
    return Answer(status=response.status, headers=headers, body=body)
