"""What containers say: their logs, as they come, line by line."""

from __future__ import annotations

import socket
from contextlib import suppress
from typing import TYPE_CHECKING

from containerdeploy.engines.frames import Demultiplexer, lines
from containerdeploy.errors import EngineError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from requests import Response

    from containerdeploy.engines.base import LogLine
    from containerdeploy.engines.client import Client
    from containerdeploy.engines.link import Link

COARSE = 1e-6
"""Seconds by which a time may be off as a float; `since` is moved back by it, so that the line
of that very time is there."""


class LogStream:
    """A container's log lines; `close` (also from another thread) ends the iteration.

    Not docker-py's `CancellableStream`: for that one a broken connection is an end like any
    other, and `APIClient.logs` does not tell what is stdout and what is stderr.

    Args:
        client: used for this stream alone, so that no other request can get its connection
            at the moment when it is closed; closed with the stream.
        endless: whether the container may be silent for as long as it likes.
    """

    def __init__(self, link: Link, client: Client, response: Response, *, endless: bool) -> None:
        self._link = link
        self._client = client
        self._response = response
        self._socket = response.raw.connection.sock
        if endless:
            self._socket.settimeout(None)
        self._closed = False
        self._lines = lines(self._frames())

    def __iter__(self) -> Iterator[LogLine]:
        return self

    def __next__(self) -> LogLine:
        try:
            return next(self._lines)
        except BaseException:  # the end, an error, or Ctrl-C: nothing more is read
            self.close()
            raise

    def __del__(self) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection, also under a reader; harmless when it is closed."""
        if self._closed:
            return
        self._closed = True
        with suppress(OSError):  # the other end may have gone first
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        self._response.close()
        self._client.close()

    def _frames(self) -> Iterator[tuple[str, bytes]]:
        parts = Demultiplexer()
        try:
            with self._link.translated():
                for data in self._response.iter_content(chunk_size=None):
                    yield from parts.feed(data)
        except (EngineError, ValueError, AttributeError):
            # The last two: urllib3 finds its connection gone in the middle of a read.
            if not self._closed:
                raise


class Logs:
    """The part of the driver that is about logs."""

    _link: Link

    def logs(
        self,
        container: str,
        *,
        tail: int | None = None,
        since: float = 0.0,
        follow: bool = False,
    ) -> Iterator[LogLine]:
        """See `Engine.logs`; the iterator has a `close`."""
        query = {
            "stdout": "1",
            "stderr": "1",
            "timestamps": "1",
            "tail": tail,
            "since": f"{since - COARSE:.9f}" if since else None,
            "follow": "1" if follow else None,
        }
        with self._link.asking() as api:
            own = api.another()
            try:
                response = own.opened("GET", "/containers/{}/logs", container, query=query)
            except BaseException:
                own.close()
                raise
        return LogStream(self._link, own, response, endless=follow)
