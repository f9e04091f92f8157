"""What serves until the switch, and what drains after it, keeps all that it calls."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from containerdeploy.edge.edits import applied
from containerdeploy.plan import Drain, EditEdge, Plan, Prune
from tests.unit.plan.world import World, desired, plan_of, release, route, service

if TYPE_CHECKING:
    from containerdeploy.edge.table import Table


def step(plan: Plan, id_: str):
    """A step by its id."""
    return next(one for one in plan if one.id == id_)


def waits_for(plan: Plan, one: str, other: str) -> bool:
    """Whether a step begins only when another is done."""
    after = step(plan, one).after
    return other in after or any(waits_for(plan, each, other) for each in after)


def edited(plan: Plan, table: Table, *ids: str) -> Table:
    """The edge's table after some of a plan's edits."""
    edits = (one.edits for one in plan if isinstance(one, EditEdge) and one.id in ids)
    return applied((edit for each in edits for edit in each), table)


def test_an_old_caller_keeps_what_only_it_uses():
    """A release that uses less than the one before takes no name from the one that serves."""
    db, cache = service("db"), service("cache")
    old = service(uses=("db", "cache"))
    world = World().has(db).has(cache).has(old)
    address = world.table.entries["shop/web"].addresses("blue")[0]
    plan = plan_of(desired(db, cache, service(uses=("db",)), tags={"web": "two"}), world)
    prepared = edited(plan, world.table, "edge: prepare")
    assert prepared.callers[address] == {"db": "shop/db", "cache": "shop/cache"}
    undo = step(plan, "edge: prepare").undo[0]
    assert applied(undo.edits, prepared).callers == world.table.callers


def test_a_removed_service_serves_its_old_callers_to_the_end():
    """What left the stack file answers old callers until those are gone."""
    cache, old = service("cache"), service(uses=("cache",))
    world = World().has(cache).has(old)
    address = world.table.entries["shop/web"].addresses("blue")[0]
    plan = plan_of(desired(service(), tags={"web": "two"}), world)
    switched = edited(plan, world.table, "edge: prepare", "offer web", "switch")
    assert switched.callers[address] == {"cache": "shop/cache@blue"}
    assert switched.entries["shop/cache"].addresses("blue")
    name = next(c.name for c in world.containers if c.service == "web")
    assert waits_for(plan, "drain cache", f"retire {name}")


def test_callers_are_retired_before_what_they_call():
    """A request in flight in an old caller finds the old ones that it uses to its end."""
    api, web = service("api"), service(uses=("api",))
    world = World().has(api).has(web)
    plan = plan_of(desired(api, web, tags={"web": "two", "api": "two"}), world)
    name = next(c.name for c in world.containers if c.service == "web")
    assert waits_for(plan, "drain api", f"retire {name}")
    assert not waits_for(plan, "drain web", "drain api")


def test_callers_in_a_circle_are_retired():
    """Old services that call each other do not wait for each other for ever."""
    api, web = service("api"), service()
    world = World().has(api).has(web)
    there = {c.service: c.address for c in world.containers}
    world.table = world.table.admit(
        {there["api"]: {"web": "shop/web"}, there["web"]: {"api": "shop/api"}}
    )
    plan = plan_of(desired(api, web, tags={"web": "two", "api": "two"}), world)
    waiting = [waits_for(plan, "drain api", "drain web"), waits_for(plan, "drain web", "drain api")]
    assert sorted(waiting) == [False, True]


def test_a_switch_can_be_taken_back():
    """The undo of a switch gives back the table that stood before it, routes too."""
    db = service("db", strategy="replace")
    gone, web = service("gone"), service(routes=(route("a.test"),))
    world = World().has(db).has(gone).has(web)
    changed = replace(web, routes=(route("b.test"),))
    plan = plan_of(desired(db, changed, tags={"db": "two", "web": "two"}), world)
    before = [one.id for one in plan if isinstance(one, EditEdge)]
    before = before[: before.index("switch")]
    expected = edited(plan, world.table, *before)
    switched = edited(plan, world.table, *before, "switch")
    assert switched != expected
    undo = step(plan, "switch").undo
    assert applied((e for one in undo for e in one.edits), switched) == expected


def test_a_scaled_release_is_kept_whole():
    """A retired release of which a replica had gone before is not pruned beside the other."""
    two, one = service(replicas=2), service(replicas=1)
    world = World().has(two)
    entry = world.table.entries["shop/web"]
    world.containers[1] = replace(world.containers[1], state="exited", finished=5.0)
    world.table = world.table.offer(entry.key, "blue", entry.addresses("blue")[:1], release(two).id)
    plan = plan_of(desired(one, tags={"web": "two"}), world)
    assert not [each for each in plan if isinstance(each, Prune)]
    plan = plan_of(desired(replace(one, keep=0), tags={"web": "two"}), world)
    (prune,) = (each for each in plan if isinstance(each, Prune))
    assert set(prune.containers) == {c.name for c in world.containers}


def test_leftovers_that_may_serve_are_drained():
    """What a killed rollout no longer retired has its requests in flight ended first."""
    web = service(replicas=1)
    world = World().has(web, "one").has(web, "two", colour="green")
    name = world.containers[0].name
    plan = plan_of(desired(web, tags={"web": "two"}), world)
    drains = [each for each in plan if isinstance(each, Drain)]
    assert [(each.key, each.colour) for each in drains] == [("shop/web", "blue")]
    assert waits_for(plan, f"remove {name}", drains[0].id)
