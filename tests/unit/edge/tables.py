"""Tables of any shape that the planner could make."""

from __future__ import annotations

from hypothesis import strategies as st

from containerdeploy.edge.table import Entry, Member, Table

NAMES = st.from_regex(r"[a-z]([a-z0-9-]{0,10}[a-z0-9])?", fullmatch=True)
LIVE = st.sampled_from(["", "blue", "green", "hold"])


@st.composite
def tables(draw):
    """A table of a few stacks; ports differ by protocol, so that it is one that can be."""
    table = Table()
    for n, stack in enumerate(draw(st.lists(NAMES, unique=True, max_size=3))):
        table = table.join(stack, Member(f"x-{stack}", f"10.9.{n}.0/24", f"10.9.{n}.2"))
        names = draw(st.lists(NAMES, unique=True, max_size=4))
        for service in names:
            table = _with_service(draw, table, stack, service, n)
        routes = {
            f"{host}.localhost/{path}": f"{stack}/{draw(st.sampled_from(names))}"
            for host, path in draw(
                st.lists(st.tuples(NAMES, st.sampled_from(["", "a/"])), max_size=3)
            )
            if names
        }
        table = table.route(stack, routes)
        if names:
            http = [name for name in names if table.entries[f"{stack}/{name}"].protocol == "http"]
            uses = draw(st.lists(st.sampled_from(http), unique=True)) if http else []
            pins = {
                name: f"{stack}/{name}" + draw(st.sampled_from(["", "@blue", "@green"]))
                for name in uses
            }
            table = table.admit({f"10.9.{n}.99": pins})
    return table


def _with_service(draw, table, stack, service, n):
    http = draw(st.booleans())
    holds = draw(st.booleans())
    entry = Entry(
        stack,
        service,
        "http" if http else "tcp",
        draw(st.sampled_from([8000, 8001] if http else [5432, 6379])),
        slots=draw(st.sampled_from([4, 8])),
        holds=holds,
        hold_seconds=draw(st.floats(0.1, 600)),
    )
    table = table.shaped(entry)
    for colour in ("blue", "green"):
        count = draw(st.integers(0, entry.slots))
        table = table.offer(entry.key, colour, [f"10.9.{n}.{16 + i}" for i in range(count)], "r")
    return table.switch({entry.key: draw(LIVE)})
