"""An edge in memory: the same verbs, with figures and answers that a test sets."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from containerdeploy.check import Answer
from containerdeploy.edge.base import Applied, Figures
from containerdeploy.edge.haproxy.render import backends_of, config_text, shape_of
from containerdeploy.edge.haproxy.settings import Settings
from containerdeploy.edge.haproxy.tablemap import map_entries
from containerdeploy.edge.table import COLOURS, Table
from containerdeploy.errors import EdgeError, HostNotReady

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from containerdeploy.edge.table import Colour

SETTINGS = Settings(address="192.0.2.1")


class FakeEdge:
    """An `Edge` without a proxy. Thread-safe.

    Attributes:
        up: whether there is an edge; without one every verb but `table` is `HostNotReady`.
        in_flight: what `figures` says is in flight, by (service key, colour or "hold").
        errors: what it says went wrong.
        answers: what `request` gives, by (service key, colour): an answer, or a callable
            of method and path; without one, 200 where the colour is filled, else 503.
        old_processes: what `lingering` says.
        refuse: words with which the next change is refused, as by the proxy's checker.
        history: every table that stood, oldest first.
        closed: the colours whose sessions were closed.
    """

    def __init__(self, table: Table | None = None, *, up: bool = True) -> None:
        self.up = up
        self.in_flight: dict[tuple[str, str], int] = {}
        self.errors: dict[tuple[str, str], int] = {}
        self.answers: dict[tuple[str, str], Answer | Callable[[str, str], Answer]] = {}
        self.old_processes = False
        self.refuse = ""
        self.closed: list[tuple[str, str]] = []
        self.requests: list[tuple[str, str, str, str]] = []
        self._lock = threading.RLock()
        self.history: list[Table] = [table or Table()]

    def table(self) -> Table:
        """See `Edge.table`."""
        return self.history[-1]

    def change(self, edit: Callable[[Table], Table]) -> Applied:
        """See `Edge.change`; renders as the real one does, so what that refuses is refused."""
        self._here()
        with self._lock:
            before = self.table()
            after = edit(before)
            if after == before:
                return Applied(before)
            refused, self.refuse = self.refuse, ""
            if refused:
                raise EdgeError("the edge's checker refuses the new configuration", detail=refused)
            old, new = (config_text(table, SETTINGS) for table in (before, after))
            switched = map_entries(before) != map_entries(after)
            self.history.append(after)
            reloaded = shape_of(old) != shape_of(new)
            return Applied(after, reloaded, 0.001 if switched and not reloaded else 0.0)

    def settle(self) -> bool:
        """See `Edge.settle`: there is nothing that could be elsewhere."""
        self._here()
        return False

    def figures(self) -> Mapping[tuple[str, Colour | str], Figures]:
        """See `Edge.figures`."""
        self._here()
        found: dict[tuple[str, Colour | str], Figures] = {}
        for key, entry in self.table().entries.items():
            for backend in backends_of(entry):
                current = self.in_flight.get((key, backend), 0)
                colour = next((c for c in COLOURS if c == backend), None)
                addresses = entry.addresses(colour) if colour else ()
                found[key, backend] = Figures(
                    current=current,
                    total=current,
                    errors=self.errors.get((key, backend), 0),
                    # All of it on the first: a test that needs more sets more colours.
                    by_address={a: current if a == addresses[0] else 0 for a in addresses},
                )
        return found

    def lingering(self) -> bool:
        """See `Edge.lingering`."""
        self._here()
        return self.old_processes

    def close_sessions(self, key: str, colour: Colour) -> None:
        """See `Edge.close_sessions`."""
        self._here()
        self._known(key)
        self.closed.append((key, colour))
        self.in_flight.pop((key, colour), None)

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
        """See `Edge.request`."""
        self._here()
        self._known(key)
        self.requests.append((key, colour, method, path))
        entry = self.table().entries[key]
        if entry.protocol != "http":
            raise EdgeError(f"{key} speaks plain tcp: it can't be asked by HTTP")
        answer = self.answers.get((key, colour))
        if answer is None:
            return Answer(200 if entry.addresses(colour) else 503, {}, b"")
        return answer if isinstance(answer, Answer) else answer(method, path)

    def _here(self) -> None:
        if not self.up:
            raise HostNotReady("there is no edge on this host", hint="run `cdeploy bootstrap`")

    def _known(self, key: str) -> None:
        if key not in self.table().entries:
            raise EdgeError(f"the edge does not know {key}", hint="deploy it with `cdeploy up`")
