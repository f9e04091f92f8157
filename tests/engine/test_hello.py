"""The smallest stack, from the first `up` to its end, by the real command line."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from containerdeploy.edge.pod import ensure_edge
from containerdeploy.events import quiet
from tests.engine.place import Asking, Place

pytestmark = pytest.mark.engine

HELLO = Path(__file__).parents[2] / "stacks/hello"
HOST = "hello.localhost"


@pytest.fixture(scope="module")
def place(engine, module_host, edge_image, tmp_path_factory):
    """A host with an edge, and a copy of the stack that a test may change."""
    folder = tmp_path_factory.mktemp("hello")
    shutil.copytree(HELLO, folder, dirs_exist_ok=True)
    ensure_edge(engine, module_host, edge_image, quiet)
    return Place(module_host, folder)


@pytest.fixture
def hello(place):
    """The stack as it is in the repository, deployed."""
    shutil.copytree(HELLO, place.folder, dirs_exist_ok=True)
    ended = place.up()
    assert ended.code == 0, ended
    return place


def change(place, old, new, file="stack.toml"):
    path = place.folder / file
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def test_the_first_up_ends_with_a_served_page(place):
    """A stack that was never here is built, tested, switched and reached through the edge."""
    ended = place.up()

    assert ended.code == 0, ended
    assert ended.done["result"] == "switched"
    assert ended.outcomes() == {"hello": "new"}
    assert ended.done["urls"] == [f"http://{HOST}:{place.host.http}/"]
    assert place.get(HOST).text.startswith("Hello from ")


def test_the_second_up_does_nothing(hello):
    """With nothing to be done nothing is done: same container, exit 0, "unchanged"."""
    before = hello.traces()

    ended = hello.up()

    assert (ended.code, ended.done["result"]) == (0, "unchanged")
    assert ended.outcomes() == {"hello": "unchanged"}
    assert hello.traces() == before


def test_what_looks_changes_nothing(hello):
    """plan, status, logs, history, validate, build and test tell what is so, and leave it so."""
    before = hello.traces()
    (name,) = hello.containers("hello")
    release = hello.up().releases()["hello"]

    plan = hello.cdeploy("plan", "--json")
    assert (plan.code, plan.json["steps"]) == (0, []), plan
    validate = hello.cdeploy("validate")
    assert validate.code == 0, validate
    assert "1 service" in validate.out
    build = hello.cdeploy("build", "--json")
    assert (build.code, build.done["result"]) == (0, "unchanged"), build
    test = hello.cdeploy("test", "--json", "--again")
    assert (test.code, test.done["result"]) == (0, "green"), test
    logs = hello.cdeploy("logs", "hello", "--tail", "5")
    assert logs.code == 0, logs
    assert "GET / HTTP/1.1" in logs.out
    status = hello.cdeploy("status", "hello", "--json")
    (stack,) = status.json["stacks"]
    (service,) = stack["services"]
    assert (service["state"], service["release"]) == ("serving", release)
    assert service["routes"] == [HOST]
    assert [one["name"] for one in service["containers"] if one["state"] == "running"] == [name]
    history = hello.cdeploy("history", "hello", "--json")
    (*_, first) = history.json["rollouts"]
    assert (first["command"], first["outcome"]) == ("up", "switched"), history
    assert hello.traces() == before


def test_a_changed_line_is_served_and_nothing_old_answers(hello):
    """A changed line makes a release; no request is lost, and after `up` only the new answers."""
    change(hello, '"Hello"', '"Good day"', "app/hello.py")
    old = set(hello.containers("hello").values())

    with Asking(hello, HOST) as asking:
        ended = hello.switched()
        count = len(asking.answers) + 1  # one request may be under way
        asking.another(5)

    assert ended.outcomes() == {"hello": "changed"}
    assert not asking.failures
    assert {a.text.split(" from ")[0] for a in asking.answers} == {"Hello", "Good day"}
    assert all(a.text.startswith("Good day") for a in asking.answers[count:])
    assert old.isdisjoint(hello.containers("hello").values())


def test_scaling_up_and_down_loses_nothing_and_makes_no_release(hello):
    """More replicas join and fewer leave under load: the ones that stay are never touched."""
    (one,) = hello.containers("hello").items()
    change(hello, "port   = 8000", "port   = 8000\nreplicas = 3")

    with Asking(hello, HOST) as asking, Asking(hello, HOST):
        up = hello.switched()
        three = hello.containers("hello")
        asking.another(12)
        grown = set(asking.texts)
        change(hello, "replicas = 3", "replicas = 1")
        down = hello.switched()
        count = len(asking.answers) + 1
        asking.another(6)

    assert up.outcomes() == down.outcomes() == {"hello": "scaled"}
    assert up.releases() == down.releases()
    assert len(three) == len(grown) == 3
    assert one in three.items()
    assert hello.containers("hello") == dict([one])
    assert not asking.failures
    assert len({a.text for a in asking.answers[count:]}) == 1


def test_routes_health_and_drain_change_without_a_new_release(hello):
    """Another host name, health path or drain time touches no container."""
    before = hello.containers("hello", running=False)
    change(hello, 'route  = "hello.localhost"', 'route  = ["hello.localhost", "hi.localhost/low"]')
    change(
        hello, 'health = { path = "/" }', 'health = { path = "/", timeout = "9s" }\ndrain = "3s"'
    )

    with Asking(hello, HOST) as asking:
        ended = hello.up()

    assert ended.code == 0, ended
    assert not asking.failures
    assert ended.outcomes() == {"hello": "unchanged"}
    assert hello.containers("hello", running=False) == before
    assert hello.get("hi.localhost", "/low/er").status == 200
    assert hello.get("hi.localhost", "/lower").status == 404

    shutil.copy(HELLO / "stack.toml", hello.folder)
    assert hello.up().code == 0
    assert hello.get("hi.localhost", "/low/er").status == 404


def test_an_unknown_host_is_told_so(hello):
    """A request for a host that no stack claims gets a 404 that names it, and a request id."""
    answer = hello.get("nobody.localhost", "/some/where")

    assert answer.status == 404
    assert "nobody.localhost" in answer.text
    assert answer.headers["content-type"].startswith("text/plain")
    assert answer.headers["x-request-id"]


def test_a_service_without_a_ready_replica_answers_503(hello):
    """When its container is gone, callers are told to come again; `up` brings it back."""
    (name,) = hello.containers("hello")
    hello.kill(name)

    answer = hello.get(HOST)
    ended = hello.up()

    assert answer.status == 503
    assert "hello/hello" in answer.text
    assert ended.code == 0, ended
    assert ended.done["result"] == "switched"
    assert hello.get(HOST).status == 200


def test_down_takes_it_away_and_up_brings_it_back(hello):
    """`down` leaves no container, network or route of the stack; `up` deploys it again."""
    down = hello.cdeploy("down", "hello", "--json")

    assert (down.code, down.done["result"]) == (0, "removed"), down
    left = hello.traces()
    assert {name for name, _ in left.containers.values()} == {hello.host.edge, hello.host.holder}
    assert left.networks == {hello.host.edge_network}
    assert left.table["entries"] == left.table["routes"] == left.table["members"] == {}
    assert hello.get(HOST).status == 404
    assert hello.switched().outcomes() == {"hello": "new"}


def test_plain_output_names_what_was_done(hello):
    """In a pipe each step is a line, and the last one says the result."""
    change(hello, '"Hello"', '"Moin"', "app/hello.py")

    ended = hello.cdeploy("up")

    assert ended.code == 0, ended
    assert "switch" in ended.out
    assert "\x1b" not in ended.out
    with pytest.raises(json.JSONDecodeError):
        json.loads(ended.out.splitlines()[-1])
