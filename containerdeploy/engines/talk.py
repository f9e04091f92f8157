"""The conversation with a command over a connection that the engine has handed over.

docker-py's `exec_start` gives the raw socket, without what http.client has read beyond the
answer's head, and its readers wait without end and can't write meanwhile.
"""

from __future__ import annotations

import os
import select
import socket
import ssl
import time
from contextlib import suppress
from typing import IO, TYPE_CHECKING, Any, cast

from containerdeploy.engines.frames import Demultiplexer

if TYPE_CHECKING:
    from requests import Response

CHUNK = 65536
NOT_NOW = (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError)


class Talk:
    """Both ways of the connection behind an answer with status 101.

    Args:
        response: the answer; the caller closes it.
    """

    def __init__(self, response: Response) -> None:
        # http.client's buffer below requests and urllib3; docker-py reaches it the same way.
        self._buffer = cast("Any", response.raw)._fp.fp
        sock = response.raw.connection.sock
        process = getattr(sock, "proc", None)  # docker-py's ssh: two pipes
        if process is None:
            sock.setblocking(False)
            self._way: _Socket | _Pipes = _Socket(sock)
        else:
            self._way = _Pipes(process.stdout.fileno(), process.stdin)

    def exchange(self, stdin: bytes, deadline: float) -> tuple[str, str]:
        """Send `stdin` and read what comes, at once, until the other end closes.

        Args:
            deadline: by `time.monotonic`.

        Returns:
            stdout and stderr; bytes that are no UTF-8 become U+FFFD.

        Raises:
            TimeoutError: the deadline has passed.
            OSError: the connection broke.
        """
        parts = Demultiplexer()
        out = {"stdout": bytearray(), "stderr": bytearray()}

        def take(frames: list[tuple[str, bytes]]) -> None:
            for stream, content in frames:
                out[stream] += content

        take(parts.feed(self._buffer.peek()))
        unsent = memoryview(stdin)
        poll = select.poll()
        poll.register(self._way.reading, select.POLLIN)
        if unsent:
            poll.register(self._way.writing, select.POLLIN | select.POLLOUT)
        while True:
            left = deadline - time.monotonic()
            if left <= 0 or not poll.poll(left * 1000):
                raise TimeoutError
            if unsent:
                unsent = unsent[self._way.send(unsent[:CHUNK]) :]
                if not unsent:
                    poll.unregister(self._way.writing)
                    self._way.end()  # the command sees the end of its input
                    if self._way.writing == self._way.reading:
                        poll.register(self._way.reading, select.POLLIN)
            while (data := self._way.receive()) is not None:
                if not data:
                    take(parts.finish())
                    return out["stdout"].decode(errors="replace"), out["stderr"].decode(
                        errors="replace"
                    )
                take(parts.feed(data))


class _Socket:
    """A socket, with or without TLS."""

    def __init__(self, sock: socket.socket) -> None:
        self._socket = sock
        self.reading = self.writing = sock.fileno()

    def send(self, data: memoryview) -> int:
        """How many bytes were taken."""
        try:
            return self._socket.send(data)
        except NOT_NOW:
            return 0

    def receive(self) -> bytes | None:
        """What has come; None for nothing yet, nothing at the end."""
        try:
            return self._socket.recv(CHUNK)
        except NOT_NOW:
            return None

    def end(self) -> None:
        """Nothing more is sent; what comes can still be read."""
        if not isinstance(self._socket, ssl.SSLSocket):
            self._socket.shutdown(socket.SHUT_WR)
            return
        with suppress(*NOT_NOW):  # what is sent is sent; the other end's is not here yet
            self._socket.unwrap()  # TLS's own half-close: a close_notify alert


class _Pipes:
    """The standard streams of the ssh process that docker-py starts."""

    def __init__(self, reading: int, stdin: IO[bytes]) -> None:
        self._stdin = stdin
        self.reading, self.writing = reading, stdin.fileno()
        for pipe in (self.reading, self.writing):
            os.set_blocking(pipe, False)

    def send(self, data: memoryview) -> int:
        """How many bytes were taken."""
        try:
            return os.write(self.writing, data)
        except NOT_NOW:
            return 0

    def receive(self) -> bytes | None:
        """What has come; None for nothing yet, nothing at the end."""
        try:
            return os.read(self.reading, CHUNK)
        except NOT_NOW:
            return None

    def end(self) -> None:
        """Nothing more is sent."""
        self._stdin.close()
