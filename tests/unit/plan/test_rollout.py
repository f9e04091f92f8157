"""The planner as tables: what is desired and observed on one side, steps on the other."""

from __future__ import annotations

import pytest

from containerdeploy.edge.edits import applied
from containerdeploy.edge.table import Table
from containerdeploy.errors import BadInput, Conflict
from containerdeploy.plan import Drain, EditEdge, Start, Stop
from containerdeploy.stack import Health, Route
from tests.unit.plan.world import World, desired, ids, plan_of, release, route, service

WEB = service(routes=(route("shop.localhost"),))
OLD = release(WEB, "old").id


def test_first_deploy():
    """A stack that is new gets a network, candidates, one switch, and nothing to retire."""
    db = service("db", port=5432, protocol="tcp")
    web = service(uses=("db",), routes=(route("shop.localhost"),), before_switch=("migrate",))
    assert ids(plan_of(desired(web, db), World())) == [
        "network cdeploy-shop",
        "edge: prepare",
        "start db 1",
        "ready? db 1",
        "offer db",
        "before_switch web",
        "start web 1",
        "ready? web 1",
        "offer web",
        "switch",
        "edge: settle",
    ]


def test_nothing_to_do():
    """What runs as described gives an empty plan."""
    plan = plan_of(desired(WEB), World().has(WEB))
    assert ids(plan) == []
    assert plan.outcomes == {"web": "unchanged"}


def test_changed_image():
    """A new image starts beside the old one, which is drained and retired after the switch."""
    plan = plan_of(desired(WEB, tags={"web": "new"}), World().has(WEB, "old"))
    assert ids(plan) == [
        "edge: prepare",
        "start web 1",
        "ready? web 1",
        "offer web",
        "switch",
        "drain web",
        f"retire shop-web-{OLD}-1",
        "edge: settle",
    ]
    assert plan.outcomes == {"web": "changed"}


@pytest.mark.parametrize(
    "changed",
    [
        service(routes=WEB.routes, health=Health(path="/up", timeout=3)),
        service(routes=WEB.routes, drain=1.0),
        service(routes=WEB.routes, keep=3),
    ],
)
def test_settings_that_make_no_release(changed):
    """Health, drain and keep are no part of a release: nothing is to be done."""
    assert not plan_of(desired(changed), World().has(WEB))


def test_changed_routes():
    """A change of routes alone is a switch alone."""
    moved = service(routes=(route("shop.localhost"), route("www.localhost", "/shop/")))
    plan = plan_of(desired(moved), World().has(WEB))
    assert ids(plan) == ["switch"]
    assert plan.steps[0].why == "routes change"


def test_more_replicas():
    """More replicas of the same release join the live colour; nothing is retired."""
    plan = plan_of(desired(service(routes=WEB.routes, replicas=3)), World().has(WEB))
    assert ids(plan) == [
        "edge: prepare",
        "start web 2",
        "ready? web 2",
        "start web 3",
        "ready? web 3",
        "switch",
    ]
    assert plan.outcomes == {"web": "scaled"}


def test_fewer_replicas():
    """Replicas that go are drained by their own addresses: the others go on serving."""
    three = service(routes=WEB.routes, replicas=3)
    plan = plan_of(desired(WEB), World().has(three))
    drains = [step for step in plan if isinstance(step, Drain)]
    assert [step.addresses for step in drains] == [("10.213.4.17", "10.213.4.18")]
    assert ids(plan) == [
        "switch",
        "drain web",
        "retire shop-web-NEW-2",
        "retire shop-web-NEW-3",
        "edge: settle",
    ]


def test_dead_replica_is_mended():
    """A replica that is gone is started again, under its own number."""
    two = service(routes=WEB.routes, replicas=2)
    world = World().has(two)
    del world.containers[0]
    plan = plan_of(desired(two), world)
    assert "start web 1" in ids(plan)
    assert "start web 2" not in ids(plan)
    assert plan.outcomes == {"web": "mended"}


def test_kept_release_is_started_again():
    """Going back to a kept release starts its container at its own address."""
    world = World().has(WEB, "old", state="exited").has(WEB, "new")
    plan = plan_of(desired(WEB, tags={"web": "old"}), world)
    starts = [step for step in plan if isinstance(step, Start)]
    assert [(step.existing, step.address) for step in starts] == [(True, "10.213.4.16")]
    assert [type(step.undo[0]) for step in starts] == [Stop]


def test_worlds_are_apart():
    """Until the switch a candidate calls candidates, and an old caller stays with the old."""
    api = service("api")
    web = service(uses=("api",), routes=(route("shop.localhost"),))
    world = World().has(api, "old").has(web, "old")
    plan = plan_of(desired(web, api, tags={"web": "new", "api": "new"}), world)
    before = [s for s in plan.before_switch if isinstance(s, EditEdge)]
    table = applied((e for s in before for e in s.edits), world.table)
    assert table.callers["10.213.4.17"] == {"api": "shop/api@blue"}
    new = next(s for s in plan if isinstance(s, Start) and s.service == "web")
    assert table.callers[new.address] == {"api": "shop/api@green"}
    end = applied((e for s in plan if isinstance(s, EditEdge) for e in s.edits), world.table)
    assert end.callers[new.address] == {"api": "shop/api"}
    assert "10.213.4.17" not in end.callers


def test_unchanged_callers_follow_the_switch():
    """A caller that did not change is not touched before the switch: it follows what is live."""
    api = service("api")
    web = service(uses=("api",), routes=(route("shop.localhost"),))
    world = World().has(api, "old").has(web)
    plan = plan_of(desired(web, api, tags={"api": "new"}), world)
    before = [s for s in plan.before_switch if isinstance(s, EditEdge)]
    table = applied((e for s in before for e in s.edits), world.table)
    assert table.callers["10.213.4.17"] == {"api": "shop/api"}


def test_replace():
    """A single writer goes first, behind its hold: the old stops before the new starts."""
    db = service("db", port=5432, protocol="tcp", strategy="replace")
    web = service(uses=("db",), routes=(route("shop.localhost"),))
    old = release(db, "old").id
    world = World().has(db, "old").has(web, "old")
    plan = plan_of(desired(web, db, tags={"db": "new", "web": "new"}), world)
    steps = ids(plan)
    assert steps[:9] == [
        "edge: prepare",
        "hold db",
        "drain db",
        f"retire shop-db-{old}-1",
        "start db 1",
        "ready? db 1",
        "offer db",
        "release db",
        "start web 1",
    ]
    start_web = next(s for s in plan if s.id == "start web 1")
    assert "release db" in start_web.after
    retire = next(s for s in plan if s.id.startswith("retire shop-db"))
    assert [step.id.split()[0] for step in retire.undo] == ["start"]


def test_no_port_stops_at_the_switch():
    """A service with no port starts beside its old one, which is told to stop at the switch."""
    worker = service("worker", port=None)
    old = release(worker, "old").id
    plan = plan_of(desired(worker, tags={"worker": "new"}), World().has(worker, "old"))
    assert ids(plan) == [
        "edge: prepare",
        "start worker 1",
        "ready? worker 1",
        "switch",
        f"retire shop-worker-{old}-1",
        "edge: settle",
    ]
    assert plan.steps[-2].after == ("switch",)


def test_removed_service():
    """A service that left the stack file loses its traffic, is drained, retired and forgotten."""
    api = service("api")
    plan = plan_of(desired(WEB), World().has(WEB).has(api, "old"))
    old = release(api, "old").id
    assert ids(plan) == ["switch", "drain api", f"retire shop-api-{old}-1", "edge: settle"]
    assert plan.outcomes == {"web": "unchanged", "api": "removed"}


def test_leftovers_are_removed_first():
    """A candidate of an interrupted rollout is removed; its place is free again."""
    world = World().has(WEB, "old").has(WEB, "new", live=False)
    plan = plan_of(desired(WEB, tags={"web": "new"}), world)
    assert plan.steps[0].id == f"remove shop-web-{release(WEB, 'new').id}-1"
    assert "interrupted" in plan.steps[0].why
    start = next(s for s in plan if isinstance(s, Start))
    assert start.address == "10.213.4.18"


def test_prune_beyond_keep():
    """Only `keep` earlier releases stay: the one just retired counts first."""
    world = World().has(WEB, "older", state="exited").has(WEB, "old")
    plan = plan_of(desired(WEB, tags={"web": "new"}), world)
    older = release(WEB, "older").id
    assert plan.steps[-1].id == f"prune web {older}"


def test_interrupted_hold_is_released():
    """A hold that a killed rollout left is ended: callers reach what runs."""
    db = service("db", port=5432, protocol="tcp", strategy="replace")
    world = World().has(db)
    world.table = world.table.switch({"shop/db": "hold"})
    plan = plan_of(desired(db), world)
    end = applied((e for s in plan if isinstance(s, EditEdge) for e in s.edits), world.table)
    assert end.entries["shop/db"].live == "blue"


def test_foreign_route_is_refused():
    """Two stacks that claim one host: an error that names both."""
    world = World().has(WEB)
    world.table = world.table.route("blog", {"shop.localhost/": "blog/site"})
    with pytest.raises(Conflict) as caught:
        plan_of(desired(WEB), world)
    text = str(caught.value.problems[0])
    assert "stack blog" in text
    assert "stack shop" in text


def test_unpublished_tcp_port_is_refused():
    """A TCP route needs a port that this host publishes; the error names host.toml."""
    with pytest.raises(BadInput) as caught:
        plan_of(desired(service(routes=(Route(tcp=5432),))), World())
    assert "host.toml" in str(caught.value.problems[0])


def test_undo_leaves_the_table_as_it_was():
    """Undoing everything before the switch gives back the table that was observed."""
    api = service("api")
    web = service(uses=("api",), routes=(route("shop.localhost"),), before_switch=("migrate",))
    world = World().has(api, "old").has(web, "old")
    extra = service("extra")
    plan = plan_of(desired(web, api, extra, tags={"web": "new", "api": "new"}), world)
    done = [s for s in plan.before_switch if isinstance(s, EditEdge)]
    table = applied((e for s in done for e in s.edits), world.table)
    undo = [u for s in reversed(plan.before_switch) for u in s.undo if isinstance(u, EditEdge)]
    assert applied((e for s in undo for e in s.edits), table) == world.table


def test_undo_of_a_first_deploy_leaves_nothing():
    """A first deploy that fails leaves an empty table."""
    plan = plan_of(desired(WEB), World())
    done = [s for s in plan.before_switch if isinstance(s, EditEdge)]
    table = applied((e for s in done for e in s.edits), Table())
    undo = [u for s in reversed(plan.before_switch) for u in s.undo if isinstance(u, EditEdge)]
    assert applied((e for s in undo for e in s.edits), table) == Table()


def test_order_respects_after():
    """Steps stand in an order in which they could be done one by one."""
    api = service("api")
    web = service(uses=("api",), replicas=2, before_switch=("migrate",))
    plan = plan_of(desired(web, api, tags={"api": "new"}), World().has(api, "old"))
    seen: set[str] = set()
    for step in plan:
        assert set(step.after) <= seen, step
        assert step.id not in seen
        seen.add(step.id)


def test_a_changed_port_is_dialled_by_colour():
    """Until the switch the old release is dialled and found at its own port, the new at its own."""
    old = service("api", port=8000)
    new = service("api", port=9000)
    world = World().has(old)
    plan = plan_of(desired(new), world)
    before = [s for s in plan.before_switch if isinstance(s, EditEdge)]
    entry = applied((e for s in before for e in s.edits), world.table).entries["shop/api"]
    assert (entry.dials("blue"), entry.dials("green"), entry.listens) == (8000, 9000, (8000, 9000))
    end = applied((e for s in plan if isinstance(s, EditEdge) for e in s.edits), world.table)
    assert end.entries["shop/api"].listens == (9000,)
