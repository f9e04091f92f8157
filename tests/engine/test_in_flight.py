"""What is under way when a rollout moves on, or stops moving: drained, held, or taken up again."""

from __future__ import annotations

from contextlib import ExitStack

import pytest

from containerdeploy.edge.pod import ensure_edge
from containerdeploy.events import quiet
from tests.engine.place import INTERRUPT, KILL, Asking, Place, eventually, open_post

pytestmark = pytest.mark.engine

MANY, ONE = "many.localhost", "one.localhost"
STACK = """
[stack]
name = "flight"

[service.many]
build = "app"
port = 8000
route = "many.localhost"
replicas = {replicas}
env = {{ VERSION = "{many}" }}
health = {{ path = "/healthz" }}
drain = "60s"

[service.one]
build = "app"
port = 9000
route = "one.localhost"
strategy = "replace"
hold = "60s"
env = {{ PORT = "9000", VERSION = "{one}", MODE = "{mode}" }}
health = {{ path = "/healthz", timeout = "{patience}" }}
"""


@pytest.fixture(scope="module")
def place(engine, module_host, edge_image, python_image, tmp_path_factory):
    """A host with an edge, and the tests' own function."""
    place = Place(module_host, tmp_path_factory.mktemp("flight"))
    place.function(python_image)
    ensure_edge(engine, module_host, edge_image, quiet)
    return place


def write(place, **changes):
    settings = {"replicas": 1, "many": "1", "one": "1", "mode": "", "patience": "30s"}
    place.write(STACK.format(**(settings | changes)))


@pytest.fixture
def flight(place):
    """Both services deployed as they are at first."""
    write(place)
    ended = place.up()
    assert ended.code == 0, ended
    assert (place.get(MANY).text, place.get(ONE).text) == ("1", "1")
    return place


def test_replicas_that_leave_finish_what_they_have(flight):
    """Three replicas with a request in flight each are scaled down to one: all are answered."""
    write(flight, replicas=3)
    flight.switched()
    write(flight, replicas=1)

    with ExitStack() as open_:
        posts = [open_.enter_context(open_post(flight, "flight", MANY)) for _ in range(6)]
        with flight.begun("up", "--json") as running:
            running.until_step("drain many", "begun")
            answers = [post.finish() for post in posts]
            ended = running.end()

    assert answers == [(200, "1")] * 6
    assert ended.code == 0, ended
    assert "warnings" not in ended.done
    assert len(flight.containers("flight", "many")) == 1


def test_interrupted_after_the_switch_the_rollout_is_finished(flight):
    """Ctrl-C while the old release drains cuts the drain short: the new one serves, the old one
    is retired, and nothing is left to be done."""
    old = set(flight.containers("flight", "many"))
    write(flight, many="2")

    with (
        Asking(flight, MANY) as asking,
        open_post(flight, "flight", MANY),
        flight.begun("up", "--json") as running,
    ):
        running.until_step("drain many", "begun")
        running.send(INTERRUPT)
        ended = running.end()

    assert ended.code == 0, ended
    assert ended.done["result"] == "switched"
    assert not asking.failures
    assert flight.get(MANY).text == "2"
    assert old.isdisjoint(flight.containers("flight"))
    assert flight.up().done["result"] == "unchanged"


def test_callers_of_the_one_writer_wait_while_it_is_replaced(flight):
    """At no time two of it run, and no caller is refused."""
    write(flight, one="2")

    with Asking(flight, ONE) as asking:
        ended = flight.switched()
        asking.another(2)

    steps = ended.steps
    (retired,) = [step for step in steps if step.startswith("retire ") and "-one-" in step]
    assert steps.index("hold one") < steps.index(retired) < steps.index("start one 1")
    assert not asking.failures
    assert asking.texts == ["1", "2"]


@pytest.mark.parametrize("mode", ["crash", "sick"])
def test_a_new_writer_that_fails_gives_way_to_the_old(flight, mode):
    """Callers wait, the old container is started again, and they are answered by it."""
    before = flight.traces()
    write(flight, one="2", mode=mode, patience="2s")

    with Asking(flight, ONE) as asking:
        ended = flight.up()
        asking.another(2)

    assert (ended.code, ended.error["kind"]) == (1, "CandidateFailed"), ended
    assert not asking.failures
    assert asking.texts == ["1"]
    assert flight.traces() == before


@pytest.mark.parametrize(
    ("after", "wanted"), [("mended", "2"), ("another", "3"), ("the old one", "1")]
)
def test_killed_while_callers_are_held_the_next_up_lets_them_go_on(flight, after, wanted):
    """kill -9 when the old writer is stopped and the new one is not ready: callers wait at the
    edge, and are answered once `up` is run again, with whichever version."""
    write(flight, one="2", mode="sick", patience="10m")

    with Asking(flight, ONE) as asking:
        with flight.begun("up", "--json") as running:
            running.until_step("start one 1", "done")
            running.send(KILL)
            running.end()
        write(flight, one=wanted)
        again = flight.up()
        asking.another(2)

    assert again.code == 0, f"{after}: {again}"
    assert not asking.failures
    assert asking.texts == list(dict.fromkeys(["1", wanted]))
    assert flight.get(ONE).text == wanted
    assert len(flight.containers("flight", "one")) == 1
    final = flight.traces()
    assert flight.up().done["result"] == "unchanged"
    assert flight.traces() == final


def test_killed_while_callers_are_held_rollback_lets_them_go_on(flight):
    """Held callers are answered after a rollback too: by the last release that was switched
    to, since the killed rollout never was."""
    write(flight, one="4")
    flight.switched()
    write(flight, one="5", mode="sick", patience="10m")

    with Asking(flight, ONE) as asking:
        with flight.begun("up", "--json") as running:
            running.until_step("start one 1", "done")
            running.send(KILL)
            running.end()
        back = flight.cdeploy("rollback", "flight", "--json")
        asking.another(2)

    assert back.code == 0, back
    assert not asking.failures
    assert eventually(lambda: flight.get(ONE).text) == "4"
