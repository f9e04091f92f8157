"""The connections to an engine behind one socket: one pool of them, and none left open."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING, Any

from docker.transport import UnixHTTPAdapter
from docker.transport.unixconn import UnixHTTPConnection, UnixHTTPConnectionPool

from containerdeploy.engines import ssh

if TYPE_CHECKING:
    from containerdeploy.engines.address import Address


class OnePool(UnixHTTPAdapter):  # type: ignore[misc]  # docker-py has no types
    """All requests to a ``unix://`` or ``ssh://`` engine share one pool of connections.

    docker-py keeps one for each URL, queries included, and at most 25: connections are then
    seldom used twice, and a pool that falls out is closed also under a thread that has just
    taken it (urllib3's `ClosedPoolError`).

    Args:
        timeout: seconds for opening a connection, where the request has none of its own.
        size: idle connections that are kept.
    """

    def __init__(self, where: Address, *, timeout: float, size: int) -> None:
        super().__init__(where.url, timeout, pool_connections=1, max_pool_size=size)
        self._where = where

    def get_connection(self, url: str, proxies: Any = None) -> Any:
        """The pool; `url` is of no matter, since the socket is the same."""
        with self.pools.lock:
            pool = self.pools.get("engine")
            if pool is None:
                pool = _Pool(url, self._where.url, self.timeout, maxsize=self.max_pool_size)
                self.pools["engine"] = pool
            return pool


class _Pool(UnixHTTPConnectionPool):  # type: ignore[misc]  # docker-py has no types
    def _new_conn(self) -> Any:
        return _Connection(self.base_url, self.socket_path, self.timeout)


class _Connection(UnixHTTPConnection):  # type: ignore[misc]  # docker-py has no types
    def connect(self) -> None:
        """docker-py leaves the socket open when nobody listens; bootstrap asks many times."""
        url: str = self.unix_socket
        if url.startswith("ssh://"):
            self.sock = ssh.dial(url)
            self.sock.settimeout(self.timeout)
            return
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            sock.settimeout(self.timeout)
            sock.connect(url.removeprefix("unix://"))
        except OSError:
            sock.close()
            raise
        self.sock = sock
