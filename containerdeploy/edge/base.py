"""The port to the edge: what the rest of cdeploy asks of the reverse proxy.

Drivers raise `EdgeError` (the proxy refused or did not answer; with its words)
and `HostNotReady` (there is no edge on this host).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from containerdeploy.check import Answer
    from containerdeploy.edge.table import Colour, Table


@dataclass(frozen=True, slots=True)
class Applied:
    """What a change of the table took.

    Attributes:
        table: the table that now stands, on disk and in the proxy.
        reloaded: whether a new shape needed a reload.
        switch_seconds: from the first runtime command of the map transaction to
            its confirmation; 0.0 when no map changed.
    """

    table: Table
    reloaded: bool = False
    switch_seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Figures:
    """The edge's own figures of one colour of one service, all proxy processes together.

    Attributes:
        current: requests (or TCP sessions) in flight, queued ones included.
        total: since the proxy's process started.
        errors: 5xx answers and connection errors.
        by_address: what is in flight by server address; one that was taken out of
            the colour is still listed until its slot is given to another.
    """

    current: int = 0
    total: int = 0
    errors: int = 0
    by_address: Mapping[str, int] = field(default_factory=dict)


class Edge(Protocol):
    """The reverse proxy of this host. Thread-safe, and safe between processes."""

    def table(self) -> Table:
        """The table on disk; an empty one where there is none yet."""
        ...

    def change(self, edit: Callable[[Table], Table]) -> Applied:
        """Change the table: on disk first, then in the running proxy, then verified.

        Reads the table under the edge's lock, applies `edit`, and makes the proxy
        follow. All map entries (live colours, routes, callers) change in one
        transaction; a colour's servers are made ready before it, and emptied
        after it. A new shape is checked with the proxy's own checker and reloaded
        before the transaction. A configuration that does not pass changes nothing.
        """
        ...

    def settle(self) -> bool:
        """Make the running proxy match the disk (after a crash or a kill); whether it had to."""
        ...

    def figures(self) -> Mapping[tuple[str, Colour | str], Figures]:
        """Figures by (service key, colour or "hold")."""
        ...

    def lingering(self) -> bool:
        """Whether a proxy process from before the last reload still serves connections."""
        ...

    def close_sessions(self, key: str, colour: Colour) -> None:
        """End what is still in flight in a colour."""
        ...

    def request(
        self,
        key: str,
        colour: Colour,
        method: str,
        path: str,
        *,
        host: str = "",
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
        timeout: float = 10.0,
    ) -> Answer:
        """One HTTP request through the proxy to a colour, live or not (redirects not followed)."""
        ...
