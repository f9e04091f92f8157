"""The conversation with a command over a connection that the engine has handed over.

docker-py's `exec_start` gives the raw socket, without what http.client has read beyond the
answer's head, and its readers wait without end and can't write meanwhile.
"""

from __future__ import annotations

import select
import socket
import ssl
import time
from typing import TYPE_CHECKING, Any, cast

from containerdeploy.engines.frames import Demultiplexer

if TYPE_CHECKING:
    from requests import Response

CHUNK = 65536
NOT_NOW = (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError)


class Talk:
    """Both ways of the connection behind an answer with status 101.

    Over TLS nothing can be sent: Python's `ssl` can't close one way only. Its `unwrap` sends
    the alert for that, and then loses what has come meanwhile.

    Args:
        response: the answer; the caller closes it.
    """

    def __init__(self, response: Response) -> None:
        # http.client's buffer below requests and urllib3; docker-py reaches it the same way.
        self._buffer = cast("Any", response.raw)._fp.fp
        self._socket: socket.socket = response.raw.connection.sock
        self._socket.setblocking(False)

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
        poll.register(self._socket, select.POLLIN | (select.POLLOUT if unsent else 0))
        while True:
            left = deadline - time.monotonic()
            if left <= 0 or not poll.poll(left * 1000):
                raise TimeoutError
            if unsent:
                unsent = unsent[self._send(unsent[:CHUNK]) :]
                if not unsent:
                    self._socket.shutdown(socket.SHUT_WR)  # the command sees its input's end
                    poll.modify(self._socket, select.POLLIN)
            while (data := self._receive()) is not None:
                if not data:
                    take(parts.finish())
                    stdout, stderr = (part.decode(errors="replace") for part in out.values())
                    return stdout, stderr
                take(parts.feed(data))

    def _send(self, data: memoryview) -> int:
        """How many bytes were taken."""
        try:
            return self._socket.send(data)
        except NOT_NOW:
            return 0

    def _receive(self) -> bytes | None:
        """What has come; None for nothing yet, nothing at the end."""
        try:
            return self._socket.recv(CHUNK)
        except NOT_NOW:
            return None
