"""The connections to an engine's Unix socket: one pool of them, and none left open."""

from __future__ import annotations

import socket
from typing import Any

from docker.transport import UnixHTTPAdapter
from docker.transport.unixconn import UnixHTTPConnection, UnixHTTPConnectionPool


class OnePool(UnixHTTPAdapter):  # type: ignore[misc]  # docker-py has no types
    """All requests share one pool of connections.

    docker-py keeps one for each URL, queries included, and at most 25: connections are then
    seldom used twice, and with many threads a pool is closed under the one that has just
    taken it (`requests.ConnectionError: Pool is closed`).
    """

    def get_connection(self, url: str, proxies: Any = None) -> Any:
        """The pool; `url` is of no matter, since the socket is the same."""
        with self.pools.lock:
            pool = self.pools.get("engine")
            if pool is None:
                pool = self.pools["engine"] = _Pool(
                    url, self.socket_path, self.timeout, maxsize=self.max_pool_size
                )
            return pool


class _Pool(UnixHTTPConnectionPool):  # type: ignore[misc]  # docker-py has no types
    def _new_conn(self) -> Any:
        return _Connection(self.base_url, self.socket_path, self.timeout)


class _Connection(UnixHTTPConnection):  # type: ignore[misc]  # docker-py has no types
    def connect(self) -> None:
        """docker-py leaves the socket open when nobody listens; bootstrap asks many times."""
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            sock.settimeout(self.timeout)
            sock.connect(self.unix_socket)
        except OSError:
            sock.close()
            raise
        self.sock = sock
