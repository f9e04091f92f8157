"""A run over a stack, on the engine in memory."""

from __future__ import annotations

import dataclasses
import threading

import pytest

from containerdeploy.check import Outcome, Ran
from containerdeploy.checks.claim import Claim
from containerdeploy.checks.kinds.command import Command
from containerdeploy.checks.kinds.file import File
from containerdeploy.checks.kinds.http import Http
from containerdeploy.checks.kinds.image import Image
from containerdeploy.checks.known import checks_digest, used_by
from containerdeploy.checks.removals import Removals
from containerdeploy.checks.run import run_checks
from containerdeploy.engines.fake import Behaviour, FakeEngine
from containerdeploy.engines.labels import labels_of
from containerdeploy.errors import EngineError, HostNotReady
from containerdeploy.host import Host
from containerdeploy.release import release_of
from containerdeploy.stack import Health, Service, Stack, Volume

INSTANCE = "tst"
GREEN = Command(run=("true",))
HEALTH = Health(settle=0.0, timeout=5.0)


class Kept:
    """Verdicts in memory."""

    def __init__(self):
        self.green = {}

    def known(self, image, checks):
        """Whether it was recorded."""
        return (image, checks) in self.green

    def record(self, image, checks, results):
        """Keep it."""
        self.green[image, checks] = results


class Bench:
    """An engine in memory with an image for each service."""

    def __init__(self, folder):
        self.host = Host(folder / "host.toml", folder, INSTANCE)
        self.engine = FakeEngine()
        self.verdicts = Kept()
        self.events = []
        self.images = {}

    def image(self, name, **behaviour):
        """Give a service's image a behaviour."""
        self.images[name] = self.engine.add_image(
            f"{name}:1", behaviour=Behaviour(**behaviour), user="app"
        )

    def run(self, *services, **options):
        """Run the checks of these services."""
        for service in services:
            if service.name not in self.images:
                self.image(service.name)
        stack = Stack("shop", services, file="stack.toml")
        releases = {s.name: release_of("shop", s, self.images[s.name].id, {}) for s in services}
        options = {"secrets_dirs": {}, **options}
        return run_checks(
            stack,
            releases,
            self.images,
            self.engine,
            self.host,
            self.verdicts,
            self.events.append,
            **options,
        )

    def called(self, *methods):
        """These calls, in order, without the run's own id in the names."""
        return [
            f"{method} {plain(about)}" for method, about in self.engine.calls if method in methods
        ]

    def left(self):
        """What is on the engine, and which locks are held."""
        return (
            *self.engine.containers(INSTANCE),
            *self.engine.networks(INSTANCE),
            *self.engine.volumes(INSTANCE),
            *self.host.locks.glob("*"),
        )


def plain(name):
    """What a name of a run means: instance, run and service under test left out."""
    if not name.startswith(f"{INSTANCE}.test."):
        return name
    return ".".join(name.split(".")[4:]) or "network"


@pytest.fixture
def bench(tmp_path):
    """The bench; nothing may be left on it."""
    bench = Bench(tmp_path)
    yield bench
    assert bench.left() == ()


def service(name="web", *checks, **options):
    """A service without a port that is ready as soon as it runs."""
    return Service(
        name, checks=checks, **{"health": HEALTH, "file": "s.toml", "line": 2, **options}
    )


def outcomes(results):
    """Service and outcome of each."""
    return [f"{result.service} {result.verdict.outcome}" for result in results]


def test_no_checks_do_nothing(bench):
    """A service without checks asks nothing of the engine."""
    assert bench.run(service()) == ()
    assert bench.engine.calls == []


def test_metadata_needs_no_container(bench):
    """Image checks alone make nothing."""
    assert outcomes(bench.run(service("web", Image(user="app")))) == ["web pass"]
    assert bench.called("create", "create_network", "start") == []


def test_files_need_no_start_and_no_network(bench):
    """A file is seen in a container that was only created."""
    bench.image("web", files={"/app": b"x"})
    assert outcomes(bench.run(service("web", File(path="/app"), uses=("db",)), service("db"))) == [
        "web pass"
    ]
    assert bench.called("create", "create_network", "start") == ["create web"]


def test_one_container_for_both_phases(bench):
    """Image and running checks share it; it is made and started once, in its own network."""
    bench.image("web", files={"/app": b"x"})
    results = bench.run(service("web", GREEN, File(path="/app"), Image(user="app")))
    assert outcomes(results) == ["web pass"] * 3
    assert [result.check.kind for result in results] == ["file", "image", "command"]
    assert bench.called("create_network", "create", "remove", "remove_network") == [
        "create_network network",
        "create web",
        "remove web",
        "remove_network network",
    ]
    assert len(bench.called("start")) == 1


def test_a_red_image_is_not_started(bench):
    """Nor are its used services; its running checks are not reported."""
    results = bench.run(service("web", Image(user="root"), GREEN, uses=("db",)), service("db"))
    assert outcomes(results) == ["web fail"]
    assert bench.called("create", "start") == []
    assert bench.verdicts.green == {}


def test_used_services_come_up_before_in_their_order(bench):
    """What it uses, and what that uses, with their jobs; a secret folder and volumes of its own."""
    host_folder = Volume("/srv/conf", "/conf", bind=True)
    specs, names = {}, {}
    create = bench.engine.create

    def watch(spec):
        specs[plain(spec.name)] = spec
        container = create(spec)
        names[container] = plain(spec.name)
        return container

    bench.engine.create = watch
    results = bench.run(
        service("web", GREEN, uses=("api",), volumes=(host_folder,)),
        service("api", uses=("db",), labels=(("a", "b"),)),
        service("db", volumes=(Volume("data", "/data"),)),
        service("other"),
        secrets_dirs={"web": "/secrets/web"},
    )
    assert outcomes(results) == ["web pass"]
    assert set(specs) == {"web", "db", "api"}
    started = [about for method, about in bench.engine.calls if method == "start"]
    assert [names[container] for container in started] == ["db", "api", "web"]
    web, api, db = specs["web"], specs["api"], specs["db"]
    assert dict(web.hosts) == {"api": api.address}
    assert dict(api.hosts) == {"db": db.address}
    assert len({web.address, api.address, db.address}) == 3
    assert [mount.read_only for mount in web.mounts] == [True]
    assert plain(db.mounts[0].source) == "data"
    assert all(spec.ports == () and spec.restart == "no" for spec in specs.values())
    assert {spec.labels["cdeploy.role"] for spec in specs.values()} == {"test"}


def test_a_job_runs_before_its_service_starts(bench):
    """Once, for the used service as for the one under test."""
    order = []
    start = bench.engine.start
    bench.engine.start = lambda container: (
        order.append(plain(bench.engine.spec(container).name)),
        start(container),
        bench.engine.exit(container, 0) if order[-1].endswith("job") else None,
    )
    db = service("db", before_switch=("migrate",))
    results = bench.run(service("web", GREEN, uses=("db",), before_switch=("seed", "it")), db)
    assert outcomes(results) == ["web pass"]
    assert order == ["db.job", "db", "web.job", "web"]


def test_a_failing_job_is_an_error_with_its_last_lines(bench):
    """The service is not started, and every running check says why."""
    bench.image("web", exit_code=4, output=("relation missing",))
    results = bench.run(service("web", GREEN, Http(path="/", status=200), before_switch=("m",)))
    assert outcomes(results) == ["web error", "web error"]
    assert "before_switch (m) ended with exit code 4" in results[0].verdict.found
    assert results[0].log == "relation missing"
    assert len(bench.called("start")) == 1


def test_a_job_that_does_not_end_is_an_error(bench):
    """At its own deadline."""
    results = bench.run(service("web", GREEN, before_switch=("m",), before_switch_timeout=0.2))
    assert outcomes(results) == ["web error"]
    assert "did not end in 0.2 s" in results[0].verdict.found


def test_a_dying_used_service_is_an_error_at_once(bench):
    """Others that are not ready yet are not waited for, and all of it is removed."""
    bench.image("db", exit_code=1, oom=True, output=("out of memory",))
    bench.images["slow"] = bench.engine.add_image(
        "slow:1", behaviour=Behaviour(health="starting"), has_healthcheck=True
    )
    slow = service("slow", health=Health(timeout=3600))
    results = bench.run(service("web", GREEN, uses=("slow", "db")), slow, service("db"))
    assert outcomes(results) == ["web error"]
    assert "service db" in results[0].verdict.found
    assert "memory" in results[0].verdict.found
    assert results[0].log == "out of memory"


def test_an_engine_that_cannot_start_it_is_an_error(bench):
    """With the engine's words and the service's place."""
    bench.image("web", start_error="exec: no such file")
    results = bench.run(service("web", GREEN))
    assert outcomes(results) == ["web error"]
    assert "s.toml:2" in results[0].verdict.found
    assert "exec: no such file" in results[0].verdict.found


@pytest.mark.parametrize("check", [GREEN, File(path="/app")])
def test_a_container_that_cannot_be_made_is_an_error(bench, check):
    """A host folder that is missing, say: the service's result, not the end of the run."""
    bench.engine.fail("create", EngineError("the host path /srv/x does not exist"))
    assert outcomes(bench.run(service("web", check), service("api", Image(user="app")))) == [
        "web error",
        "api pass",
    ]


def test_an_engine_that_went_away_ends_the_run(bench):
    """It is no verdict on a file."""
    bench.engine.fail("stat", HostNotReady("no engine answers"))
    with pytest.raises(HostNotReady):
        bench.run(service("web", File(path="/app")))


def test_red_has_the_last_lines(bench):
    """A failing command's result carries what the container wrote."""
    bench.image("web", output=("listening",), run=lambda argv, stdin: Ran(2, "", "bad"))
    (result,) = bench.run(service("web", GREEN))
    assert result.verdict.outcome is Outcome.FAIL
    assert result.log == "listening"


def test_a_green_verdict_is_kept_and_not_run_again(bench):
    """One event says so; `again` runs it all the same; red is never kept."""
    bench.run(service("web", GREEN))
    assert len(bench.verdicts.green) == 1
    bench.engine.calls.clear()
    assert bench.run(service("web", GREEN)) == ()
    assert bench.engine.calls == []
    assert bench.events[-1].data["known"] is True
    assert outcomes(bench.run(service("web", GREEN), again=True)) == ["web pass"]


def test_only_what_is_asked_for(bench):
    """And its used services beside it, untested."""
    both = (service("web", GREEN, uses=("db",)), service("db", GREEN))
    assert outcomes(bench.run(*both, only=("web",))) == ["web pass"]
    assert outcomes(bench.run(*both)) == ["db pass"]


def test_skipped_checks_start_nothing(bench):
    """A service whose running checks are all skipped is not started."""
    results = bench.run(service("web", dataclasses.replace(GREEN, skip="no engine here")))
    assert outcomes(results) == ["web skip"]
    assert bench.called("create") == []


def test_a_host_that_is_not_ready_ends_the_run(bench):
    """It is no verdict on a service."""
    bench.engine.fail("create_network", HostNotReady("no engine"))
    with pytest.raises(HostNotReady):
        bench.run(service("web", GREEN), service("api", GREEN))


def test_a_subnet_that_another_took_is_not_insisted_on(bench):
    """Another process may be quicker between looking and making."""
    create = bench.engine.create_network
    subnets = []

    def late(name, *, subnet, **rest):
        subnets.append(subnet)
        if len(subnets) == 1:
            create("theirs", subnet=subnet, gateway="", labels={})
        return create(name, subnet=subnet, **rest)

    bench.engine.create_network = late
    assert outcomes(bench.run(service("web", GREEN))) == ["web pass"]
    assert len(set(subnets)) == 2


def test_services_share_the_network_and_nothing_else(bench):
    """Each has its own containers of what it uses; one network is made and removed for all."""
    both = (service("web", GREEN, uses=("db",)), service("api", GREEN, uses=("db",)))
    assert outcomes(bench.run(*both, service("db"))) == ["web pass", "api pass"]
    assert sorted(bench.called("create")) == ["create api", "create db", "create db", "create web"]
    assert bench.called("create_network", "remove_network") == [
        "create_network network",
        "remove_network network",
    ]


def test_an_engine_that_makes_no_network_is_told(bench):
    """A refusal for another reason is not tried again."""
    bench.engine.fail("create_network", EngineError("no bridges here"))
    with pytest.raises(EngineError, match="no bridges"):
        bench.run(service("web", GREEN))


def test_an_interrupt_removes_everything(bench):
    """Whoever waits stops waiting."""
    bench.images["web"] = bench.engine.add_image(
        "web:1", behaviour=Behaviour(health="starting"), has_healthcheck=True
    )

    def interrupted(event):
        raise KeyboardInterrupt

    bench.events = type("Once", (), {"append": staticmethod(interrupted)})()
    with pytest.raises(KeyboardInterrupt):
        bench.run(
            service("web", GREEN, health=Health(timeout=3600)), service("api", Image(user="app"))
        )


def test_an_interrupt_ends_a_running_command(bench):
    """The container is removed under it, so nobody waits for the command's own deadline."""
    running, removed = threading.Event(), threading.Event()

    def sleeps(argv, stdin):
        running.set()
        return Ran(137, "", "") if removed.wait(50) else Ran(0, "", "")

    remove = bench.engine.remove
    bench.engine.remove = lambda name: (remove(name), removed.set())
    bench.engine.run = lambda container, argv, **_: sleeps(argv, b"")

    def interrupted(event):
        if event.data.get("service") == "api":
            assert running.wait(50)
            raise KeyboardInterrupt

    bench.events = type("Once", (), {"append": staticmethod(interrupted)})()
    with pytest.raises(KeyboardInterrupt):
        bench.run(service("web", GREEN), service("api", Image(user="app")))
    assert removed.is_set()


def test_the_caller_may_wait_for_the_removal_later(tmp_path):
    """With its own removals, results come first; `close` waits until all is gone."""
    bench = Bench(tmp_path)
    gate = threading.Event()
    remove = bench.engine.remove
    bench.engine.remove = lambda name: (gate.wait(30), remove(name))
    removals = Removals(bench.events.append)
    assert outcomes(bench.run(service("web", GREEN), removals=removals)) == ["web pass"]
    assert bench.left() != ()
    gate.set()
    removals.close()
    assert bench.left() == ()


def test_what_cannot_be_removed_is_told_and_swept_later(tmp_path):
    """A warning names it; the next run removes it."""
    bench = Bench(tmp_path)
    bench.engine.fail("remove", EngineError("device busy"))
    bench.run(service("web", GREEN))
    assert any(e.event == "warn" and "device busy" in e.data["text"] for e in bench.events)
    assert bench.left() != ()
    bench.run(service("web", GREEN), again=True)
    assert bench.left() == ()


def test_a_living_run_is_not_swept(tmp_path):
    """Only what belongs to nobody any more."""
    bench = Bench(tmp_path)
    with Claim(bench.host) as living:
        bench.engine.create_volume(
            living.name("web"), labels_of(instance=bench.host.instance, role="test")
        )
        bench.run(service("web", GREEN))
        assert bench.engine.volumes(INSTANCE) == (living.name("web"),)
    bench.run(service("web", GREEN), again=True)
    assert bench.engine.volumes(INSTANCE) == ()


def digest_of(*services, images=None):
    """The digest of the first."""
    stack = Stack("shop", services)
    ids = {s.name: (images or {}).get(s.name, "sha256:1") for s in services}
    return checks_digest(
        stack, services[0], {s.name: release_of("shop", s, ids[s.name], {}) for s in services}
    )


def test_the_digest_covers_what_shapes_a_result():
    """Environment, jobs and what runs beside it; not routes, replicas or health."""
    web, db = service("web", GREEN, uses=("db",)), service("db")
    change = dataclasses.replace
    base = digest_of(web, db)
    assert base != digest_of(change(web, env=(("A", "1"),)), db)
    assert base != digest_of(change(web, before_switch=("m",)), db)
    assert base != digest_of(change(web, checks=(GREEN, GREEN)), db)
    assert base != digest_of(web, db, images={"db": "sha256:2"})
    assert base == digest_of(change(web, replicas=3, health=Health(path="/x"), line=9), db)
    image_only = change(web, checks=(Image(user="a"),))
    assert digest_of(image_only, db) == digest_of(image_only, db, images={"db": "sha256:2"})


def test_used_by_is_transitive_and_in_order():
    """Each once, users after what they use."""
    stack = Stack(
        "shop",
        (service("web", uses=("api", "db")), service("api", uses=("db",)), service("db")),
    )
    assert [s.name for s in used_by(stack, "web")] == ["db", "api"]
    assert used_by(stack, "db") == ()
