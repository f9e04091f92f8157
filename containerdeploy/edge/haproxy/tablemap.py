"""The table as the entries of one HAProxy map file.

One file holds everything that changes at run time, so one transaction
(`prepare map`, `add map`, `commit map`) switches a whole stack at once. Keys say
what they are by their prefix; the same file is looked up exactly (`map`) and by
longest prefix (`map_beg`), which share its entries (tried on HAProxy 3.0).

    r:shop.localhost/api/    shop/api           an outside route: host, then path
    r:tcp:5432               shop/db            an outside TCP port
    s:shop/api               shop.api.green     a service: its live backend
    s:shop/api@blue          shop.api.blue      one colour of it, live or not
    c:10.213.1.5:8000        shop/api           an inside caller that knows one name there
    c:10.213.1.5:8000/api    shop/api@green     one that knows several, by Host header
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from containerdeploy.edge.table import COLOURS, HOLD
from containerdeploy.errors import EdgeError

if TYPE_CHECKING:
    from containerdeploy.edge.table import Entry, Table


def backend_name(entry: Entry, colour: str) -> str:
    """``<stack>.<service>.<colour>``; `colour` may be "hold"."""
    return f"{entry.stack}.{entry.service}.{colour}"


def map_entries(table: Table) -> dict[str, str]:
    """Every entry of the map file for this table, keys in order.

    Raises:
        EdgeError: an inside caller uses two TCP services at one port, which
            nothing in a TCP connection can tell apart.
    """
    found: dict[str, str] = {}
    for route, key in table.routes.items():
        if key in table.entries:
            found[f"r:{route}"] = key
    for key, entry in table.entries.items():
        for colour in COLOURS:
            found[f"s:{key}@{colour}"] = backend_name(entry, colour)
        if entry.live in COLOURS or (entry.live == HOLD and entry.holds):
            found[f"s:{key}"] = backend_name(entry, entry.live)
    for address, names in table.callers.items():
        found.update(_caller(table, address, names))
    return dict(sorted(found.items()))


def map_text(entries: dict[str, str]) -> str:
    """The map file's content: one entry a line."""
    return "".join(f"{key} {value}\n" for key, value in entries.items())


def _caller(table: Table, address: str, names: dict[str, str]) -> dict[str, str]:
    by_port: dict[int, dict[str, str]] = defaultdict(dict)
    for name, target in names.items():
        entry = table.entries.get(target.partition("@")[0])
        for port in entry.listens if entry is not None else ():
            by_port[port][name] = target
    found: dict[str, str] = {}
    for port, known in by_port.items():
        if len(set(known.values())) == 1:
            found[f"c:{address}:{port}"] = next(iter(known.values()))
            continue
        entries = [table.entries[target.partition("@")[0]] for target in known.values()]
        if any(entry.protocol == "tcp" for entry in entries):
            both = " and ".join(sorted(entry.key for entry in entries))
            raise EdgeError(
                f"the caller at {address} uses {both}, which all listen at port {port}: "
                "a TCP connection does not say which of them it is for",
                hint="give one of them another port in stack.toml",
            )
        for name, target in known.items():
            found[f"c:{address}:{port}/{name.lower()}"] = target
    return found
