"""HTTP to the Docker Engine API: pooled connections, deadlines, translated errors.

The API is spoken directly and not through docker-py, whose import takes 0.15 s and
whose exec can't half-close its stdin: docs/decisions/engine-wire.md.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import re
import select
import socket
import ssl
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any
from urllib.parse import quote, urlencode, urlsplit

from containerdeploy.errors import EngineError, HostNotReady, NotFound

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from containerdeploy.engines.address import Address

OLDEST = (1, 41)
"""Docker Engine 20.10, the oldest that is supported."""
NEWEST = (1, 47)
"""The newest API version whose answers are known here; a newer engine speaks it too."""
IDLE = 32
"""Idle connections that are kept for the next calls."""
CONNECT = 10.0
TIMEOUT = 60.0
"""Seconds that an engine may be silent during an ordinary call."""


class EngineSilentError(EngineError):
    """The engine did not answer in time."""


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer of the engine: its status, headers, and body (JSON where it is JSON)."""

    status: int
    headers: Mapping[str, str]
    body: bytes = field(repr=False)

    def json(self) -> Any:
        """The body as JSON; raises `EngineError` when it is not."""
        try:
            return json.loads(self.body or b"null")
        except ValueError as error:
            raise EngineError(
                f"the engine's answer is not JSON: {self.body[:200]!r}",
                hint="is something else listening at the engine's address?",
            ) from error

    @property
    def words(self) -> str:
        """The engine's own message about a failure."""
        try:
            return str(json.loads(self.body)["message"]).strip()
        except (ValueError, KeyError, TypeError):
            return self.body.decode(errors="replace").strip() or f"status {self.status}"


class Connection(http.client.HTTPConnection):
    """An HTTP connection over a Unix socket, TCP, TLS, or ssh's standard streams."""

    def __init__(self, address: Address, timeout: float) -> None:
        super().__init__("docker", timeout=timeout)
        self._address = address
        self._raw: socket.socket | None = None

    def connect(self) -> None:
        """Open the socket; raises OSError."""
        parts = urlsplit(self._address.url)
        if parts.scheme == "unix":
            self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            self.sock.settimeout(CONNECT)
            try:
                self.sock.connect(parts.path)
            except OSError:
                self.close()
                raise
        elif parts.scheme == "ssh":
            from containerdeploy.engines.ssh import dial

            self.sock = dial(self._address.url)
        else:
            plain = socket.create_connection((parts.hostname or "", parts.port or 2375), CONNECT)
            plain.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            tls = self._address.certificates
            self.sock = _secured(plain, self._address, parts.hostname or "") if tls else plain
        self.sock.settimeout(self.timeout)
        self._raw = self.sock

    def deadline(self, timeout: float | None) -> None:
        """Seconds that the engine may be silent from now on; None for as long as it likes."""
        self.timeout = timeout
        if self._raw is not None:
            self._raw.settimeout(timeout)

    def abort(self) -> None:
        """Close it, also under a reader in another thread, who then sees the end."""
        if self._raw is not None:
            with contextlib.suppress(OSError):  # the other end may have gone first
                self._raw.shutdown(socket.SHUT_RDWR)
        self.close()

    @property
    def stale(self) -> bool:
        """Whether the other end closed it (or sent something unasked) while it was idle."""
        if self.sock is None:
            return True
        poll = select.poll()
        poll.register(self.sock, select.POLLIN | select.POLLHUP | select.POLLERR)
        return bool(poll.poll(0))


def _secured(plain: socket.socket, address: Address, host: str) -> ssl.SSLSocket:
    folder = Path(address.certificates)
    context = ssl.create_default_context(cafile=str(folder / "ca.pem") if address.verify else None)
    if not address.verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if (folder / "cert.pem").exists():
        context.load_cert_chain(folder / "cert.pem", folder / "key.pem")
    return context.wrap_socket(plain, server_hostname=host)


class Wire:
    """The way to one engine. Thread-safe; opens nothing until the first call."""

    def __init__(self, address: Address) -> None:
        self.address = address
        self._idle: list[Connection] = []
        self._lock = threading.Lock()
        self._prefix = ""

    def close(self) -> None:
        """Close the idle connections; the next call opens new ones."""
        with self._lock:
            idle, self._idle = self._idle, []
        for connection in idle:
            connection.close()

    def call(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, Any] | None = None,
        data: Any = None,
        timeout: float = TIMEOUT,
        allow: Collection[int] = (),
    ) -> Reply:
        """One request and its whole answer.

        Args:
            path: below the API version, such as ``/containers/json``; quoted by `quoted`.
            query: parameters; None leaves one out, a dict is sent as JSON, a list repeats the name.
            data: sent as JSON.
            timeout: seconds that the engine may be silent.
            allow: statuses of 400 and above that the caller understands.

        Raises:
            NotFound, EngineError (`EngineSilentError` when the time is up), HostNotReady.
        """
        body = None if data is None else json.dumps(data).encode()
        connection = self._take(timeout)
        try:
            with translated(self.address, method, path, timeout):
                connection.request(method, self._target(path, query), body, _headers(body))
                response = connection.getresponse()
                content = response.read()
        except BaseException:
            connection.close()
            raise
        self._give(connection, response)
        reply = Reply(response.status, _lower(response), content)
        return _judged(reply, allow)

    @contextmanager
    def stream(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, Any] | None = None,
        data: bytes | IO[bytes] | None = None,
        headers: Mapping[str, str] | None = None,
        timeout: float = TIMEOUT,
        allow: Collection[int] = (),
    ) -> Iterator[http.client.HTTPResponse]:
        """A request whose answer is read bit by bit; the connection is closed afterwards.

        `timeout` bounds each silence. Errors while reading are the caller's to translate
        (`translated`).
        """
        connection, response = self.open(
            method, path, query=query, data=data, headers=headers, timeout=timeout, allow=allow
        )
        try:
            yield response
        finally:
            connection.close()

    def open(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, Any] | None = None,
        data: bytes | IO[bytes] | None = None,
        headers: Mapping[str, str] | None = None,
        timeout: float = TIMEOUT,
        allow: Collection[int] = (),
    ) -> tuple[Connection, http.client.HTTPResponse]:
        """Send a request and read the head of its answer; the caller closes the connection."""
        connection = self._take(timeout)
        try:
            with translated(self.address, method, path, timeout):
                connection.request(method, self._target(path, query), data, dict(headers or {}))
                response = connection.getresponse()
                if response.status >= 400 and response.status not in allow:
                    _judged(Reply(response.status, _lower(response), response.read()), ())
        except BaseException:
            connection.close()
            raise
        return connection, response

    def hijack(self, path: str, data: Any, *, timeout: float) -> tuple[socket.socket, bytes]:
        """POST, and take the connection over: the raw socket, and what was read of it already.

        Read by hand, because http.client's buffer would swallow the first bytes.
        """
        connection = Connection(self.address, timeout)
        body = json.dumps(data).encode()
        headers = {**_headers(body), "Connection": "Upgrade", "Upgrade": "tcp"}
        try:
            with translated(self.address, "POST", path, timeout):
                self._prefix = self._prefix or self._negotiate()
                connection.request("POST", self._prefix + path, body, headers)
                head, rest = _head(connection.sock)
                status = int(head.split(b" ", 2)[1])
                if status >= 400:
                    length = re.search(rb"\r\ncontent-length: *(\d+)", head, re.IGNORECASE)
                    while length and len(rest) < int(length.group(1)):
                        rest += connection.sock.recv(65536) or b" "
                    _judged(Reply(status, {}, rest), ())
        except BaseException:
            connection.close()
            raise
        return connection.sock, rest

    def _take(self, timeout: float) -> Connection:
        if not self._prefix:
            self._prefix = self._negotiate()
        while True:
            with self._lock:
                connection = self._idle.pop() if self._idle else None
            if connection is None:
                return Connection(self.address, timeout)
            if not connection.stale:
                connection.deadline(timeout)
                return connection
            connection.close()

    def _give(self, connection: Connection, response: http.client.HTTPResponse) -> None:
        with self._lock:
            if not response.will_close and len(self._idle) < IDLE:
                self._idle.append(connection)
                return
        connection.close()

    def _negotiate(self) -> str:
        """The newest API version that both sides know, as a path prefix."""
        connection = Connection(self.address, CONNECT)
        try:
            with translated(self.address, "GET", "/_ping", CONNECT):
                connection.request("GET", "/_ping")
                response = connection.getresponse()
                response.read()
                offered = response.headers.get("Api-Version", "")
        except BaseException:
            connection.close()
            raise
        self._give(connection, response)
        numbers = offered.split(".")
        if len(numbers) != 2 or not all(number.isdigit() for number in numbers):
            raise HostNotReady(
                f"what answers at {self.address} is not a Docker Engine "
                f"(status {response.status}, API version {offered!r})",
                hint="check DOCKER_HOST and `docker context ls`",
            )
        version = min((int(numbers[0]), int(numbers[1])), NEWEST)
        if version < OLDEST:
            raise HostNotReady(
                f"the engine at {self.address} speaks API {offered}, older than 1.41",
                hint="upgrade it to Docker Engine 20.10 or newer",
            )
        return f"/v{version[0]}.{version[1]}"

    def _target(self, path: str, query: Mapping[str, Any] | None) -> str:
        pairs = [
            (key, json.dumps(value) if isinstance(value, dict) else value)
            for key, value in (query or {}).items()
            if value is not None
        ]
        return (
            f"{self._prefix}{path}?{urlencode(pairs, doseq=True)}" if pairs else self._prefix + path
        )


def _head(sock: socket.socket) -> tuple[bytes, bytes]:
    """The head of an answer, and the bytes after it; raises ConnectionError when it breaks off."""
    data = b""
    while b"\r\n\r\n" not in data:
        more = sock.recv(65536)
        if not more or len(data) > 1_000_000:
            raise ConnectionResetError("the answer broke off")
        data += more
    head, _, rest = data.partition(b"\r\n\r\n")
    return head, rest


def quoted(name: str) -> str:
    """A container, image or network name as part of a path."""
    return quote(name, safe="/:@")


def shown(container: str) -> str:
    """A container in a message: its name, or the twelve digits of an id that docker shows."""
    return container[:12] if re.fullmatch(r"[0-9a-f]{64}", container) else container


@contextmanager
def translated(address: Address, method: str, path: str, timeout: float | None) -> Iterator[None]:
    """Turn the socket's and http.client's exceptions into `EngineError` and `HostNotReady`."""
    try:
        yield
    except (FileNotFoundError, ConnectionRefusedError, socket.gaierror) as error:
        raise HostNotReady(
            f"no container engine answers at {address}: {error.strerror or error}",
            hint="start the engine, or let `cdeploy bootstrap` install one",
        ) from error
    except PermissionError as error:
        raise HostNotReady(
            f"this user may not talk to the container engine at {address}",
            hint="add the user to the group docker (`sudo usermod -aG docker $USER`) "
            "and log in again, or run as root",
        ) from error
    except TimeoutError as error:
        raise EngineSilentError(
            f"the engine at {address} was silent for {timeout:g} s during {method} {path}",
            hint="is the host overloaded or its disk full? `cdeploy doctor` looks",
        ) from error
    except (OSError, http.client.HTTPException) as error:
        raise EngineError(
            f"the connection to the engine at {address} broke during {method} {path}: "
            f"{error or type(error).__name__}",
            hint="was the engine restarted? `cdeploy doctor` looks; then run the command again",
        ) from error


def _headers(body: bytes | None) -> dict[str, str]:
    return {} if body is None else {"Content-Type": "application/json"}


def _lower(response: http.client.HTTPResponse) -> dict[str, str]:
    return {name.lower(): value for name, value in response.getheaders()}


def _judged(reply: Reply, allow: Collection[int]) -> Reply:
    if reply.status < 400 or reply.status in allow:
        return reply
    if reply.status == 404:
        raise NotFound(f"the engine says: {reply.words}")
    raise EngineError(f"the engine says: {reply.words}")
