"""Rollouts that can't go through: what served serves on, nothing is left, the cause is named."""

from __future__ import annotations

import pytest

from containerdeploy.edge.pod import ensure_edge
from containerdeploy.events import quiet
from tests.engine.isolation import isolated_host
from tests.engine.place import INTERRUPT, KILL, Asking, Place, eventually, open_post

pytestmark = pytest.mark.engine

HOST = "web.localhost"
STACK = """
[stack]
name = "broken"

[service.web]
{image}
port = 8000
route = {route}
env = {{ VERSION = "{version}", MODE = "{mode}" }}
health = {{ {health}timeout = "{patience}" }}
{more}
"""
OTHER = """
[stack]
name = "other"

[service.front]
build = "app"
port = 8000
route = "taken.localhost/shelf"
"""
FAILING = """\
FROM {base}
RUN echo gathering the ledgers && exit 7
"""
NEVER = "10m"
"""A health timeout that no test waits for: what is told sooner was told at once."""
SOON = 60.0
"""Seconds of a command that must not wait for `NEVER`."""
HANGS = (
    f'before_switch = ["python3", "-c", "import time; time.sleep({60 * 60})"]\n'
    'stop_signal = "SIGINT"'
)


@pytest.fixture(scope="module")
def place(engine, module_host, edge_image, python_image, tmp_path_factory):
    """A host with an edge, on which a good release serves."""
    place = Place(module_host, tmp_path_factory.mktemp("broken"))
    place.function(python_image)
    place.write(FAILING.format(base=python_image), "unmakeable/Dockerfile")
    ensure_edge(engine, module_host, edge_image, quiet)
    return place


def write(place, **changes):
    """Write the stack: good, but for the changes."""
    settings = {
        "image": 'build = "app"',
        "route": f'"{HOST}"',
        "version": "good",
        "mode": "",
        "health": 'path = "/healthz", ',
        "patience": "20s",
        "more": "",
    }
    place.write(STACK.format(**(settings | changes)))


@pytest.fixture
def good(place):
    """The place with the good release serving, and the traces of just that."""
    write(place)
    ended = place.up()
    assert ended.code == 0, ended
    assert place.cdeploy("prune", "broken").code == 0
    assert place.get(HOST).text == "good"
    return place


@pytest.mark.parametrize(
    ("changes", "code", "words"),
    [
        pytest.param(
            {"mode": "crash", "patience": NEVER, "more": 'secrets = ["GIVEN"]'},
            1,
            ["service web", "exit code 3", "cannot start: no such ledger"],
            id="crashes at start",
        ),
        pytest.param(
            {"mode": "sick", "patience": "2s"},
            1,
            ["service web", "/healthz", "500", "sick", "listens on 8000", "version bad begins"],
            id="never healthy",
        ),
        pytest.param(
            {"mode": "elsewhere", "patience": "2s"},
            1,
            ["service web", "port 8000", "refused", "listens on 8001", "port = 8001"],
            id="listens on another port",
        ),
        pytest.param(
            {"mode": "hungry", "patience": NEVER, "more": 'limits = { memory = "32M" }'},
            1,
            ["service web", "more memory than its limit", "limits.memory", "taking all there is"],
            id="out of memory",
        ),
        pytest.param(
            {"more": 'before_switch = ["python3", "-c", "raise SystemExit(\'no such column\')"]'},
            1,
            ["service web", "before_switch", "exit code 1", "no such column"],
            id="failing before_switch",
        ),
        pytest.param(
            {"more": 'before_switch = ["no-such-program"]'},
            1,
            ["service web", "before_switch", "no-such-program"],
            id="before_switch that can't be run",
        ),
        pytest.param(
            {"more": 'command = ["no-such-program"]', "patience": NEVER},
            1,
            ["web", "no-such-program"],
            id="command that can't be run",
        ),
        pytest.param(
            {"image": 'image = "registry.invalid/nobody/nothing:1"'},
            1,
            ["service web", "registry.invalid/nobody/nothing:1"],
            id="image that can't be pulled",
        ),
        pytest.param(
            {"image": 'build = "unmakeable"'},
            1,
            ["web", "RUN echo gathering the ledgers", "gathering the ledgers", "7"],
            id="instruction that fails",
        ),
        pytest.param(
            {"more": 'secrets = ["GIVEN"]\n[service.web.test.image]\nuser = "nobody"'},
            3,
            ["web", "nobody", "10001"],
            id="red image check",
        ),
        pytest.param(
            {
                # Directly nobody says through which proxy it comes; through the edge it does.
                "more": '[[service.web.test.http]]\npath = "/headers"\n'
                "matches = '^(?!.*x-forwarded-proto)'\ntimeout = \"1s\""
            },
            3,
            ["service web", "through the edge", "/headers"],
            id="red smoke check",
        ),
        pytest.param(
            {"more": 'secrets = ["NO_SUCH_SECRET"]'},
            2,
            ["service.web.secrets.NO_SUCH_SECRET", "missing or blank"],
            id="missing secret",
        ),
        pytest.param(
            {"route": "{ tcp = 1 }", "health": ""},
            2,
            ["service.web.route", "TCP port 1", "host.toml"],
            id="port that is not published",
        ),
        pytest.param(
            {"more": 'helth = "/healthz"'},
            2,
            ["stack.toml:", "service.web.helth", "health"],
            id="unknown key",
        ),
        pytest.param(
            {"more": 'uses = ["dbb"]'},
            2,
            ["stack.toml:", "service.web.uses", "dbb"],
            id="use of a service that is not there",
        ),
    ],
)
def test_a_broken_release_costs_nothing_and_says_why(good, changes, code, words):
    """The old release serves throughout, everything new is removed, and the cause is named."""
    before = good.traces()
    write(good, **({"version": "bad"} | changes))

    with Asking(good, HOST) as asking:
        ended = good.up(timeout=SOON, GIVEN="a secret of the broken release")
        asking.another(2)

    assert ended.code == code, ended
    assert ended.done["result"] == ("red" if code == 3 else "failed")
    assert ended.error["exit"] == code
    for word in words:
        assert word in ended.told
    assert not asking.failures
    assert asking.texts == ["good"]
    assert good.traces() == before


def test_a_red_image_check_starts_nothing(good):
    """Checks come before the rollout: with a red one no step is begun, and history says red."""
    write(good, version="bad", more='[service.web.test.image]\nuser = "nobody"')

    ended = good.up()

    assert ended.code == 3, ended
    assert not [event for event in ended.events if event["event"] == "step"]
    history = good.cdeploy("history", "broken", "--json", "--limit", "1")
    assert history.json["rollouts"][0]["outcome"] == "red"


def test_a_host_that_another_stack_claims_is_refused_and_both_are_named(good):
    """Two stacks may not claim the same host and path: exit 2, before anything is started."""
    good.write(OTHER, "other.toml")
    good.switched("other.toml")
    before = good.traces()
    write(good, version="bad", route='["web.localhost", "taken.localhost/shelf"]')

    with Asking(good, HOST) as asking, Asking(good, "taken.localhost", "/shelf/3") as others:
        ended = good.up()

    assert (ended.code, ended.error["kind"]) == (2, "Conflict"), ended
    assert "taken.localhost/shelf" in ended.told
    assert "service front of stack other" in ended.told
    assert "service web of stack broken" in ended.told
    assert not asking.failures + others.failures
    assert good.traces() == before
    assert good.cdeploy("down", "other").code == 0


def test_a_kept_release_stays_when_its_return_fails(good):
    """A kept container that was started again and found sick is stopped, not removed."""
    write(good, version="next")
    good.switched()
    before = good.traces()
    write(
        good,
        patience="2s",
        more='[service.web.test.http]\npath = "/"\nmatches = "next"\ntimeout = "1s"',
    )

    ended = good.up()

    assert ended.code == 3, ended
    assert good.traces() == before
    assert good.get(HOST).text == "next"


def test_a_second_rollout_of_a_stack_is_locked_out(good):
    """While one cdeploy rolls a stack out, another is told who holds it, and exits with 5."""
    before = good.traces()
    write(good, version="bad", more=HANGS)
    with good.begun("up", "--json") as first:
        first.until_step("before_switch web", "begun")

        second = good.up()

        assert (second.code, second.error["kind"]) == (5, "Locked"), second
        assert f"by process {first.pid}" in second.told
        first.send(INTERRUPT)
        assert first.end().code == 130
    assert good.traces() == before


def test_interrupted_before_the_switch_everything_new_is_removed(good):
    """Ctrl-C while a candidate is probed: exit 130, no trace of it, the old one serves."""
    before = good.traces()
    write(good, version="bad", mode="sick", patience=NEVER)
    with Asking(good, HOST) as asking, good.begun("up", "--json") as running:
        running.until_step("start web 1", "done")
        running.send(INTERRUPT)
        ended = running.end()

    assert ended.code == 130, ended
    assert ended.done["result"] == "interrupted"
    assert not asking.failures
    assert asking.texts == ["good"]
    assert good.traces() == before


@pytest.mark.parametrize(
    ("step", "state"),
    [
        ("edge: prepare", "done"),
        ("before_switch web", "begun"),
    ],
)
def test_killed_before_the_switch_the_next_up_converges(good, step, state):
    """kill -9 in the middle costs no request, and the next `up` leaves no trace of it."""
    before = good.traces()
    write(good, version="bad", more=HANGS)
    with Asking(good, HOST) as asking:
        with good.begun("up", "--json") as running:
            running.until_step(step, state)
            running.send(KILL)
            assert running.end().code == -KILL
        write(good)
        again = good.up()

        assert again.code == 0, again
        assert asking.texts == ["good"]
        assert good.traces() == before
        write(good, version=f"next {step}")
        good.switched()
    assert not asking.failures
    assert good.get(HOST).text == f"next {step}"


@pytest.mark.parametrize(
    "more", ['[[service.web.test.command]]\nrun = ["true"]', ""], ids=["with checks", "without"]
)
def test_killed_while_checks_run_the_next_up_clears_their_world_away(good, more):
    """What a check had brought up is removed by the next run, and nothing of it was served."""
    before = good.traces()
    hangs = 'run = ["python3", "-c", "import time; time.sleep(3600)"]\ntimeout = "10m"'
    write(good, version="bad", more=f"[[service.web.test.command]]\n{hangs}")
    with good.begun("up", "--json") as running:
        eventually(lambda: good.traces().networks != before.networks)
        eventually(lambda: len(good.traces().containers) > len(before.containers))
        running.send(KILL)
        running.end()
    write(good, more=more)

    again = good.up()

    assert (again.code, again.done["result"]) == (0, "unchanged"), again
    assert good.traces() == before


def test_interrupted_while_checks_run_their_world_is_removed(good):
    """Ctrl-C in the middle of a check: exit 130, and nothing of what it had brought up is left."""
    before = good.traces()
    hangs = 'run = ["python3", "-c", "import time; time.sleep(3600)"]\ntimeout = "10m"'
    write(good, version="bad", more=f'secrets = ["GIVEN"]\n[[service.web.test.command]]\n{hangs}')
    with good.begun("up", "--json", GIVEN="for the test") as running:
        eventually(lambda: len(good.traces().containers) > len(before.containers))
        running.send(INTERRUPT)
        ended = running.end()

    assert ended.code == 130, ended
    assert ended.done["result"] == "interrupted"
    assert good.traces() == before


def test_killed_while_a_candidate_is_probed_the_same_up_converges(good):
    """A candidate that a killed rollout left behind is removed, and made again."""
    served = set(good.containers("broken"))
    write(good, version="bad", mode="sick", patience=NEVER)
    with Asking(good, HOST) as asking:
        with good.begun("up", "--json") as running:
            running.until_step("start web 1", "done")
            running.send(KILL)
            running.end()
        (left,) = set(good.containers("broken")) - served
        write(good, version="well")
        good.switched()
    assert not asking.failures
    assert left not in good.containers("broken", running=False)
    assert good.get(HOST).text == "well"


def test_killed_after_the_switch_the_next_up_finishes(good):
    """kill -9 while the old release drains: what is in flight is answered, the next `up`
    retires the old one, and then nothing is to be done."""
    old = set(good.containers("broken"))
    write(good, version="next", more='drain = "60s"')
    with Asking(good, HOST) as asking, open_post(good, "broken", HOST) as slow:
        with good.begun("up", "--json") as running:
            running.until_step("switch", "done")
            running.until_step("drain web", "begun")
            running.send(KILL)
            running.end()
        eventually(lambda: good.get(HOST).text == "next")
        assert old <= set(good.containers("broken"))
        slow_answer = slow.finish()
        again = good.up()

    assert slow_answer == (200, "good")
    assert again.code == 0, again
    assert not asking.failures
    assert old.isdisjoint(good.containers("broken"))
    final = good.traces()
    assert good.up().done["result"] == "unchanged"
    assert good.traces() == final


def test_without_an_edge_the_host_is_not_ready(engine, python_image, tmp_path):
    """On a host that was never bootstrapped `up` exits with 4, names the cure, leaves nothing."""
    with isolated_host(engine) as host:
        place = Place(host, tmp_path)
        place.function(python_image)
        write(place)

        ended = place.up()

        assert (ended.code, ended.error["kind"]) == (4, "HostNotReady"), ended
        assert "cdeploy bootstrap" in ended.told
        assert engine.containers(host.instance) == ()
        assert engine.networks(host.instance) == ()


def test_without_an_engine_the_host_is_not_ready(good):
    """Where no engine answers `up` exits with 4 and says where it looked."""
    ended = good.up(DOCKER_HOST="unix:///nowhere/engine.sock")

    assert (ended.code, ended.error["kind"]) == (4, "HostNotReady"), ended
    assert "/nowhere/engine.sock" in ended.told
