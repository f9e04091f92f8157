"""Changes of the edge's table as data: a plan holds them, prints them, and can undo them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from containerdeploy.errors import Conflict

if TYPE_CHECKING:
    from collections.abc import Iterable

    from containerdeploy.edge.table import Colour, Entry, Member, Table


class Edit(Protocol):
    """One change of the table."""

    def __call__(self, table: Table) -> Table:
        """The table after this change."""
        ...


@dataclass(frozen=True, slots=True)
class Join:
    """The edge is on a stack's network."""

    stack: str
    member: Member

    def __call__(self, table: Table) -> Table:
        """See `Table.join`."""
        return table.join(self.stack, self.member)


@dataclass(frozen=True, slots=True)
class Shape:
    """A service is known in this shape."""

    entry: Entry

    def __call__(self, table: Table) -> Table:
        """See `Table.shaped`."""
        return table.shaped(self.entry)


@dataclass(frozen=True, slots=True)
class Offer:
    """A colour holds these addresses (none: it is emptied)."""

    key: str
    colour: Colour
    addresses: tuple[str, ...]
    release: str

    def __call__(self, table: Table) -> Table:
        """See `Table.offer`."""
        if self.key not in table.entries:
            return table
        return table.offer(self.key, self.colour, self.addresses, self.release)


@dataclass(frozen=True, slots=True)
class Live:
    """A colour is live ("hold" holds callers, "" answers 503)."""

    key: str
    colour: str

    def __call__(self, table: Table) -> Table:
        """See `Table.switch`."""
        return table.switch({self.key: self.colour}) if self.key in table.entries else table


@dataclass(frozen=True, slots=True)
class Routes:
    """These are the stack's routes."""

    stack: str
    routes: dict[str, str] = field(default_factory=dict)

    def __call__(self, table: Table) -> Table:
        """See `Table.route`.

        Raises:
            Conflict: another stack has taken a route since this rollout was planned.
        """
        for route in self.routes:
            owner = table.routes.get(route, f"{self.stack}/")
            if not owner.startswith(f"{self.stack}/"):
                raise Conflict(
                    f"route {route} of stack {self.stack} was claimed by {owner} meanwhile",
                    hint="choose another route, or take that stack down first",
                )
        return table.route(self.stack, self.routes)


@dataclass(frozen=True, slots=True)
class Admit:
    """A caller may reach these services by these names."""

    address: str
    names: dict[str, str]

    def __call__(self, table: Table) -> Table:
        """See `Table.admit`."""
        return table.admit({self.address: self.names})


@dataclass(frozen=True, slots=True)
class Dismiss:
    """A caller is gone."""

    address: str

    def __call__(self, table: Table) -> Table:
        """See `Table.dismiss`."""
        return table.dismiss((self.address,))


@dataclass(frozen=True, slots=True)
class Forget:
    """A service is known no more."""

    key: str

    def __call__(self, table: Table) -> Table:
        """See `Table.forget`."""
        return table.forget(self.key)


@dataclass(frozen=True, slots=True)
class ForgetStack:
    """A stack is known no more."""

    stack: str

    def __call__(self, table: Table) -> Table:
        """See `Table.forget_stack`."""
        return table.forget_stack(self.stack)


def applied(edits: Iterable[Edit], table: Table) -> Table:
    """The table after all edits, in order."""
    for edit in edits:
        table = edit(table)
    return table
