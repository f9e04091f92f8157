"""No request is lost: switches, reloads and holds under load."""

from __future__ import annotations

import threading
import time

import pytest

from containerdeploy.edge.table import Entry
from tests.engine.edge_bench import edge_bench
from tests.load.profile import Profile
from tests.load.run import load

pytestmark = pytest.mark.engine

WEB = "shop/web"
HOST = "load.localhost"


@pytest.fixture(scope="module")
def bench(engine, edge_image, python_image):
    """One edge for all tests here."""
    with edge_bench(engine, edge_image, python_image) as bench:
        yield bench


@pytest.fixture(scope="module")
def addresses(bench):
    """Two releases."""
    return {"blue": bench.serve("blue"), "green": bench.serve("green")}


@pytest.fixture
def served(bench, addresses):
    """Both releases offered, blue live, routed."""
    bench.edge.change(
        lambda table: (
            table.join("shop", bench.member)
            .shaped(Entry("shop", "web", "http", 8000, holds=True))
            .offer(WEB, "blue", [addresses["blue"]], "blue")
            .offer(WEB, "green", [addresses["green"]], "green")
            .switch({WEB: "blue"})
            .route("shop", {f"{HOST}/": WEB})
        )
    )
    yield bench
    bench.emptied()


def quiet(edge, colour):
    """Wait as a drain does: nothing in flight, no old process that could take a request."""
    deadline = time.monotonic() + 40
    while edge.figures()[WEB, colour].current or edge.lingering():
        assert time.monotonic() < deadline, edge.figures()
        time.sleep(0.02)


def test_switches_lose_nothing(served):
    """Twenty switches under kept-alive, slow and new clients: no request fails, and none
    that was sent after a switch returned is answered by the release before."""
    returns = [("blue", 0.0)]
    live = "blue"
    with load(Profile(port=served.host.http, host=HOST, sockets=0)) as running:
        for _ in range(20):
            live = "green" if live == "blue" else "blue"
            begun = time.monotonic()
            applied = served.edge.change(lambda table, live=live: table.switch({WEB: live}))
            returns.append((live, time.monotonic()))
            assert not applied.reloaded
            assert applied.switch_seconds < begun  # it was measured
            time.sleep(0.1)
        result = running.stop()
    assert not result.failures, str(result)
    stale = [
        answer
        for answer in result.answers
        if (latest := max((r for r in returns if r[1] < answer.sent), key=lambda r: r[1]))
        and latest[0] != answer.release
        # answered after a later switch had begun: then the other one is right
        and not any(latest[1] < moment <= answer.ended + 0.05 for _, moment in returns)
    ]
    assert not stale, stale[:3]
    assert result.releases["blue"]
    assert result.releases["green"]


def test_readdressing_the_idle_colour_loses_nothing(served, addresses):
    """A colour is emptied and filled again, live and idle in turn, as a rollout does it."""
    live = "blue"
    with load(Profile(port=served.host.http, host=HOST)) as running:
        for _ in range(6):
            idle = "green" if live == "blue" else "blue"
            served.edge.change(lambda t, i=idle: t.offer(WEB, i, [addresses[i]], i))
            served.edge.change(lambda t, i=idle: t.switch({WEB: i}))
            quiet(served.edge, live)
            served.edge.change(lambda t, i=live: t.withdraw(WEB, i))
            live = idle
        result = running.stop()
    assert not result.failures, str(result)


def test_reload_for_a_new_shape_loses_nothing(served):
    """Five new services, each a reload, under the same load with WebSockets in flight."""
    with load(Profile(port=served.host.http, host=HOST)) as running:
        for n in range(5):
            entry = Entry("shop", f"more{n}", "http", 9000 + n)
            assert served.edge.change(lambda t, e=entry: t.shaped(e)).reloaded
        result = running.stop()
    assert not result.failures, str(result)
    quiet(served.edge, "green")


def test_a_websocket_outlives_a_reload_and_is_counted(served):
    """What an old process still carries is in the figures, and can be ended."""
    profile = Profile(
        port=served.host.http,
        host=HOST,
        getters=0,
        posters=0,
        slow_posters=0,
        newcomers=0,
        sockets=2,
        socket_seconds=30.0,
        timeout=60.0,
    )
    with load(profile):
        entry = Entry("shop", "later", "http", 9100)
        served.edge.change(lambda table: table.shaped(entry))
        figures = served.edge.figures()[WEB, "blue"]
        assert figures.current == 2
        assert sum(figures.by_address.values()) == 2
        served.edge.close_sessions(WEB, "blue")
        quiet(served.edge, "blue")


def test_held_callers_wait_and_go_on(served, addresses):
    """While a service is held nothing fails and nothing is served; released, all is answered."""
    profile = Profile(port=served.host.http, host=HOST, sockets=0, timeout=25.0)
    with load(profile) as running:
        for new in ("green", "blue"):
            old = "blue" if new == "green" else "green"
            served.edge.change(lambda table: table.switch({WEB: "hold"}))
            quiet(served.edge, old)
            begun = time.monotonic()
            deadline = begun + 10
            while served.edge.figures()[WEB, "hold"].current < 3:
                assert time.monotonic() < deadline, "nobody is held"
                time.sleep(0.02)
            served.edge.change(lambda table, new=new: table.switch({WEB: new}))
            quiet(served.edge, "hold")  # those who waited were let go on
        result = running.stop()
    assert not result.failures, str(result)
    assert result.releases["green"]


def test_a_reload_waits_for_a_hold(served):
    """A new shape waits until held callers have gone on, for a reload would lose them."""
    served.edge.change(lambda table: table.switch({WEB: "hold"}))
    answers = []
    caller = threading.Thread(target=lambda: answers.append(served.get(HOST)[0]))
    caller.start()
    entry = Entry("shop", "waits", "http", 9200)
    changes = []
    change = threading.Thread(
        target=lambda: changes.append(served.edge.change(lambda table: table.shaped(entry)))
    )
    change.start()
    deadline = time.monotonic() + 10
    while not served.edge.figures()[WEB, "hold"].current:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    assert not changes
    served.edge.change(lambda table: table.switch({WEB: "green"}))
    change.join(timeout=30)
    caller.join(timeout=30)
    assert changes[0].reloaded
    assert answers == [200]


def test_thirty_services_switch_at_once(served):
    """Thirty services take one transaction, and hardly longer than one service."""
    keys = [f"shop/s{n}" for n in range(30)]

    def thirty(table):
        for n, key in enumerate(keys):
            table = table.shaped(Entry("shop", f"s{n}", "http", 8000))
            table = table.offer(key, "blue", ["10.0.0.1"], "a")
            table = table.offer(key, "green", ["10.0.0.2"], "b")
        return table.switch(dict.fromkeys(keys, "blue"))

    served.edge.change(thirty)
    for colour in ("green", "blue"):
        live = dict.fromkeys(keys, colour)
        applied = served.edge.change(lambda t, live=live: t.switch(live))
        assert not applied.reloaded
        assert applied.switch_seconds > 0
        assert {applied.table.entries[key].live for key in keys} == {colour}
        assert not served.edge.settle()
