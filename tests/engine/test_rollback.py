"""Back in one step: image, configuration, environment and secrets as they were."""

from __future__ import annotations

import pytest

from containerdeploy.edge.pod import ensure_edge
from containerdeploy.events import quiet
from tests.engine.place import Asking, Place

pytestmark = pytest.mark.engine

HOST = "back.localhost"
STACK = """
[stack]
name = "back"

[service.web]
build = "app"
port = 8000
route = "back.localhost"
health = {{ path = "/healthz" }}
env = {{ VERSION = "{version}" }}
secrets = ["KEY"]

[service.api]
build = "plain"
port = 8000
route = "api.localhost"
health = {{ path = "/healthz" }}
env = {{ VERSION = "{version}" }}
"""


def deploy(place, version):
    """One more deploy in which image, environment and secret of web change, and api's env."""
    place.write(f"{version}", "app/mark")
    place.write(STACK.format(version=version))
    return place.switched(KEY=f"key-{version}")


def seen(place):
    """(the image's mark, the environment's version, the secret, api's version) that serve."""
    paths = ("/file?path=/mark", "/", "/file?path=/run/secrets/KEY")
    return (*(place.get(HOST, path).text for path in paths), place.get("api.localhost").text)


def state(version):
    return (version, version, f"key-{version}", version)


@pytest.fixture(scope="module")
def place(engine, module_host, edge_image, python_image, tmp_path_factory):
    """A host on which "one" and then "two" was deployed; `ids` are their containers."""
    place = Place(module_host, tmp_path_factory.mktemp("back"))
    place.function(python_image, more="COPY mark /mark\n")
    place.function(python_image, "plain")
    ensure_edge(engine, module_host, edge_image, quiet)
    place.ids = {}
    for version in ("one", "two"):
        deploy(place, version)
        place.ids[version] = place.containers("back")
        assert seen(place) == state(version)
    return place


def back(place, *argv):
    ended = place.cdeploy("rollback", "back", "--json", *argv)
    assert ended.code == 0, ended
    assert ended.done["result"] == "switched"
    return ended


def test_back_and_forward_again(place):
    """A rollback starts the kept containers again: same ids, same image, environment and
    secret; a second one goes forward; nobody is refused meanwhile."""
    with Asking(place, HOST) as asking:
        back(place)
        old, old_ids = seen(place), place.containers("back")
        back(place)
        new, new_ids = seen(place), place.containers("back")

    assert (old, old_ids) == (state("one"), place.ids["one"])
    assert (new, new_ids) == (state("two"), place.ids["two"])
    assert not asking.failures


def test_up_after_a_rollback_goes_where_the_file_says(place):
    """A rollback changes no file: `up` brings the stack file's state again."""
    back(place)

    ended = place.switched(KEY="key-two")

    assert ended.outcomes() == {"web": "changed", "api": "changed"}
    assert seen(place) == state("two")


def test_one_service_alone(place):
    """With --service the others stay as they are, their containers untouched."""
    ended = back(place, "--service", "api")

    assert ended.outcomes() == {"web": "unchanged", "api": "changed"}
    assert seen(place) == (*state("two")[:3], "one")
    web = set(place.containers("back", "web").items())
    assert web <= set(place.ids["two"].items())
    back(place, "--service", "api")
    assert seen(place) == state("two")


def test_to_a_rollout_by_its_id(place):
    """A rollout that history names is gone back to with --to; one that never was is an error."""
    history = place.cdeploy("history", "back", "--json").json["rollouts"]
    first = history[-1]["rollout"]

    back(place, "--to", first)
    old = seen(place)
    back(place)
    never = place.cdeploy("rollback", "back", "--json", "--to", "20200101-000000-0000")

    assert old == state("one")
    assert seen(place) == state("two")
    assert (never.code, never.error["kind"]) == (2, "BadInput"), never


def test_what_was_pruned_is_said_to_be_gone(place):
    """After `prune` there is nothing to go back to: said with the service, exit 1, and what
    serves goes on."""
    pruned = place.cdeploy("prune", "back", "--json")
    before = place.traces()

    ended = place.cdeploy("rollback", "back", "--json", "--service", "web")

    assert len(pruned.json["removed"]) >= 2, pruned
    assert ended.code == 1, ended
    assert "web" in ended.told
    assert "no longer on this host" in ended.told
    assert place.traces() == before
    assert seen(place) == state("two")
