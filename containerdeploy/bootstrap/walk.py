"""One piece after the other: looked at, mended where allowed, and looked at again."""

from __future__ import annotations

from typing import TYPE_CHECKING

from containerdeploy.bootstrap.base import Finding, Item, Report
from containerdeploy.errors import CdeployError, HostNotReady
from containerdeploy.events import Event

if TYPE_CHECKING:
    from collections.abc import Iterable

    from containerdeploy.bootstrap.base import Piece, State
    from containerdeploy.events import Emit
    from containerdeploy.host import Host


def look(host: Host, pieces: Iterable[Piece]) -> Report:
    """What is there and what is missing; changes nothing and never raises `CdeployError`."""
    return Report(host, tuple(_looked(piece) for piece in pieces))


def make_ready(host: Host, pieces: Iterable[Piece], emit: Emit) -> Report:
    """Mend what is missing, in this order, and say it.

    Raises:
        CdeployError: of the first piece that can't be mended; the later ones need it.
    """
    items = []
    for piece in pieces:
        finding = piece.check()
        if finding.ok:
            items.append(Item(piece.name, "ok", finding.what))
            continue
        _say(emit, Item(piece.name, "missing", finding.what, finding.why))
        try:
            done = piece.mend(emit)
            now = piece.check()
            if not now.ok:
                raise HostNotReady(f"{piece.name}: {done}, and yet {now.what}", hint=now.cure)
        except CdeployError as error:
            _say(emit, Item(piece.name, "failed", error.message, cure=error.hint))
            raise
        items.append(Item(piece.name, "done", done, finding.why))
        _say(emit, items[-1])
    return Report(host, tuple(items))


def _looked(piece: Piece) -> Item:
    try:
        finding = piece.check()
    except CdeployError as error:
        finding = Finding(False, error.message, cure=error.hint)
    state: State = "ok" if finding.ok else "missing"
    return Item(piece.name, state, finding.what, finding.why, finding.cure)


def _say(emit: Emit, item: Item) -> None:
    data = {("item" if key == "name" else key): value for key, value in item.to_json().items()}
    emit(Event("bootstrap", data))
