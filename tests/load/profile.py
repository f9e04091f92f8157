"""What a load is made of: how many clients of which kind, and how they behave."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from ipaddress import ip_address


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """One load on one address. Times are seconds.

    Attributes:
        port: where the edge (or a server under test) listens.
        host: the Host header; the name is never resolved.
        address: an address of this machine, or of a container on it; no other is taken.
        getters: clients that GET on a kept-alive connection.
        posters: clients that POST on a kept-alive connection, with think time before each.
        slow_posters: clients that drip a body over `slow_seconds`, one after another;
            with two or more of them one is in flight at any moment.
        sockets: WebSocket clients that echo for `socket_seconds`, close, and come again.
        newcomers: clients that open a connection for every request.
        think: the longest pause between two requests of one client; chosen evenly from 0.
        distance: how long a kept-alive client has already made up its mind before its
            bytes leave, as if it were far away. A server that closes an idle connection
            in that time loses the request: near clients would not notice.
        timeout: after this long without an answer a request counts as lost.
        max_seconds: the load ends by itself after this long.
        max_requests: the load ends by itself after this many.
    """

    port: int
    host: str = "load.localhost"
    address: str = "127.0.0.1"
    getters: int = 6
    posters: int = 12
    slow_posters: int = 3
    sockets: int = 4
    newcomers: int = 3
    think: float = 0.04
    distance: float = 0.01
    slow_seconds: float = 2.0
    socket_seconds: float = 1.5
    timeout: float = 15.0
    max_seconds: float = 300.0
    max_requests: int = 300_000

    def __post_init__(self) -> None:
        address = ip_address(self.address)
        if not (address.is_loopback or address.is_private):
            raise ValueError(
                f"load goes to this machine and its containers only, not to {self.address}"
            )
        if not self.clients:
            raise ValueError("a load without a client would see nothing")

    @property
    def clients(self) -> int:
        """How many clients there are of all kinds."""
        return self.getters + self.posters + self.slow_posters + self.sockets + self.newcomers

    def to_json(self) -> str:
        """One line of JSON; `from_json` reads it."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Profile:
        """The profile that `to_json` wrote."""
        return cls(**json.loads(text))
