"""What a container may see and do, and what nobody else may see, on the real engine."""

from __future__ import annotations

import json
import subprocess

import pytest

from containerdeploy.edge.pod import ensure_edge
from containerdeploy.events import quiet
from tests.engine.place import Place, docker

pytestmark = pytest.mark.engine

HOST = "vault.localhost"
SECRET, OTHER, FILED = "correct-horse-7421", "battery-staple-9930", "paper-clip-5512"
STACK = """
[stack]
name = "vault"

[service.web]
build = "app"
port = 8000
route = "vault.localhost"
health = { path = "/healthz" }
secrets = { KEY = { env = "VAULT_KEY" }, FILED = { file = "filed" } }
before_switch = ["python3", "-c", "print(len(open('/run/secrets/KEY').read()))"]
read_only = true
tmpfs = ["/tmp"]
limits = { memory = "64M", cpus = 0.5, pids = 40 }

[[service.web.test.http]]
path = "/file?path=/run/secrets/FILED"
status = 200
"""


@pytest.fixture(scope="module")
def place(engine, module_host, edge_image, python_image, tmp_path_factory):
    """A host with an edge, and a service with two secrets, deployed with all said that can be."""
    place = Place(module_host, tmp_path_factory.mktemp("vault"))
    place.function(python_image)
    place.write(FILED + "\n", "filed")
    place.write(STACK)
    ensure_edge(engine, module_host, edge_image, quiet)
    place.first = place.switched("stack.toml", "--verbose", VAULT_KEY=SECRET)
    return place


@pytest.fixture
def container(place):
    """The name of the running container."""
    (name,) = place.containers("vault")
    return name


def read(place, path):
    answer = place.get(HOST, f"/file?path={path}")
    assert answer.status == 200
    return answer.text


def test_a_secret_is_a_file_that_the_container_can_read(place, container):
    """The container's own user, which is not root, reads /run/secrets/NAME; nobody writes it."""
    assert read(place, "/run/secrets/KEY") == SECRET
    assert read(place, "/run/secrets/FILED") == FILED
    assert place.get(HOST, "/write?path=/run/secrets/KEY").text != "written"
    assert docker("exec", container, "id", "-u").strip() == "10001"


def test_a_secrets_value_is_nowhere_else(place, container):
    """Not in what the engine tells, not in the ledger or any other file of the state, not in
    events, logs or history, not in a process's arguments."""
    images = docker("images", "-q", f"{place.host.instance}/vault-web").split()
    told = {
        "up": place.first.out + place.first.err,
        "inspect": docker("inspect", *place.containers("vault", running=False)),
        "image": docker("inspect", *images) + docker("history", "--no-trunc", images[0]),
        "output": place.log(container),
        "environment": place.get(HOST, "/env?name=KEY").text,
        "processes": subprocess.run(
            ("ps", "axww", "-o", "args"), capture_output=True, text=True, timeout=60, check=True
        ).stdout,
    }
    for command in ("status", "history", "logs", "plan"):
        ended = place.cdeploy(command, "--json", VAULT_KEY=SECRET)
        assert ended.code == 0, ended
        told[command] = ended.out + ended.err
    files = {
        str(path.relative_to(place.host.state)): path.read_bytes()
        for path in place.host.state.rglob("*")
        if path.is_file() and not path.is_relative_to(place.host.secrets)
    }

    assert "ledger.sqlite" in files
    for value in (SECRET, FILED):
        assert [where for where, text in told.items() if value in text] == []
        assert [where for where, content in files.items() if value.encode() in content] == []


def test_the_folder_of_secrets_keeps_others_out(place):
    """Only the user who runs cdeploy may enter the folders that hold the files."""
    for folder in (place.host.state, place.host.secrets, place.host.secrets / "vault/web"):
        assert folder.stat().st_mode & 0o077 == 0, folder


def test_a_changed_secret_is_a_new_release(place):
    """The same value does nothing; another one is rolled out, and says in the plan why."""
    same = place.up(VAULT_KEY=SECRET)
    changed = place.up(VAULT_KEY=OTHER)

    assert same.done["result"] == "unchanged", same
    assert changed.outcomes() == {"web": "changed"}, changed
    assert changed.releases() != same.releases()
    (plan,) = [event for event in changed.events if event["event"] == "plan"]
    assert "KEY" in json.dumps(plan)
    assert OTHER not in changed.out + changed.err
    assert read(place, "/run/secrets/KEY") == OTHER


@pytest.mark.parametrize("value", ["", " \n"])
def test_a_blank_secret_stops_the_rollout(place, value):
    """A secret without a value is an error of input, which names the key and the cure."""
    ended = place.up(VAULT_KEY=value)

    assert (ended.code, ended.error["kind"]) == (2, "BadInput"), ended
    assert "service.web.secrets.KEY" in ended.told
    assert "VAULT_KEY" in ended.told


def test_a_container_has_no_privileges(place, container):
    """No capability, not even one to gain; no new privileges; its own files can't be changed."""
    status = dict(
        line.split(":\t", 1)
        for line in read(place, "/proc/self/status").splitlines()
        if ":\t" in line
    )
    known = place.inspect(container)["HostConfig"]

    assert {int(status[name], 16) for name in ("CapEff", "CapPrm", "CapBnd", "CapInh")} == {0}
    assert status["NoNewPrivs"] == "1"
    assert known["ReadonlyRootfs"] is True
    assert known["CapDrop"] == ["ALL"]
    assert known["SecurityOpt"] == ["no-new-privileges"]
    assert known["Privileged"] is False
    assert not known["PortBindings"]
    assert place.get(HOST, "/write?path=/mark").text == "Read-only file system"
    assert place.get(HOST, "/write?path=/tmp/mark").text == "written"


def test_limits_hold_as_written(place, container):
    """Memory (without swap), processors and processes are bounded as the stack file says."""
    known = place.inspect(container)["HostConfig"]

    assert known["Memory"] == known["MemorySwap"] == 64 * 2**20
    assert known["NanoCpus"] == 500_000_000
    assert known["PidsLimit"] == 40
