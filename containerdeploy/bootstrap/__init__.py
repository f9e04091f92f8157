"""This host made ready: engine, builder, base image, state folder, edge.

bootstrap(host, emit)                    mend what is missing
bootstrap(host, emit, check=True)        only report
diagnose(host)                           the same, and what else is wrong with this host
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from containerdeploy.bootstrap.base import Finding, Item, Piece, Report
from containerdeploy.bootstrap.pieces import (
    NAMES,
    connected,
    edge_image_id,
    further_pieces,
    pieces_for,
)
from containerdeploy.bootstrap.settings import production as production_settings
from containerdeploy.bootstrap.walk import look, make_ready
from containerdeploy.events import Event

if TYPE_CHECKING:
    from collections.abc import Collection

    from containerdeploy.events import Emit
    from containerdeploy.host import Host

__all__ = [
    "NAMES",
    "Finding",
    "Item",
    "Piece",
    "Report",
    "bootstrap",
    "diagnose",
    "edge_image_id",
]


def bootstrap(
    host: Host,
    emit: Emit,
    *,
    check: bool = False,
    production: bool = False,
    only: Collection[str] = (),
) -> Report:
    """Make this host ready for rollouts. Repeatable; a ready host is left as it is.

    Args:
        host: its settings.
        emit: told of each piece that is mended (event "bootstrap"), and of the end.
        check: only look; nothing at all is changed, and nothing raised.
        production: write host.toml so that the edge serves all addresses at port 80.
        only: names of pieces (`NAMES`) to restrict it to.

    Returns:
        What was found and done, with the host settings that hold now.

    Raises:
        HostNotReady: something is missing that can't be mended here (no root, no
            Debian, no network); the hint has the commands.
        CdeployError: of the piece that failed.
    """
    settled = production_settings(host) if production else host
    with connected() as connect:
        pieces = pieces_for(connect, host, settled, production=production, only=only)
        if check:
            return look(settled, pieces)
        report = make_ready(settled, pieces, emit)
    what = f"{len(report.items)} of {len(report.items)} in order"
    emit(Event("bootstrap", {"item": "host", "state": "ready", "what": what}))
    return report


def diagnose(host: Host) -> Report:
    """What is wrong with this host and how to mend it. Changes nothing and never raises."""
    with connected() as connect:
        pieces = [*pieces_for(connect, host, host), *further_pieces(connect, host)]
        return look(host, pieces)
