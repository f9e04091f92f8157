"""What a good stack file becomes."""

from pathlib import Path

import pytest

from containerdeploy.checks.kinds.http import Http
from containerdeploy.stack import (
    Build,
    Health,
    Limits,
    Route,
    Secret,
    Service,
    Stack,
    Volume,
)
from containerdeploy.stackfile.load import load_stack

HEAD = '[stack]\nname = "shop"\n'
STACKS = Path(__file__).parents[3] / "stacks"


def one(load, keys: str, **arguments) -> Service:
    """The service of a stack that has just one."""
    stack = load(f'{HEAD}[service.web]\nimage = "i"\n{keys}\n', **arguments)
    return stack["web"]


def test_defaults_are_those_of_the_stack(load):
    """A service with an image alone has every default of `Service`."""
    service = one(load, "")
    assert service == Service(name="web", image="i", file=service.file, line=3)


def test_stack_keeps_the_order_of_the_file(load):
    """Services come in the file's order, and `in_order` puts the used ones first."""
    stack = load(
        f'{HEAD}[service.web]\nimage = "i"\nuses = ["db"]\n[service.db]\nimage = "i"\nport = 1\n'
    )
    assert [service.name for service in stack.services] == ["web", "db"]
    assert [service.name for service in stack.in_order()] == ["db", "web"]
    assert (stack.name, stack.environment) == ("shop", "")


def test_build_as_a_folder(load, tmp_path):
    """A build given as a string is its context; paths are absolute."""
    stack = load(f'{HEAD}[service.web]\nbuild = "app"\nargs = {{ V = 3 }}\ntarget = "t"\n')
    folder = tmp_path / "app"
    expected = Build(str(folder), str(folder / "Dockerfile"), args=(("V", "3"),), target="t")
    assert stack["web"].build == expected


def test_build_as_a_table(load, tmp_path):
    """The Dockerfile of a build table is relative to its context."""
    stack = load(f'{HEAD}[service.web.build]\ncontext = "."\ndockerfile = "app/Dockerfile"\n')
    assert stack["web"].build == Build(str(tmp_path), str(tmp_path / "app" / "Dockerfile"))


@pytest.mark.parametrize(
    ("written", "routes"),
    [
        ('"Shop.Localhost"', (Route(host="shop.localhost"),)),
        ('"a.example/shop"', (Route(host="a.example", path="/shop/"),)),
        ('["a", "b/x/"]', (Route(host="a"), Route(host="b", path="/x/"))),
        ("{ tcp = 5432 }", (Route(tcp=5432),)),
        ('[{ host = "a", path = "/x" }]', (Route(host="a", path="/x/"),)),
        ("[]", ()),
    ],
)
def test_routes(load, written, routes):
    """A route is a host, host/path, a TCP port, a table, or a list of these."""
    assert one(load, f"port = 80\nroute = {written}").routes == routes


@pytest.mark.parametrize(
    ("keys", "protocol"),
    [
        ("port = 80", "tcp"),
        ('port = 80\nroute = "a"', "http"),
        ("port = 80\nroute = { tcp = 5 }", "tcp"),
        ('port = 80\nhealth = "/"', "http"),
        ('port = 80\n[service.web.test.http]\npath = "/"\nstatus = 200', "http"),
        ('port = 80\nprotocol = "http"', "http"),
    ],
)
def test_protocol_is_inferred(load, keys, protocol):
    """http where a host route, a health path or an http check says so, else tcp."""
    assert one(load, keys).protocol == protocol


def test_env_wins_over_env_file(load, tmp_path):
    """env_file is dotenv; later files win over earlier ones and env over all."""
    (tmp_path / "a.env").write_text("# c\nexport A=1\nB='two words'\n\nC=\"x\\ny\"\nD=$HOME\n")
    (tmp_path / "b.env").write_text("A=2\nE=\n")
    service = one(load, 'env_file = ["a.env", "b.env"]\nenv = { B = 3, F = true, G = 1.5 }')
    expected = {"A": "2", "B": "3", "C": "x\ny", "D": "$HOME", "E": "", "F": "true", "G": "1.5"}
    assert dict(service.env) == expected


def test_secrets(load, tmp_path):
    """Secrets name where their value comes from; a bare name is a variable of that name."""
    assert one(load, 'secrets = ["A"]').secrets == (Secret("A", env="A"),)
    service = one(load, 'secrets = { A = { file = "s/a" }, B = { env = "C" }, D = {} }')
    file = str(tmp_path / "s" / "a")
    assert service.secrets == (Secret("A", file=file), Secret("B", env="C"), Secret("D", env="D"))


def test_volumes(load, tmp_path):
    """Named volumes keep their name; binds become absolute and keep what was written."""
    volumes = one(load, 'volumes = ["data:/d", "./app:/a:ro", "/etc:/e:rw"]').volumes
    assert volumes == (
        Volume("data", "/d", written="data"),
        Volume(str(tmp_path / "app"), "/a", read_only=True, bind=True, written="./app"),
        Volume("/etc", "/e", bind=True, written="/etc"),
    )


def test_times_sizes_and_numbers(load):
    """Times become seconds, sizes bytes; numbers and switches may be strings."""
    service = one(
        load,
        'port = "80"\nread_only = "true"\nreplicas = "3"\ndrain = "none"\nhold = "1m30s"\n'
        'stop_timeout = 5\nstop_signal = "INT"\n'
        'limits = { memory = "1.5G", cpus = "0.5", pids = 9 }\n'
        'health = { path = "/h", status = 204, timeout = "500ms", interval = "1s", settle = 0 }',
    )
    assert (service.port, service.read_only, service.replicas) == (80, True, 3)
    assert (service.drain, service.hold, service.stop_timeout) == (0.0, 90.0, 5.0)
    assert service.stop_signal == "SIGINT"
    assert service.limits == Limits(memory=3 * 2**29, cpus=0.5, pids=9)
    assert service.health == Health("/h", 204, timeout=0.5, interval=1.0, settle=0.0)


def test_before_switch(load):
    """before_switch is a list of words, or a table with a time."""
    assert one(load, 'before_switch = ["a", "b"]').before_switch == ("a", "b")
    service = one(load, 'before_switch = { command = ["a"], timeout = "2m" }')
    assert (service.before_switch, service.before_switch_timeout) == (("a",), 120.0)


def test_empty_command_is_not_no_command(load):
    """``command = []`` clears the image's command; leaving it out keeps it."""
    assert one(load, "command = []").command == ()
    assert one(load, "").command is None


def test_checks_of_every_kind_carry_their_line(load):
    """A kind is a table or an array of tables; each check knows its file and line."""
    service = one(
        load,
        "port = 1\n"
        '[service.web.test.image]\nuser = "1"\n'
        '[[service.web.test.http]]\npath = "/"\nstatus = 200\n'
        '[[service.web.test.http]]\npath = "/x"\nstatus = [200, 204]\ntimeout = "2s"\n'
        '[service.web.test]\nfile = [{ path = "/a" }, { path = "/b" }]\n',
    )
    assert [check.line for check in service.checks] == [6, 8, 11, 16, 16]
    assert {check.file for check in service.checks} == {service.file}
    last = service.checks[2]
    assert isinstance(last, Http)
    assert (last.path, last.status, last.timeout) == ("/x", (200, 204), 2.0)


def test_overlay_merges_tables_and_replaces_the_rest(load):
    """An environment's table is laid over the service: tables merge, lists and values go."""
    text = (
        f'{HEAD}[service.web]\nimage = "i"\nport = 1\nroute = ["a", "b"]\n'
        "env = { A = 1, B = 2 }\n"
        '[environment.p.service.web]\nroute = "c"\nenv = { B = 3 }\n'
        '[environment.p.service.extra]\nimage = "j"\n'
        "[environment.q]\n"
    )
    plain, laid, other = load(text), load(text, environment="p"), load(text, environment="q")
    assert [route.host for route in plain["web"].routes] == ["a", "b"]
    assert dict(laid["web"].env) == {"A": "1", "B": "3"}
    assert [route.host for route in laid["web"].routes] == ["c"]
    assert "extra" in laid
    assert "extra" not in plain
    assert (laid.environment, other["web"]) == ("p", plain["web"])


def test_variables(load):
    """${NAME}, a default for unset and empty ones, and dollars that stay."""
    service = one(
        load,
        'env = { A = "${X}-${Y:-y}", B = "${E:-e}", C = "$$X $X ^ok$", D = "${E}" }',
        env={"X": "x", "E": ""},
    )
    assert dict(service.env) == {"A": "x-y", "B": "e", "C": "$X $X ^ok$", "D": ""}


def test_overlays_that_are_not_chosen_need_no_variables(load):
    """A laptop does not have production's variables."""
    text = f'{HEAD}[service.web]\nimage = "i"\n[environment.p.service.web]\nuser = "${{NOPE}}"\n'
    assert load(text)["web"].user == ""


@pytest.mark.parametrize("name", ["hello", "shop"])
@pytest.mark.parametrize("environment", ["", "production"])
def test_own_stacks_load(name, environment):
    """The stacks that come with the project are good."""
    path = STACKS / name / "stack.toml"
    if f"[environment.{environment}" not in path.read_text():
        environment = ""
    stack = load_stack(path, environment=environment, env={})
    assert isinstance(stack, Stack)
    assert stack.name == name
