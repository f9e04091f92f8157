"""Two ways to the proxy's sockets: a Unix socket on this machine, or an exec in its container.

On an engine in a virtual machine (Docker Desktop) a Unix socket in a bind mount can be
seen but not connected to; there, socat inside the container carries the same bytes.
"""

from __future__ import annotations

import base64
import binascii
import os
import socket
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Literal, Protocol

from containerdeploy.edge.haproxy.settings import RUN_DIR
from containerdeploy.errors import EdgeError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from containerdeploy.engines.base import Engine

Socket = Literal["admin", "master", "preview"]

PATH_LIMIT = 100
"""A Unix socket's path has 107 bytes at most (unix(7)); longer ones are reached by a
file descriptor of their folder."""

RELAY = 'socat -t "$1" - "UNIX-CONNECT:$2,shut-none" | base64 -w0'
"""Bytes in, base64 out: an exec's output is text. `shut-none`: a client that closes its
half is taken for one that left."""


class Way(Protocol):
    """How bytes get to one of the proxy's sockets and back."""

    def exchange(self, name: Socket, data: bytes, *, timeout: float, until: bytes = b"") -> bytes:
        """Connect, send `data`, and read until the proxy closes or `until` was read.

        Raises:
            EdgeError: nobody listens, or no end within `timeout` seconds.
        """
        ...


class SocketWay:
    """Connects to the sockets in the state folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def exchange(self, name: Socket, data: bytes, *, timeout: float, until: bytes = b"") -> bytes:
        """See `Way.exchange`."""
        deadline = time.monotonic() + timeout
        received = bytearray()
        try:
            with self._connected(name, timeout) as connection:
                connection.sendall(data)
                while not (until and until in received):
                    connection.settimeout(max(0.001, deadline - time.monotonic()))
                    chunk = connection.recv(1 << 18)
                    if not chunk:
                        break
                    received += chunk
        except TimeoutError as error:
            raise EdgeError(
                f"the edge did not answer on its {name} socket within {timeout:g} s",
                hint="`cdeploy doctor` says what is wrong with it",
                detail=received.decode(errors="replace")[:2000],
            ) from error
        except OSError as error:
            raise EdgeError(
                f"the edge's {name} socket in {self._folder} can't be used: {error}",
                hint="`cdeploy bootstrap` brings the edge up",
            ) from error
        return bytes(received)

    def answers(self) -> bool:
        """Whether somebody listens on the admin socket."""
        try:
            with self._connected("admin", 2.0):
                return True
        except OSError:
            return False

    @contextmanager
    def _connected(self, name: Socket, timeout: float) -> Iterator[socket.socket]:
        path = str(self._folder / f"{name}.sock")
        folder = -1
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            connection.settimeout(timeout)
            if len(os.fsencode(path)) > PATH_LIMIT:
                folder = os.open(self._folder, os.O_RDONLY | os.O_DIRECTORY)
                path = f"/proc/self/fd/{folder}/{name}.sock"
            connection.connect(path)
            yield connection
        finally:
            connection.close()
            if folder >= 0:
                os.close(folder)


class ExecWay:
    """Runs socat in the proxy's container."""

    def __init__(self, engine: Engine, container: str, folder: str = RUN_DIR) -> None:
        self._engine = engine
        self._container = container
        self._folder = folder

    def exchange(self, name: Socket, data: bytes, *, timeout: float, until: bytes = b"") -> bytes:
        """See `Way.exchange`. `until` only bounds the wait of the other way."""
        path = f"{self._folder}/{name}.sock"
        # One second of silence after a "quit" is long; a request may take its whole timeout.
        silence = f"{timeout:g}" if name == "preview" or not until else "5"
        ran = self._engine.run(
            self._container,
            ("sh", "-c", RELAY, "relay", silence, path),
            timeout=timeout + 10,
            stdin=data,
        )
        words = ran.stderr.strip()
        if ran.exit_code != 0 or (words and not ran.stdout):
            raise EdgeError(
                f"the edge's {name} socket can't be used from inside {self._container}: {words}",
                hint="`cdeploy bootstrap` brings the edge up",
            )
        try:
            return base64.b64decode(ran.stdout, validate=True)
        except binascii.Error as error:
            raise EdgeError(
                f"what came from {self._container} is not what its relay writes",
                detail=ran.stdout[:2000],
            ) from error
