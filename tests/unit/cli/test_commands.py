"""Each command fills its arguments in and calls one use case."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from containerdeploy import bootstrap, deploy, logs, prune, rollback, status, takedown
from containerdeploy.bootstrap import Item, Report
from containerdeploy.check import CheckResult, Outcome, Verdict
from containerdeploy.checks.kinds.http import Http
from containerdeploy.cli import up as up_command
from containerdeploy.errors import BadInput
from containerdeploy.events import Event
from containerdeploy.ledger import Ledger, Rollout
from containerdeploy.logs import ServiceLine
from containerdeploy.plan import EditEdge, Plan, Remove, Start, Stop
from containerdeploy.release import Release, Runtime
from containerdeploy.rolling import Result
from containerdeploy.status import ServiceStatus, StackStatus

URL = "http://shop.localhost:8080/"


def recorded(monkeypatch, module, name, returns=None, event=None):
    """Put a use case that only remembers how it was called."""
    calls = []

    def use_case(site, what, *args, **options):
        emit = next((arg for arg in args if callable(arg)), None)
        calls.append((getattr(what, "name", what), options))
        if event is not None and emit is not None:
            emit(event)
        return returns

    monkeypatch.setattr(module, name, use_case)
    return calls


DONE = Event(
    "done",
    {
        "rollout": "20260131-140509-3f2a",
        "result": "switched",
        "services": {
            "web": {"outcome": "changed", "release": "a1"},
            "db": {"outcome": "unchanged"},
        },
        "seconds": 4.21,
        "switch_ms": 1.7,
        "urls": [URL],
    },
)


def test_up_passes_its_options_on(stack, cdeploy, monkeypatch):
    """Flags of `up` reach the use case; times are seconds."""
    calls = recorded(monkeypatch, deploy, "up", Result("switched"), DONE)
    ran = cdeploy("up", "stack.toml", "--wait", "1m30s", "--build", "--test-again")
    assert ran.code == 0
    assert calls == [("shop", {"wait": 90.0, "rebuild": True, "test_again": True})]
    assert ran.out == (
        "✔ shop is up: switched in 1.7 ms, 4.2 s in all (rollout 20260131-140509-3f2a)\n"
        "  changed: web; unchanged: db\n"
        f"  {URL}\n"
        "  the way back: cdeploy rollback shop\n"
    )


def test_up_takes_a_folder_and_an_environment(stack, cdeploy, monkeypatch):
    """A folder means its stack.toml; --env lays the overlay over the services."""
    seen = []
    monkeypatch.setattr(deploy, "up", lambda site, stack, *_, **__: seen.append(stack))
    assert cdeploy("up", str(stack), "--env", "production").code == 0
    assert seen[0]["web"].replicas == 2


def test_up_with_nothing_to_do_says_so(stack, cdeploy, monkeypatch):
    """An unchanged stack: one line, and where it is."""
    data = {"result": "unchanged", "services": {"web": {}, "db": {}}, "seconds": 0.21}
    event = Event("done", {**data, "urls": [URL]})
    recorded(monkeypatch, deploy, "up", Result("unchanged"), event)
    expected = f"✔ nothing to do: 2 services of shop run as described (210 ms)\n  {URL}\n"
    assert cdeploy("up").out == expected
    assert cdeploy("up", "--quiet").out == ""


def test_up_shows_the_answer_of_the_first_url(stack, cdeploy, monkeypatch):
    """--show-answer asks through the edge, and says what to try next."""
    recorded(monkeypatch, deploy, "up", Result("switched", urls=(URL,)), DONE)
    answer = {"url": URL, "again": "curl ...", "status": 200, "reason": "OK", "body": "hello\n"}
    monkeypatch.setattr("containerdeploy.cli.answer.ask", lambda host, url: answer)
    out = cdeploy("up", "--show-answer").out
    assert f"GET {URL} -> 200 OK\n  hello\n" in out
    assert "try next:" in out
    *_, done = cdeploy("up", "--show-answer", "--json").events
    assert (done["event"], done["answer"]["status"]) == ("done", 200)


def test_up_makes_the_host_ready_first(stack, cdeploy, monkeypatch):
    """--bootstrap comes before the rollout, which works with the settings that hold then."""
    order = []

    def make_ready(host, emit, **options):
        order.append("bootstrap")
        return Report(host)

    monkeypatch.setattr(bootstrap, "bootstrap", make_ready)
    monkeypatch.setattr(deploy, "up", lambda *_, **__: order.append("up"))
    assert cdeploy("up", "--bootstrap").code == 0
    assert order == ["bootstrap", "up"]


def test_a_stack_without_a_url_is_not_asked(stack, cdeploy):
    """--show-answer with no http route says that there is nothing to ask."""
    said = []
    up_command.show(SimpleNamespace(host=None), said.append, ())
    assert said[0].data["text"].startswith("no service has an http route")


RELEASE = Release("shop", "web", "sha256:1", Runtime())
PLAN = Plan(
    "shop",
    steps=(
        Start(
            id="start web 1",
            why="image",
            service="web",
            release=RELEASE,
            replica=1,
            container="shop-web-1",
            address="10.0.0.9",
            undo=(Remove(id="remove shop-web-1", why="undo", container="shop-web-1"),),
        ),
        EditEdge(id="switch", why="all at once", edits=(), is_switch=True, after=("start web 1",)),
        Stop(id="retire old", why="kept", service="web", container="old", stop_timeout=1.0),
    ),
    outcomes={"web": "changed", "db": "unchanged"},
    releases={"web": "a1"},
)


def test_plan_prints_phases_with_reasons(stack, cdeploy, monkeypatch):
    """`plan` and `up --dry-run` print the same: steps by phase, each with its reason."""
    monkeypatch.setattr(deploy, "plan", lambda *_: PLAN)
    ran = cdeploy("plan")
    assert ran.out == (
        "start beside\n  start web 1  image\nswitch\n  switch       all at once\n"
        "retire\n  retire old   kept\n\nshop: web changed; db unchanged (3 steps)\n"
    )
    assert cdeploy("up", "--dry-run").out == ran.out


def test_plan_as_json_is_one_object(stack, cdeploy, monkeypatch):
    """`plan --json` has every step with its phase, reason, order and undo."""
    monkeypatch.setattr(deploy, "plan", lambda *_: PLAN)
    (plan,) = cdeploy("plan", "--json").events
    assert (plan["stack"], plan["changes"], len(plan["steps"])) == ("shop", True, 3)
    assert plan["steps"][0]["undo"] == ["remove shop-web-1"]
    assert plan["steps"][1]["phase"] == "switch"
    monkeypatch.setattr(deploy, "plan", lambda *_: Plan("shop", outcomes={"web": "unchanged"}))
    assert cdeploy("plan").out == "nothing to do: 1 service of shop as described\n"


def test_progress_of_a_plan_leaves_the_result_alone(stack, cdeploy, monkeypatch):
    """In a pipe standard output holds the plan only; what is built goes to standard error."""

    def plan(site, stack, env, emit):
        emit(Event("build", {"service": "web", "step": 1, "total": 2, "text": "FROM x"}))
        return PLAN

    monkeypatch.setattr(deploy, "plan", plan)
    ran = cdeploy("plan")
    assert ran.out.startswith("start beside")
    assert "web       build 1/2 FROM x" in ran.err
    assert cdeploy("--json", "plan").err == ""


def test_validate_says_what_is_in_the_stack(stack, cdeploy):
    """A right stack file in one line; the overlay counts."""
    said = "stack.toml is right: shop has 2 services: web (at shop.localhost), db\n"
    assert cdeploy("validate").out == said
    (plain,) = cdeploy("validate", "--env", "production", "--json").events
    assert (plain["valid"], plain["services"][0]["replicas"]) == (True, 2)


def test_init_writes_a_stack_that_validates(folder, cdeploy):
    """`init` and then `validate`: the example is right."""
    ran = cdeploy("init", "My First_App")
    assert ran.code == 0
    assert ran.out.endswith("try next: cdeploy up 'My First_App'\n")
    assert "my-first-app has 1 service" in cdeploy("validate", "My First_App").out
    assert cdeploy("init", "My First_App").code == 2


def test_schema_is_json(cdeploy):
    """`schema` prints a JSON Schema, with or without --json."""
    import json

    assert json.loads(cdeploy("schema").out)["$schema"].startswith("https://json-schema.org/")


HOST_ITEMS = (Item("engine", "ok", "Docker 26"), Item("edge", "missing", "none", "why", "`x`"))


@pytest.mark.parametrize("args", [("doctor",), ("bootstrap", "--check")])
def test_a_host_that_is_not_ready(args, cdeploy, monkeypatch):
    """`doctor` and `bootstrap --check` name what is missing, why, and the cure; they exit 4."""
    monkeypatch.setattr(bootstrap, "diagnose", lambda host: Report(host, HOST_ITEMS))
    monkeypatch.setattr(bootstrap, "bootstrap", lambda host, *_, **__: Report(host, HOST_ITEMS))
    ran = cdeploy(*args)
    assert ran.code == 4
    assert ran.out == (
        "✔  engine  Docker 26\n✘  edge    none\n     needed: why\n     what to do: `x`\n\n"
        "this host is not ready: 1 of 2 to mend\n"
    )
    (plain,) = cdeploy(*args, "--json").events
    assert plain["ready"] is False


def test_bootstrap_mends_and_says_what(cdeploy, monkeypatch):
    """`bootstrap` passes its options on and ends with what was made ready."""
    calls = []

    def mend(host, emit, **options):
        calls.append(options)
        return Report(host, (Item("engine", "done", "installed"),))

    monkeypatch.setattr(bootstrap, "bootstrap", mend)
    ran = cdeploy("bootstrap", "--only", "engine,base-image")
    assert calls == [{"production": False, "only": ("engine", "base-image")}]
    assert "this host is ready for rollouts: engine made ready" in ran.out
    assert cdeploy("bootstrap", "--json").events[-1]["result"] == "ready"


def result(outcome: Outcome) -> CheckResult:
    verdict = Verdict(outcome, expected="status 200", found="status 500")
    return CheckResult("web", Http(path="/", status=200, file="stack.toml", line=9), verdict)


def test_red_checks_exit_with_three(stack, cdeploy, monkeypatch):
    """`test` exits 3 when a check is red, and says which, where, and how to run it again."""
    monkeypatch.setattr(deploy, "prepare", lambda *_, **__: SimpleNamespace())
    monkeypatch.setattr(deploy, "examine", lambda *_, **__: (result(Outcome.FAIL),))
    ran = cdeploy("test")
    assert ran.code == 3
    assert "stack.toml:9: web: http GET /" in ran.err
    assert "cdeploy test stack.toml --service web" in ran.err
    assert cdeploy("test", "--json").events[-1]["result"] == "red"


def test_green_checks_are_counted(stack, cdeploy, monkeypatch):
    """`test` says how many are green; --service and --again reach the use case."""
    calls = []
    monkeypatch.setattr(deploy, "prepare", lambda *_, **__: SimpleNamespace())

    def examine(site, prepared, emit, **options):
        calls.append(options)
        emit(Event("check", {"service": "web", "known": True, "checks": 3, "outcome": "pass"}))
        return (result(Outcome.PASS),)

    monkeypatch.setattr(deploy, "examine", examine)
    ran = cdeploy("test", "--service", "web", "--again")
    assert calls == [{"only": ("web",), "again": True}]
    assert "shop: 1 check green" in ran.out
    assert "3 checks known green" in ran.out
    ran = cdeploy("test", "--service", "wep")
    assert (ran.code, "did you mean web?" in ran.err) == (2, True)


def test_build_needs_no_secrets(stack, cdeploy, monkeypatch):
    """`build` has the images here and says which were built."""
    image = SimpleNamespace(id="sha256:0123456789abcdef", size=124_000_000)
    images = {"web": SimpleNamespace(image=image, built=True)}
    monkeypatch.setattr("containerdeploy.images.resolve.resolve_images", lambda *_, **__: images)
    monkeypatch.setattr("containerdeploy.site.Site.engine", None)
    assert "shop: 1 image built" in cdeploy("build", "-s", "web").out
    done = cdeploy("build", "--json").events[-1]
    assert done["services"]["web"]["outcome"] == "built"


SERVICE = ServiceStatus(
    service="web",
    release="a1b2",
    colour="green",
    replicas_ready=2,
    replicas=2,
    routes=("shop.localhost/", "tcp:5432"),
    image="sha256:1",
    since=0.0,
    state="serving",
    in_flight=3,
    total=7,
    errors=1,
    kept=("old1",),
    containers=(),
)


def test_status_is_a_table(cdeploy, folder, monkeypatch):
    """`status` shows each service of each stack; without a stack.toml all stacks."""
    calls = recorded(monkeypatch, status, "status", (StackStatus("shop", (SERVICE,), None),))
    monkeypatch.setattr(
        status, "status", lambda site, name="": calls.append(name) or (stack_status,)
    )
    stack_status = StackStatus("shop", (SERVICE,), None)
    ran = cdeploy("status")
    assert ran.out.splitlines() == [
        "shop",
        "  SERVICE  STATE    REPLICAS  RELEASE     UP  NOW  TOTAL  5XX  KEPT  ROUTES",
        "  web      serving  2/2       a1b2 green  -   3    7      1    old1  "
        "shop.localhost, tcp port 5432",
    ]
    (plain,) = cdeploy("status", "shop", "--json").events
    assert plain["stacks"][0]["services"][0]["routes"] == ["shop.localhost", "tcp port 5432"]
    assert calls == ["", "shop"]


def test_status_of_what_is_not_here(cdeploy, stack, monkeypatch):
    """A stack that was named and is not here is an error; ./stack.toml only isn't deployed yet."""
    monkeypatch.setattr(status, "status", lambda site, name="": ())
    assert cdeploy("status", "nosuch").code == 2
    assert cdeploy("status").out == "shop is not deployed on this host; `cdeploy up` deploys it\n"
    assert "nothing is deployed" in cdeploy("status", "--all").out


def test_logs_name_service_and_replica(cdeploy, folder, monkeypatch):
    """`logs` prints each line with its service and replica, and passes its filters on."""
    calls = []

    def lines(site, stack, **options):
        calls.append((stack, options))
        yield ServiceLine("web", 1, "a1", 1.5, "stdout", "hello")
        yield ServiceLine("db", 1, "b1", 1.6, "stderr", "there")

    monkeypatch.setattr(logs, "lines", lines)
    ran = cdeploy("logs", "shop", "-f", "-s", "web", "--release", "a1", "--tail", "5")
    assert ran.out == "web-1 | hello\ndb-1  | there\n"
    filters = {"services": ("web",), "release": "a1", "tail": 5, "since": 0.0, "follow": True}
    assert calls == [("shop", filters)]
    first = cdeploy("logs", "shop", "--json").events[0]
    assert (first["event"], first["service"], first["text"]) == ("line", "web", "hello")


def test_rollback_says_that_it_went_back(cdeploy, stack, monkeypatch):
    """`rollback` takes the stack's name from stack.toml, and ends like a rollout."""
    calls = recorded(monkeypatch, rollback, "rollback", Result("switched"), DONE)
    ran = cdeploy("rollback", "--to", "a1b2", "--service", "web")
    assert calls == [("shop", {"to": "a1b2", "service": "web", "wait": 0.0})]
    assert ran.out.startswith("✔ shop is rolled back: switched in 1.7 ms")


def test_down_with_volumes_wants_to_be_sure(cdeploy, stack, monkeypatch):
    """Without a terminal, volumes are removed only with --yes."""
    calls = recorded(monkeypatch, takedown, "down", Result("removed"), DONE)
    ran = cdeploy("down", "--volumes")
    assert (ran.code, calls) == (2, [])
    assert "--yes" in ran.err
    ran = cdeploy("down", "--volumes", "--yes")
    assert calls == [("shop", {"volumes": True, "wait": 0.0})]
    assert ran.out == "✔ shop is taken down (4.2 s)\n"


def test_down_all_and_the_edge(cdeploy, folder, monkeypatch):
    """--all takes every stack down; --edge removes the edge, but not from under a stack."""
    here = ["one", "two"]
    monkeypatch.setattr("containerdeploy.cli.down._here", lambda session: list(here))
    calls = recorded(monkeypatch, takedown, "down", Result("removed"), DONE)
    removed = []
    monkeypatch.setattr("containerdeploy.cli.down._remove_edge", removed.append)
    ran = cdeploy("down", "--edge")
    assert (ran.code, "one, two" in ran.err, removed) == (2, True, [])
    assert cdeploy("down", "--all", "--edge", "--json").events[-1]["result"] == "removed"
    assert ([name for name, _ in calls], len(removed)) == (["one", "two"], 1)
    here.clear()
    assert "nothing is deployed" in cdeploy("down", "--all").out


def test_down_all_finds_whatever_is_left(cdeploy, folder, monkeypatch):
    """A stack is here when a container, a network or the edge's table still knows it."""
    engine = SimpleNamespace(
        containers=lambda _: [SimpleNamespace(stack="one"), SimpleNamespace(stack="")],
        networks=lambda _: [SimpleNamespace(stack="two"), SimpleNamespace(stack="")],
    )
    table = SimpleNamespace(members={"three": None})
    monkeypatch.setattr("containerdeploy.site.Site.engine", engine)
    monkeypatch.setattr("containerdeploy.site.Site.edge", SimpleNamespace(table=lambda: table))
    calls = recorded(monkeypatch, takedown, "down", Result("removed"), DONE)
    assert cdeploy("down", "--all").code == 0
    assert [name for name, _ in calls] == ["one", "three", "two"]


def test_prune_lists_what_went(cdeploy, folder, monkeypatch):
    """`prune` says what was removed, or what would be."""
    calls = recorded(monkeypatch, prune, "prune", ("shop/web release a1",))
    ran = cdeploy("prune", "--keep", "1", "--dry-run")
    assert calls == [("", {"keep": 1, "dry_run": True})]
    assert ran.out == "would be removed: shop/web release a1\n1 thing would be removed\n"
    assert cdeploy("prune", "shop", "--json").events == [
        {"removed": ["shop/web release a1"], "dry_run": False}
    ]


def rolled(folder) -> None:
    ledger = Ledger(folder.parent / "state" / "ledger.sqlite")
    description = {"releases": {"web": "a1"}, "outcomes": {"web": "new"}}
    one = Rollout("20260131-140509-3f2a", "shop", "up", 1000.0, None, "", "me", "c0ffee", "", {})
    ledger.begin(Rollout(**{**_fields(one), "description": description}))
    ledger.step_begun(one.id, Remove(id="remove x", why="left behind", container="x"))
    ledger.end(one.id, "failed", "it broke")
    ledger.close()


def _fields(rollout: Rollout) -> dict[str, object]:
    return {name: getattr(rollout, name) for name in Rollout.__dataclass_fields__}


def test_history_lists_rollouts_and_shows_one(cdeploy, folder):
    """`history` lists; with a rollout's id it shows the steps; neither makes a ledger."""
    assert "no rollout is known" in cdeploy("history").out
    assert not (folder.parent / "state").exists()
    rolled(folder)
    out = cdeploy("history", "shop").out
    assert "20260131-140509-3f2a" in out
    assert "web new" in out
    assert "no rollout of other" in cdeploy("history", "other").out
    one = cdeploy("history", "20260131-140509-3f2a").out
    assert "left behind" in one
    assert "it broke" in one
    (plain,) = cdeploy("history", "20260131-140509-3f2a", "--json").events
    assert plain["steps"][0]["id"] == "remove x"
    assert cdeploy("history", "20260131-140509-ffff").code == 2


def test_hosts_of_other_files_are_read(cdeploy, folder):
    """--host-file stands before the command or after it, and must be there."""
    for args in (("--host-file", "no.toml", "history"), ("history", "--host-file", "no.toml")):
        ran = cdeploy(*args)
        assert (ran.code, "no.toml" in ran.err) == (2, True)


def test_bad_input_of_a_use_case_passes_through(cdeploy, stack, monkeypatch):
    """What a use case refuses is said in its own words."""

    def refuse(*_, **__):
        raise BadInput("no such rollout", hint="cdeploy history")

    monkeypatch.setattr(rollback, "rollback", refuse)
    ran = cdeploy("rollback", "--to", "x")
    assert (ran.code, ran.err) == (2, "error: no such rollout\nwhat to do: cdeploy history\n")
