"""What every `Edge` does, run on the fake (tests/unit/edge) and on HAProxy (tests/engine).

A subclass gives the fixture `bench`: an edge with an empty table, a stack whose network
it is on, and addresses at which an HTTP service answers 200 at port 8000.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from containerdeploy.edge.table import Entry, Member, Table
from containerdeploy.errors import EdgeError

if TYPE_CHECKING:
    from containerdeploy.edge.base import Edge

KEY = "shop/web"


@dataclass
class Bench:
    """What a test works with."""

    edge: Edge
    member: Member
    addresses: tuple[str, str]

    def known(self, **changes: object) -> Table:
        """The table with one service, both colours empty."""
        entry = Entry("shop", "web", "http", 8000, **changes)  # type: ignore[arg-type]
        return self.edge.change(lambda table: table.join("shop", self.member).shaped(entry)).table

    def served(self) -> None:
        """The service's blue is filled and live."""
        self.known()
        self.edge.change(
            lambda table: (
                table.offer(KEY, "blue", self.addresses[:1], "r1")
                .switch({KEY: "blue"})
                .route("shop", {"shop.localhost/": KEY})
            )
        )


class EdgeContract:
    """The contract."""

    def test_table_is_what_was_changed_last(self, bench):
        """`table` gives what the last change left."""
        bench.served()
        table = bench.edge.table()
        assert table.entries[KEY].live == "blue"
        assert table.routes == {"shop.localhost/": KEY}

    def test_no_change_does_nothing(self, bench):
        """An edit that changes nothing reloads and switches nothing."""
        bench.served()
        applied = bench.edge.change(lambda table: table)
        assert (applied.reloaded, applied.switch_seconds) == (False, 0.0)

    def test_only_a_new_shape_reloads(self, bench):
        """A service reloads; filling a colour and switching do not, and a switch is timed."""
        first = bench.edge.change(
            lambda table: table.join("shop", bench.member).shaped(
                Entry("shop", "web", "http", 8000)
            )
        )
        assert first.reloaded
        filled = bench.edge.change(lambda t: t.offer(KEY, "green", bench.addresses, "r1"))
        assert (filled.reloaded, filled.switch_seconds) == (False, 0.0)
        switched = bench.edge.change(lambda t: t.switch({KEY: "green"}))
        assert not switched.reloaded
        assert switched.switch_seconds > 0

    def test_more_slots_are_a_new_shape(self, bench):
        """More replicas than slots need a reload; the addresses stay."""
        bench.served()
        more = Entry("shop", "web", "http", 8000, slots=8)
        applied = bench.edge.change(lambda table: table.shaped(more))
        assert applied.reloaded
        assert applied.table.entries[KEY].addresses("blue") == bench.addresses[:1]

    def test_request_reaches_a_colour_live_or_not(self, bench):
        """A filled colour answers though it is not live; an empty one is 503."""
        bench.known()
        bench.edge.change(lambda t: t.offer(KEY, "green", bench.addresses, "r1"))
        assert bench.edge.request(KEY, "green", "GET", "/").status == 200
        assert bench.edge.request(KEY, "blue", "GET", "/").status == 503

    def test_request_to_what_is_not_known(self, bench):
        """A service that the edge does not know is an error that names it."""
        with pytest.raises(EdgeError, match="shop/nosuch"):
            bench.edge.request("shop/nosuch", "blue", "GET", "/")
        with pytest.raises(EdgeError, match="shop/nosuch"):
            bench.edge.close_sessions("shop/nosuch", "blue")

    def test_request_to_tcp(self, bench):
        """A service of plain tcp can't be asked by HTTP."""
        bench.edge.change(lambda table: table.shaped(Entry("shop", "db", "tcp", 5432)))
        with pytest.raises(EdgeError, match="plain tcp"):
            bench.edge.request("shop/db", "blue", "GET", "/")

    def test_figures_of_every_colour(self, bench):
        """Each colour has figures by address, and a service that holds has those of its hold."""
        bench.known(holds=True)
        bench.edge.change(lambda t: t.offer(KEY, "blue", bench.addresses, "r1"))
        figures = bench.edge.figures()
        assert set(figures) == {(KEY, "blue"), (KEY, "green"), (KEY, "hold")}
        assert figures[KEY, "blue"].current == 0
        assert set(figures[KEY, "blue"].by_address) == set(bench.addresses)

    def test_quiet_edge_lingers_not_and_has_nothing_to_settle(self, bench):
        """With nothing in flight no old process stays, and disk and proxy agree."""
        bench.served()
        assert not bench.edge.lingering()
        assert not bench.edge.settle()
        bench.edge.close_sessions(KEY, "blue")

    def test_refused_change_changes_nothing(self, bench):
        """A caller of two tcp services at one port is refused, and the table stands."""
        bench.served()
        before = bench.edge.table()

        def ambiguous(table):
            for name in ("one", "two"):
                table = table.shaped(Entry("shop", name, "tcp", 7000))
            names = {"one": "shop/one", "two": "shop/two"}
            return table.admit({bench.addresses[0]: names})

        with pytest.raises(EdgeError, match="shop/one and shop/two"):
            bench.edge.change(ambiguous)
        assert bench.edge.table() == before
        assert not bench.edge.settle()

    def test_forget(self, bench):
        """A service that is forgotten is gone with its routes."""
        bench.served()
        table = bench.edge.change(lambda t: t.forget_stack("shop")).table
        assert table == Table()
        assert not bench.edge.figures()

    def test_changes_at_once_all_get_in(self, bench):
        """Changes from several threads are applied one after another; none is lost."""
        bench.served()
        failed = []

        def route(n):
            try:
                bench.edge.change(lambda t: t.route("shop", {**t.routes, f"h{n}.localhost/": KEY}))
            except EdgeError as error:
                failed.append(error)

        threads = [threading.Thread(target=route, args=(n,)) for n in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert not failed
        assert len(bench.edge.table().routes) == 9
