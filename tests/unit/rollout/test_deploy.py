"""The use cases on fakes: what serves, what is kept, and what a failure leaves behind."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from containerdeploy import deploy
from containerdeploy.edge.table import Table
from containerdeploy.engines.fake import Behaviour
from containerdeploy.errors import (
    BadInput,
    CandidateFailed,
    CdeployError,
    Conflict,
    EngineError,
    Failed,
)
from containerdeploy.prune import prune
from containerdeploy.rollback import rollback
from containerdeploy.stack import Stack
from containerdeploy.status import status
from containerdeploy.takedown import down
from tests.unit.rollout.site import HEALTHY, make_site, route, service


@pytest.fixture
def site(tmp_path):
    """A site with images web:1 to web:3 and db:1, db:2."""
    known = make_site(tmp_path)
    for ref in ("web:1", "web:2", "web:3", "db:1", "db:2", "worker:1", "worker:2"):
        known.image(ref)
    yield known
    known.ledger.close()


def shop(web: str = "1", db: str = "1", **keys) -> Stack:
    """Web uses a single-writer db."""
    return Stack(
        "shop",
        (
            service("web", web, routes=route("shop.localhost"), uses=("db",), **keys),
            service("db", db, port=5432, protocol="tcp", strategy="replace"),
        ),
        file="stack.toml",
    )


def test_up_twice(site):
    """The first up switches; the second finds nothing to do and starts nothing."""
    assert site.up(shop()).result == "switched"
    calls = len([c for c in site.engine.calls if c[0] in ("create", "start")])
    again = site.up(shop())
    assert again.result == "unchanged"
    assert {s["outcome"] for s in again.services.values()} == {"unchanged"}
    assert len([c for c in site.engine.calls if c[0] in ("create", "start")]) == calls


def test_change_keeps_one(site):
    """After a change the new release serves, and the old one is stopped and kept."""
    site.up(shop())
    old = site.running()
    result = site.up(shop(web="2"))
    assert result.services["web"]["outcome"] == "changed"
    assert result.services["db"]["outcome"] == "unchanged"
    new = site.running()
    assert len(new & old) == 1  # the db
    (state,) = status(site, "shop")
    web = next(s for s in state.services if s.service == "web")
    assert (web.state, web.replicas_ready, len(web.kept)) == ("serving", 1, 1)


def test_only_keep_releases_stay(site):
    """Of many releases only `keep` earlier ones stay, and nothing else is left behind."""
    for tag in ("1", "2", "3", "1", "2"):
        site.up(shop(web=tag))
    webs = [c for c in site.engine.containers("cdeploy", "shop") if c.service == "web"]
    assert len(webs) == 2


def test_dead_candidate(site):
    """A candidate that dies is reported with its exit code and last lines; the old one serves."""
    site.up(shop())
    before, table = site.running(), site.edge.table()
    site.image("web:2", Behaviour(exit_code=3, output=("no such table: users",)))
    with pytest.raises(CandidateFailed) as caught:
        site.up(shop(web="2"))
    assert "exit code 3" in caught.value.message
    assert "no such table: users" in caught.value.detail
    assert site.running() == before
    assert site.edge.table() == table
    assert site.ledger.rollouts("shop")[0].outcome == "failed"
    logs = list((site.host.state / "logs").glob("*web*"))
    assert "no such table" in logs[0].read_text()


def test_failed_replace_brings_the_old_back(site):
    """When the new single writer dies, the old one runs and is live again."""
    site.up(shop())
    before, serves = site.running(), site.serves()
    site.image("db:2", Behaviour(exit_code=1))
    with pytest.raises(CandidateFailed):
        site.up(shop(db="2"))
    assert site.running() == before
    assert site.serves() == serves


def test_failed_candidate_after_a_replace(site):
    """When the web's candidate dies after the db was replaced, both are as before."""
    site.up(shop())
    before, serves = site.running(), site.serves()
    site.image("web:2", Behaviour(exit_code=1))
    with pytest.raises(CandidateFailed):
        site.up(shop(web="2", db="2"))
    assert site.running() == before
    assert site.serves() == serves


def test_failing_migration(site):
    """A before_switch that fails stops the rollout; no candidate was started."""
    site.up(shop())
    before = site.running()
    site.image("web:2", Behaviour(exit_code=7, output=("migration 4 failed",)))
    with pytest.raises(CandidateFailed) as caught:
        site.up(shop(web="2", before_switch=("migrate",)))
    assert "before_switch migrate failed (exit code 7)" in caught.value.message
    assert "migration 4 failed" in caught.value.detail
    assert site.running() == before
    assert not [c for c in site.engine.containers("cdeploy", "shop") if c.role == "job"]


def test_first_deploy_that_fails_leaves_nothing(site):
    """A stack whose first deploy fails leaves no container, entry or route behind."""
    site.image("web:1", Behaviour(exit_code=1))
    with pytest.raises(CandidateFailed):
        site.up(shop())
    assert not site.engine.containers("cdeploy", "shop")
    assert not site.engine.networks("cdeploy")
    assert not site.edge.table().entries
    assert not site.edge.table().routes


def test_rollback_and_forward_again(site):
    """Rollback starts the kept container again; rolling back once more goes forward."""
    site.up(shop())
    first = site.running()
    site.up(shop(web="2"))
    second = site.running()
    creates = len([c for c in site.engine.calls if c[0] == "create"])
    assert rollback(site, "shop", site.events.append).result == "switched"
    assert site.running() == first
    assert len([c for c in site.engine.calls if c[0] == "create"]) == creates
    rollback(site, "shop", site.events.append)
    assert site.running() == second


def test_rollback_of_one_service(site):
    """Only the named service goes back; the others stay as they are."""
    site.up(shop())
    first = site.running()
    site.up(shop(web="2", db="2"))
    second = site.running()
    rollback(site, "shop", site.events.append, service="web")
    now = site.running()
    assert {one for one in now if one[0] == "web"} == {one for one in first if one[0] == "web"}
    assert {one for one in now if one[0] == "db"} == {one for one in second if one[0] == "db"}


def test_rollback_to_a_rollout(site):
    """`to` takes a rollout's id; what it ran comes back, made anew if it was pruned."""
    first = site.up(shop()).rollout
    site.up(shop(web="2"))
    site.up(shop(web="3"))
    result = rollback(site, "shop", site.events.append, to=first)
    assert (
        result.services["web"]["release"]
        == site.ledger.rollout(first).description["releases"]["web"]
    )


def test_rollback_without_a_past(site):
    """With nothing to go back to the message says so."""
    with pytest.raises(BadInput, match="no rollout of stack shop"):
        rollback(site, "shop", site.events.append)
    site.up(shop())
    with pytest.raises(BadInput, match="no earlier release"):
        rollback(site, "shop", site.events.append)
    with pytest.raises(BadInput, match="never had a rollout or release"):
        rollback(site, "shop", site.events.append, to="nope")


def test_rollback_needs_the_image(site):
    """When the earlier image is gone the message says which service and what to do."""
    site.up(shop())
    old = site.engine.image("web:1").id
    site.up(shop(web="2"))
    prune(site, "shop", site.events.append)
    site.engine.remove_image(old)
    site.engine.remove_image("web:1")
    with pytest.raises(Failed, match="web: its earlier image"):
        rollback(site, "shop", site.events.append)


def test_down(site):
    """Down leaves no container, network, route or entry; a second one says there is nothing."""
    site.up(shop())
    assert down(site, "shop", site.events.append).result == "removed"
    assert not site.engine.containers("cdeploy", "shop")
    assert not site.engine.networks("cdeploy")
    table = site.edge.table()
    assert table == Table()
    with pytest.raises(BadInput, match="nothing of a stack shop"):
        down(site, "shop", site.events.append)


def test_conflict_names_both(site):
    """A second stack that claims a host is refused before anything is started."""
    site.up(shop())
    other = Stack("blog", (service("web", routes=route("shop.localhost")),))
    with pytest.raises(Conflict) as caught:
        site.up(other)
    assert "blog" in str(caught.value.problems[0])
    assert "shop" in str(caught.value.problems[0])
    assert not site.engine.containers("cdeploy", "blog")


def test_prune(site):
    """Prune removes what is kept, and leaves what runs."""
    site.up(shop())
    site.up(shop(web="2"))
    running = site.running()
    assert prune(site, "shop", site.events.append, dry_run=True)
    assert len(site.engine.containers("cdeploy", "shop")) == 3
    assert prune(site, "shop", site.events.append)
    assert len(site.engine.containers("cdeploy", "shop")) == 2
    assert site.running() == running


def test_interrupted_rollout_is_cleared(site):
    """What a killed rollout left (candidates, jobs) is removed by the next up, which converges."""
    site.up(shop())
    plan = deploy.plan(site, shop(web="2"), {}, site.events.append)
    prepared = deploy.prepare(site, shop(web="2"), {}, site.events.append)
    from containerdeploy.rolling import _actions

    actions = _actions(site, prepared, "killed", site.events.append)
    for step in plan.before_switch:
        actions.do(step)  # and then the process was killed
    assert len(site.running()) == 3
    site.ledger.begin(replace(site.ledger.rollouts("shop")[0], id="killed"))
    result = site.up(shop(web="3"))
    assert site.ledger.rollout("killed").outcome == "died"
    assert result.result == "switched"
    assert len(site.running()) == 2
    assert not deploy.plan(site, shop(web="3"), {}, site.events.append)


def killed_replacement(site):
    """A rollout of db:2 that was killed when the old db was stopped and callers were held."""
    from containerdeploy.rolling import _actions

    site.up(shop())
    plan = deploy.plan(site, shop(db="2"), {}, site.events.append)
    prepared = deploy.prepare(site, shop(db="2"), {}, site.events.append)
    actions = _actions(site, prepared, "killed", site.events.append)
    for step in plan.before_switch:
        actions.do(step)
        if step.id.startswith("retire"):
            return
    raise AssertionError("nothing was retired")


def test_killed_replacement_is_finished(site):
    """The next up of the same file starts the new writer, and callers go on."""
    killed_replacement(site)
    assert site.up(shop(db="2")).result == "switched"
    assert site.edge.table().entries["shop/db"].live_colour
    assert not deploy.plan(site, shop(db="2"), {}, site.events.append)


def test_killed_replacement_and_the_old_file(site):
    """The next up of the old file starts the old writer again, and callers go on."""
    killed_replacement(site)
    site.up(shop())
    assert site.serves()["shop/db"]
    assert len(site.running()) == 2
    assert not deploy.plan(site, shop(), {}, site.events.append)


@pytest.mark.parametrize("tag", ["1", "2", "3"])
def test_killed_replacement_then_a_failure(site, tag):
    """When the next up fails too, the old writer is started again and callers go on."""
    site.image("db:3", Behaviour(exit_code=1))
    site.up(shop())
    before, serves = site.running(), site.serves()
    killed_replacement(site)
    site.image("web:2", Behaviour(exit_code=1))
    with pytest.raises(CandidateFailed):
        site.up(shop(db=tag, web="2"))
    assert site.running() == before
    assert site.serves() == serves


SERVICES = ("a", "b", "c")


@st.composite
def stacks(draw):
    """Stacks of one to three services; later ones may use earlier ones."""
    services = []
    for number, name in enumerate(SERVICES[: draw(st.integers(1, 3))]):
        replace = draw(st.booleans())
        port = draw(st.sampled_from([8000 + number, 8000 + number, None]))
        usable = [s.name for s in services if s.port]
        services.append(
            service(
                name,
                draw(st.sampled_from("12")),
                port=port,
                protocol=draw(st.sampled_from(["http", "tcp"])),
                strategy="replace" if replace else "beside",
                replicas=1 if replace else draw(st.integers(1, 3)),
                uses=tuple(draw(st.lists(st.sampled_from(usable), unique=True)) if usable else ()),
                env=(("X", draw(st.sampled_from("12"))),),
                before_switch=draw(st.sampled_from([(), ("job",)])),
                routes=route(f"{name}.localhost") if port and draw(st.booleans()) else (),
            )
        )
    return Stack("shop", tuple(services))


FAULTS = st.sampled_from(["", "", "start", "create", "state", "stop", "remove", "connect"])


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.tuples(stacks(), FAULTS), min_size=1, max_size=4))
def test_always_converges(tmp_path_factory, runs):
    """Whatever was deployed and whatever failed in between: what serves is whole, a failure
    changes nothing that serves, and an up that goes through leaves nothing to be done."""
    site = make_site(tmp_path_factory.mktemp("site"))
    for name in SERVICES:
        for tag in "12":
            # A job is a container of the same image: it must end, a service must not.
            site.image(f"{name}:{tag}", HEALTHY)
    site.engine.wait = lambda container, *, timeout: site.engine.exit(container, 0) or 0
    for stack, fault in runs:
        serves = site.serves()
        if fault:
            site.engine.fail(fault, EngineError(f"{fault} fails"))
        try:
            site.up(stack)
        except CdeployError:
            running = {c.address for c in site.engine.containers("cdeploy", "shop") if c.running}
            assert site.serves() == serves
            assert {a for addresses in serves.values() for a in addresses} <= running
        site.engine._failures.clear()
        site.up(stack)
        assert not deploy.plan(site, stack, {}, site.events.append)
        wanted = {f"shop/{s.name}": s.replicas for s in stack.services if s.port}
        assert {key: len(addresses) for key, addresses in site.serves().items()} == wanted
        assert len(site.running()) == sum(s.replicas for s in stack.services)
    site.ledger.close()


def test_rollback_goes_from_what_serves(site):
    """A rollout that was killed after its switch serves: rollback goes back to the one before."""
    site.up(shop())
    first = site.running()
    site.up(shop(web="2"))
    killed = site.ledger.rollouts("shop")[0].id
    site.ledger.end(killed, "died")
    rollback(site, "shop", site.events.append)
    assert site.running() == first


def test_dead_service_is_mended(site):
    """A service whose only container ended is started again, and that is called mended."""
    site.up(shop())
    (web,) = [c for c in site.engine.containers("cdeploy", "shop") if c.service == "web"]
    site.engine.stop(web.id, timeout=1)
    assert site.up(shop()).services["web"]["outcome"] == "mended"


def test_what_fails_after_the_switch_is_a_warning(site, monkeypatch):
    """A rollout that switched is one that switched, whatever its tidying up came to."""
    site.up(shop())

    def broken(*_, **__):
        raise EngineError("the engine did not answer")

    monkeypatch.setattr("containerdeploy.images.resolve.prune_sources", broken)
    result = site.up(shop(web="2"))
    assert result.result == "switched"
    assert result.warnings == ("the engine did not answer",)
    assert site.ledger.rollouts("shop")[0].outcome == "switched"


def test_down_without_the_edge_knowing_it_is_a_removal(site):
    """A stack that the edge has forgotten is removed all the same, and said to be."""
    site.up(shop())
    site.edge.change(lambda table: table.forget_stack("shop"))
    assert down(site, "shop", site.events.append).result == "removed"
    assert site.ledger.rollouts("shop")[0].outcome == "removed"
