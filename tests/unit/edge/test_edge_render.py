"""The table as HAProxy's files."""

from __future__ import annotations

import pytest
from hypothesis import given

from containerdeploy.edge.haproxy.follow import differences
from containerdeploy.edge.haproxy.render import backends_of, config_text, shape_of, slots_of
from containerdeploy.edge.haproxy.runtime import Slot
from containerdeploy.edge.haproxy.settings import Settings
from containerdeploy.edge.haproxy.tablemap import backend_name, map_entries, map_text
from containerdeploy.edge.table import COLOURS, Entry, Member, Table
from containerdeploy.errors import EdgeError
from tests.unit.edge.tables import tables

PROXY = Settings(address="10.9.0.2", tcp=(5432,))
WEB = "shop/web"


def table(**changes):
    """One service, blue filled and live, behind one route."""
    entry = Entry("shop", "web", "http", 8000, **changes)
    return (
        Table()
        .join("shop", Member("x-shop", "10.9.1.0/24", "10.9.1.2"))
        .shaped(entry)
        .offer(WEB, "blue", ["10.9.1.16"], "r1")
        .switch({WEB: "blue"})
        .route("shop", {"shop.localhost/": WEB})
    )


def section(config, name):
    """The lines of one section, without indentation."""
    lines = config.splitlines()
    start = lines.index(name)
    return [line.strip() for line in lines[start + 1 : lines.index("", start)]]


def servers(config, backend):
    return [line for line in section(config, f"backend {backend}") if line.startswith("server ")]


def test_map_of_one_service():
    """Routes name services, services their live backend, colours theirs."""
    assert map_text(map_entries(table())).splitlines() == [
        "r:shop.localhost/ shop/web",
        "s:shop/web shop.web.blue",
        "s:shop/web@blue shop.web.blue",
        "s:shop/web@green shop.web.green",
    ]


def test_map_without_live():
    """A service with nothing live has no entry of its own, so its callers get a 503."""
    assert f"s:{WEB}" not in map_entries(table().switch({WEB: ""}))


def test_hold_needs_a_hold():
    """A service that can't hold is never routed to a hold backend, which it has not."""
    assert f"s:{WEB}" not in map_entries(table().switch({WEB: "hold"}))
    assert map_entries(table(holds=True).switch({WEB: "hold"}))[f"s:{WEB}"] == "shop.web.hold"


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        ({"web": WEB}, {"c:10.9.1.20:8000": WEB}),
        ({"web": f"{WEB}@green"}, {"c:10.9.1.20:8000": f"{WEB}@green"}),
        (
            {"web": WEB, "api": "shop/api"},
            {"c:10.9.1.20:8000/web": WEB, "c:10.9.1.20:8000/api": "shop/api"},
        ),
        ({"web": WEB, "gone": "shop/gone"}, {"c:10.9.1.20:8000": WEB}),
        (
            {"web": WEB, "db": "shop/db"},
            {"c:10.9.1.20:8000": WEB, "c:10.9.1.20:5432": "shop/db"},
        ),
        ({}, {}),
    ],
)
def test_callers(names, expected):
    """One name at a port needs no Host header; several are told apart by it."""
    there = (
        table()
        .shaped(Entry("shop", "api", "http", 8000))
        .shaped(Entry("shop", "db", "tcp", 5432))
        .admit({"10.9.1.20": names})
    )
    found = {key: value for key, value in map_entries(there).items() if key.startswith("c:")}
    assert found == expected


def test_two_protocols_at_one_port():
    """Services of one stack that share a port but not a protocol are refused by name."""
    there = table().shaped(Entry("shop", "raw", "tcp", 8000))
    with pytest.raises(EdgeError, match="shop/raw and shop/web"):
        config_text(there, PROXY)


def test_filled_slots_are_rendered():
    """A restart comes up right from disk: filled slots with their address, others disabled."""
    assert servers(config_text(table(), PROXY), "shop.web.blue") == [
        "server s1 10.9.1.16:8000",
        "server s2 127.0.0.1:8000 disabled",
        "server s3 127.0.0.1:8000 disabled",
        "server s4 127.0.0.1:8000 disabled",
    ]


def test_hold_backend():
    """Held callers look again every 200 ms for as long as the service says; the slots are
    those of the live colour, and empty while callers are held."""
    there = table(holds=True, hold_seconds=30.0)
    lines = section(config_text(there, PROXY), "backend shop.web.hold")
    assert "retries 150" in lines
    assert "timeout connect 200ms" in lines
    assert "option redispatch 1" in lines
    assert "option abortonclose" in lines
    assert "server s1 10.9.1.16:8000" in lines
    assert lines[-1] == "server gate 127.0.0.1:1 backup"
    held = config_text(there.switch({WEB: "hold"}), PROXY)
    assert "server s1 127.0.0.1:8000 disabled" in servers(held, "shop.web.hold")


def test_inside_frontend_is_the_stacks_own():
    """Inside callers find a service at the edge's address in their stack, at its port."""
    lines = section(config_text(table(), PROXY), "frontend inside.shop.8000")
    assert "bind 10.9.1.2:8000" in lines


def test_no_member_no_inside():
    """Without a network in a stack there is nothing to bind there."""
    there = Table().shaped(Entry("shop", "web", "http", 8000))
    assert "frontend inside" not in config_text(there, PROXY)


@given(tables())
def test_shape_covers_all_but_what_changes_at_run_time(table):
    """Filling, switching, routing and admitting keep the shape; a service changes it."""
    shape = shape_of(config_text(table, PROXY))
    assert shape
    for key, entry in table.entries.items():
        other = table.withdraw(key, "blue").switch({key: "green"})
        other = other.route(entry.stack, {}).dismiss(table.callers)
        assert shape_of(config_text(other, PROXY)) == shape
        assert shape_of(config_text(table.forget(key), PROXY)) != shape
    assert shape_of(config_text(table.shaped(Entry("zz", "zz", "http", 1)), PROXY)) != shape


@given(tables())
def test_map_points_at_what_is_there(table):
    """Every value of the map is a backend of the configuration or a key of the map."""
    config, entries = config_text(table, PROXY), map_entries(table)
    backends = {line.split()[1] for line in config.splitlines() if line.startswith("backend ")}
    for key, value in entries.items():
        if key.startswith("s:"):
            assert value in backends
        else:
            assert value in table.entries or f"s:{value}" in entries


def running(table):
    """The servers of a proxy that was started with this table."""
    return {
        (backend_name(entry, backend), f"s{index + 1}"): Slot(
            address or "127.0.0.1", entry.port, not address
        )
        for entry in table.entries.values()
        for backend in backends_of(entry)
        for index, address in enumerate(slots_of(entry, backend))
    }


@given(tables())
def test_nothing_to_tell_a_proxy_that_agrees(table):
    """A proxy that was started with a table is told nothing."""
    commands = differences(table, running(table))
    assert commands.before == commands.after == ()


def test_fill_before_and_empty_after():
    """A slot is filled while it is in maintenance, before the switch; one that goes is
    emptied after it."""
    now = table()
    then = now.offer(WEB, "green", ["10.9.1.17"], "r2").withdraw(WEB, "blue")
    commands = differences(then, running(now))
    assert commands.before == (
        "set server shop.web.green/s1 addr 10.9.1.17 port 8000",
        "set server shop.web.green/s1 state ready",
    )
    assert commands.after == ("set server shop.web.blue/s1 state maint",)


def test_live_slot_is_not_readdressed_in_place():
    """A slot whose address changes leaves the traffic first."""
    now = table()
    then = now.withdraw(WEB, "blue").offer(WEB, "blue", ["10.9.1.18"], "r2")
    assert differences(then, running(now)).before == (
        "set server shop.web.blue/s1 state maint",
        "set server shop.web.blue/s1 addr 10.9.1.18 port 8000",
        "set server shop.web.blue/s1 state ready",
    )


def test_hold_closes_before_the_switch():
    """A hold is shut before callers are sent to it."""
    now = table(holds=True)
    commands = differences(now.switch({WEB: "hold"}), running(now))
    assert commands.before == ("set server shop.web.hold/s1 state maint",)
    assert commands.after == ()


def test_colours_are_known():
    """The backends of a service are its colours, and its hold where it has one."""
    assert backends_of(Entry("a", "b", "http", 1)) == COLOURS
    assert backends_of(Entry("a", "b", "http", 1, holds=True)) == (*COLOURS, "hold")
