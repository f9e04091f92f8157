"""What a host needs, piece by piece: what is found, and what was made of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Protocol

if TYPE_CHECKING:
    from containerdeploy.events import Emit
    from containerdeploy.host import Host

State = Literal["ok", "done", "missing", "failed"]


@dataclass(frozen=True, slots=True)
class Finding:
    """What a look at one piece came to.

    Attributes:
        ok: whether it is as it should be.
        what: what is there, or what is not.
        why: why it is needed; may be empty when it is there.
        cure: the command or change that mends it; empty when nothing is to be mended.
    """

    ok: bool
    what: str
    why: str = ""
    cure: str = ""


class Piece(Protocol):
    """One thing that a host needs. `check` changes nothing; `mend` can be repeated."""

    @property
    def name(self) -> str:
        """What it is called in messages and reports."""
        ...

    def check(self) -> Finding:
        """Look, quickly and without changing anything. Raises `HostNotReady` when it can't."""
        ...

    def mend(self, emit: Emit) -> str:
        """Make it as it should be; what was done, in words. Raises a `CdeployError`."""
        ...


@dataclass(frozen=True, slots=True)
class Item:
    """One line of a report: a piece, its state ("done" was mended just now), and why."""

    name: str
    state: State
    what: str
    why: str = ""
    cure: str = ""

    def to_json(self) -> dict[str, Any]:
        """A flat object of strings; empty ones are left out."""
        every = {
            "name": self.name,
            "state": self.state,
            "what": self.what,
            "why": self.why,
            "cure": self.cure,
        }
        return {key: value for key, value in every.items() if value}


@dataclass(frozen=True, slots=True)
class Report:
    """What was found and done, in the order of the pieces.

    Attributes:
        host: the settings that hold now; `production` may have changed them.
    """

    host: Host
    items: tuple[Item, ...] = ()

    @property
    def ready(self) -> bool:
        """Whether a rollout finds all that it needs."""
        return all(item.state in ("ok", "done") for item in self.items)

    @property
    def changed(self) -> bool:
        """Whether anything was done."""
        return any(item.state == "done" for item in self.items)

    def to_json(self) -> dict[str, Any]:
        """The report as JSON values."""
        return {"ready": self.ready, "items": [item.to_json() for item in self.items]}
