"""What the running proxy's servers must be told so that they are as the table says. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from containerdeploy.edge.haproxy.render import backends_of, port_of, slot_name, slots_of
from containerdeploy.edge.haproxy.tablemap import backend_name
from containerdeploy.edge.table import HOLD

if TYPE_CHECKING:
    from collections.abc import Mapping

    from containerdeploy.edge.haproxy.runtime import Slot
    from containerdeploy.edge.table import Table


@dataclass(frozen=True, slots=True)
class Commands:
    """Commands before the switch (slots that fill, holds that close), and after it
    (slots that empty: until the switch they may still have traffic)."""

    before: tuple[str, ...] = ()
    after: tuple[str, ...] = ()


def differences(table: Table, slots: Mapping[tuple[str, str], Slot]) -> Commands:
    """The commands that lead from the servers that are there to those of the table.

    A slot is given an address only while it is in maintenance: readdressing a live
    one sent a tenth of the requests to the old address (measured on HAProxy 2.6).
    An emptied slot keeps its address, so what is in flight there can be told apart.
    """
    before: list[str] = []
    after: list[str] = []
    for entry in table.entries.values():
        for backend in backends_of(entry):
            for index, address in enumerate(slots_of(entry, backend)):
                server = f"{backend_name(entry, backend)}/{slot_name(index)}"
                now = slots.get((backend_name(entry, backend), slot_name(index)))
                if now is None:
                    continue  # not in the running shape; a reload brings it, filled
                if address:
                    before += _fill(server, address, port_of(entry, backend), now)
                elif not now.maint:
                    (before if backend == HOLD else after).append(
                        f"set server {server} state maint"
                    )
    return Commands(tuple(before), tuple(after))


def _fill(server: str, address: str, port: int, now: Slot) -> list[str]:
    there = (now.address, now.port) == (address, port)
    if there and not now.maint:
        return []
    commands = [] if now.maint else [f"set server {server} state maint"]
    if not there:
        commands.append(f"set server {server} addr {address} port {port}")
    return [*commands, f"set server {server} state ready"]
