"""Functions that change together: old and new never mix; who names nothing reaches nothing."""

from __future__ import annotations

import pytest

from containerdeploy.edge.pod import ensure_edge
from containerdeploy.events import quiet
from tests.engine.place import Asking, Place, eventually, open_post

pytestmark = pytest.mark.engine

HOST = "worlds.localhost"
STACK = """
[stack]
name = "worlds"

[service.web]
build = "app"
port = 8000
route = "worlds.localhost"
uses = ["api"]
env = {{ VERSION = "{web}" }}
health = {{ path = "/healthz" }}
drain = "60s"

[[service.web.test.http]]
path = "/both"
contains = "web {web} api {api}"

[service.api]
build = "app"
port = 8000
env = {{ VERSION = "{api}" }}
health = {{ path = "/healthz" }}

[service.stranger]
build = "app"
port = 9000
route = "stranger.localhost"
env = {{ PORT = "9000" }}
health = {{ path = "/healthz" }}
"""


@pytest.fixture(scope="module")
def place(engine, module_host, edge_image, python_image, tmp_path_factory):
    """A host with an edge, and the tests' own function."""
    place = Place(module_host, tmp_path_factory.mktemp("worlds"))
    place.function(python_image)
    ensure_edge(engine, module_host, edge_image, quiet)
    return place


class Worlds:
    """The stack as it serves now: the versions of web and api, and what may come next.

    Tests go on from what the one before has left, so that nothing is deployed twice.
    """

    def __init__(self, place):
        self.place = place
        said = place.get(HOST, "/both")
        if said.status == 404:
            self.write("1", "1")
            place.switched()
            said = place.get(HOST, "/both")
        _, self.web, _, self.api, _ = said.text.split()

    @property
    def now(self):
        """What /both answers now."""
        return both(self.web, self.api)

    @property
    def next(self):
        """A version that neither has had."""
        return str(max(int(self.web), int(self.api)) + 1)

    def write(self, web, api, *, more=""):
        """Write the stack with these versions."""
        self.place.write(STACK.format(web=web, api=api) + more)


def both(web, api):
    """What /both answers where web reaches api."""
    return f"web {web} api {api} {'same' if web == api else 'mixed'}"


@pytest.fixture
def worlds(place):
    """The stack, deployed."""
    return Worlds(place)


def test_the_first_up_is_a_world_of_its_own(place):
    """On an empty host the candidates reach each other before anything is live: the smoke
    check through the edge, which asks web for what api says, is green."""
    place.write(STACK.format(web="1", api="1"))

    ended = place.switched()

    assert ended.steps.index("smoke web") < ended.steps.index("switch")
    assert place.get(HOST, "/both").text == both("1", "1")


def test_old_and_new_never_mix(worlds):
    """Both change in one rollout: the candidate web is smoked against the candidate api, and
    callers see both old or both new, never one of each."""
    new = worlds.next
    worlds.write(new, new)

    with Asking(worlds.place, HOST, "/both") as asking:
        ended = worlds.place.switched()
        asking.another(3)

    # The check asks for both new versions, through the edge and before the switch.
    assert ended.steps.index("smoke web") < ended.steps.index("switch")
    assert asking.texts == [worlds.now, both(new, new)]
    assert not asking.failures


def test_what_is_in_flight_ends_in_the_old_world(worlds):
    """A request that the old web still has, and that calls api after the switch, is answered by
    the old api; what comes meanwhile by the new ones."""
    place, new = worlds.place, worlds.next
    worlds.write(new, new)

    with open_post(place, "worlds", HOST, "/both") as slow, place.begun("up", "--json") as running:
        running.until_step("switch", "done")
        running.until_step("drain web", "begun")
        eventually(lambda: place.get(HOST, "/both").text == both(new, new))
        late = slow.finish()
        ended = running.end()

    assert late == (200, worlds.now)
    assert ended.code == 0, ended
    assert "warnings" not in ended.done


def test_where_only_one_changes_it_calls_what_is_live_of_the_other(worlds):
    """A changed web calls the live api; a changed api is called by the web that stays."""
    place, new = worlds.place, worlds.next
    worlds.write(new, worlds.api)
    with Asking(place, HOST, "/both") as asking:
        web = place.switched()
        before = place.containers("worlds", "web")
        # Its check is the same as before: it would make no difference to the release.
        newer = str(int(new) + 1)
        worlds.write(new, newer)
        api = place.switched()
        asking.another(2)

    assert web.outcomes() == {"web": "changed", "api": "unchanged", "stranger": "unchanged"}
    assert api.outcomes() == {"web": "unchanged", "api": "changed", "stranger": "unchanged"}
    assert place.containers("worlds", "web") == before
    assert asking.texts == [worlds.now, both(new, worlds.api), both(new, newer)]
    assert not asking.failures


def test_a_rollout_that_fails_leaves_the_old_world_alone(worlds):
    """When the smoke of web is red, its candidate and that of api are removed: both old ones
    serve on, and call each other."""
    place, new = worlds.place, worlds.next
    before = place.traces()
    # The edge sets this header; the checks of the image don't go through it, and are green.
    worlds.write(
        new,
        new,
        more='[[service.web.test.http]]\npath = "/headers"\ntimeout = "1s"\n'
        "matches = '^(?!.*x-forwarded-proto)'\n",
    )

    with Asking(place, HOST, "/both") as asking:
        ended = place.up()
        asking.another(2)

    assert ended.code == 3, ended
    assert asking.texts == [worlds.now]
    assert not asking.failures
    assert place.traces() == before


def test_a_function_is_told_truly_who_asks(worlds):
    """X-Forwarded-* and X-Request-Id are the edge's own: what a client sends in their place,
    however it is spelt, does not come through."""
    forged = {
        "X-Forwarded-For": "6.6.6.6",
        "X_Forwarded_For": "6.6.6.6",
        "X-Forwarded-Proto": "gopher",
        "X-Forwarded-Host": "6.6.6.6",
        "X-Forwarded-Port": "666",
        "Forwarded": "for=6.6.6.6",
        "X-Real-IP": "6.6.6.6",
        "X-Request-Id": "6.6.6.6",
    }

    answer = worlds.place.get(HOST, "/headers", headers=forged)

    heard = answer.json
    assert heard["host"] == HOST
    assert heard["x-forwarded-proto"] == "http"
    assert heard["x-forwarded-host"] == HOST
    assert heard["x-request-id"] == answer.headers["x-request-id"]
    assert heard["x-forwarded-for"] == heard["x-real-ip"]
    assert "6.6.6.6" not in answer.text
    assert "666" not in answer.text


def reach(place, target):
    """What the stranger, which uses nothing, comes to at a target: (status or 0, words)."""
    return place.get("stranger.localhost", f"/reach?host={target}&port=8000").json


def test_who_does_not_use_a_service_is_refused_at_the_edge(worlds):
    """A container that doesn't name api in `uses` knows no such name, and at the edge it is
    told what to write."""
    edge = worlds.place.traces().table["members"]["worlds"]["address"]

    assert reach(worlds.place, "api")[0] == 0
    status, words = reach(worlds.place, edge)
    assert (status, "uses" in words) == (403, True), words


@pytest.mark.xfail(
    strict=True,
    reason="containers of one stack share a bridge network: a neighbour is reached directly",
)
def test_who_does_not_use_a_service_can_not_go_around_the_edge(worlds):
    """A container that doesn't name api in `uses` can't reach it at its own address either."""
    (name,) = worlds.place.containers("worlds", "api")
    (network,) = worlds.place.inspect(name)["NetworkSettings"]["Networks"].values()

    assert reach(worlds.place, network["IPAddress"])[0] == 0
