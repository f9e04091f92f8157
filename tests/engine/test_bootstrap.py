"""A real host made ready, and what the tests' own isolation promises."""

from __future__ import annotations

import json
import subprocess
import urllib.error
import urllib.request
from importlib.util import find_spec
from pathlib import Path

import pytest

from containerdeploy.bootstrap import bootstrap, diagnose, edge_image_id
from containerdeploy.engines.base import ContainerSpec
from containerdeploy.engines.labels import labels_of
from containerdeploy.events import quiet
from containerdeploy.images.names import BUILDER
from containerdeploy.probe import wait_ready
from containerdeploy.stack import Service
from tests.engine.isolation import LABEL, build, isolated_host, leftovers

pytestmark = pytest.mark.engine
BASICS = ("engine", "builder", "base-image")


def silent(event):
    """Takes the last word only: a ready host gives nothing else to say."""
    assert event.data["state"] == "ready", event.data


def test_a_ready_machine_is_left_alone(engine, host):
    """Where engine, builder and base image are, nothing is done and nothing said but "ready"."""
    report = bootstrap(host, silent, only=BASICS)
    assert [item.state for item in report.items] == ["ok", "ok", "ok"]
    assert not host.state.exists()


def test_checking_leaves_no_trace(engine, host):
    """`--check` names what is missing and makes neither folder nor container."""
    report = bootstrap(host, quiet, check=True)
    states = {item.name: item.state for item in report.items}
    assert states["engine"] == "ok"
    assert states["state folder"] == "missing"
    assert states["edge"] == "missing"
    assert not host.state.exists()
    assert engine.containers(host.instance) == ()
    assert engine.networks(host.instance) == ()


def test_doctor_on_a_fresh_host(engine, host):
    """`doctor` looks at disk and ports as well, and finds them in order here."""
    states = {item.name: item.state for item in diagnose(host).items}
    assert states["disk"] == "ok"
    assert states["ports"] == "ok"


def test_the_whole_host(engine, host, edge_image):
    """Everything is made once; the second run finds it in order, and the edge answers."""
    said = []
    report = bootstrap(host, said.append)
    assert report.ready
    assert {item.name: item.state for item in report.items}["edge"] == "done"
    assert host.state.stat().st_mode & 0o777 == 0o700
    before = {c.name: c.id for c in engine.containers(host.instance)}
    assert set(before) == {host.holder, host.edge}

    again = bootstrap(host, silent)
    assert not again.changed
    assert {c.name: c.id for c in engine.containers(host.instance)} == before
    assert diagnose(host).ready

    request = urllib.request.Request(
        f"http://127.0.0.1:{host.http}/", headers={"Host": "nobody.localhost"}
    )
    with (
        pytest.raises(urllib.error.HTTPError) as caught,
        urllib.request.urlopen(request, timeout=10),
    ):
        pass
    assert caught.value.code == 404
    caught.value.close()


def test_a_killed_edge_is_brought_back(engine, host, edge_image):
    """A proxy that is gone is missing in the report, and the next run brings it back."""
    bootstrap(host, quiet)
    engine.remove(host.edge)
    states = {item.name: item.state for item in bootstrap(host, quiet, check=True).items}
    assert states["edge"] == "missing"
    assert bootstrap(host, quiet).ready
    assert engine.state(host.edge).status == "running"


def test_edge_image_is_kept(engine, edge_image):
    """The edge's image is found again by what it was made from, and not built twice."""

    def never(event):
        raise AssertionError(event.data)

    assert edge_image_id(engine, never) == edge_image


# -- the tests' own isolation ------------------------------------------------------------


def test_nothing_is_left_behind(engine):
    """All that carries an instance is removed at its end, and would be reported if not."""
    base = engine.image("debian:trixie-slim")
    with isolated_host(engine) as host:
        labels = labels_of(instance=host.instance, role="service")
        engine.create_network(
            host.edge_network, subnet=host.pool, gateway="", labels={LABEL: host.instance}
        )
        engine.create_volume(host.volume_name("s", "v"), {LABEL: host.instance})
        spec = ContainerSpec(
            name=host.container_name("s", "web", "r", 1),
            image=base.id,
            network=host.edge_network,
            labels=labels,
            command=("sleep", "600"),
        )
        engine.start(engine.create(spec))
        folder = host.state
        folder.mkdir()
        (folder / "Dockerfile").write_text("FROM debian:trixie-slim\n")
        build(folder, f"{host.instance}/thing:one", host.instance)
        kinds = {line.partition(" ")[0] for line in leftovers() if host.instance in line}
        assert kinds == {"container", "network", "volume", "image"}
    assert [line for line in leftovers() if host.instance in line] == []
    assert not host.state.parent.exists()


def test_two_hosts_share_nothing(engine):
    """Two hosts at once have names, ports, pools and folders of their own."""
    with isolated_host(engine) as one, isolated_host(engine) as two:
        ports = [one.http, *one.tcp, two.http, *two.tcp]
        assert len(set(ports)) == len(ports)
        assert one.instance != two.instance
        assert one.state != two.state


def test_a_small_app(engine, host, app_folder, python_image):
    """A test's own program becomes an image in a moment, and answers."""
    folder = app_folder(
        "web",
        """
        from http.server import BaseHTTPRequestHandler, HTTPServer

        class Answer(BaseHTTPRequestHandler):
            def do_GET(self):
                self.send_response(200)
                self.end_headers()
                self.wfile.write(b"here")

        HTTPServer(("", 8000), Answer).serve_forever()
        """,
    )
    ref = f"{host.instance}/web:one"
    build(folder, ref, host.instance)
    image = engine.image(ref)
    engine.create_network(
        host.edge_network, subnet=host.pool, gateway="", labels={LABEL: host.instance}
    )
    address = host.pool.partition("/")[0].rpartition(".")[0] + ".9"
    spec = ContainerSpec(
        name=host.container_name("s", "web", "r", 1),
        image=image.id,
        network=host.edge_network,
        address=address,
        labels=labels_of(instance=host.instance, role="service"),
    )
    container = engine.create(spec)
    engine.start(container)
    wait_ready(engine, container, Service(name="web", port=8000), image, address, timeout=30)
    with urllib.request.urlopen(f"http://{address}:8000/", timeout=10) as answer:
        assert answer.read() == b"here"
    assert dict(image.labels).get(BUILDER) is None  # it was not cdeploy's pipeline that made it


# -- a bare machine ------------------------------------------------------------------------

ROOT = Path(__file__).parents[2]
AS_A_HOST = (
    "--cap-add=ALL",
    "--cap-drop=SYS_RESOURCE",
    "--security-opt=seccomp=unconfined",
    "--security-opt=apparmor=unconfined",
    "--security-opt=systempaths=unconfined",
    "--cgroupns=host",
    "--volume=/sys/fs/cgroup:/sys/fs/cgroup:rw",
    "--volume=/var/lib/docker",
)
"""What a container needs to be a host for an engine of its own."""
SCRIPT = """\
import json, sys
from pathlib import Path
from containerdeploy.bootstrap import bootstrap
from containerdeploy.errors import CdeployError
from containerdeploy.events import quiet
from containerdeploy.host import Host
host = Host(file=Path("/etc/cdeploy/host.toml"), state=Path("/var/lib/cdeploy"))
try:
    report = bootstrap(host, quiet, check="check" in sys.argv, only=sys.argv[1].split(","))
except CdeployError as error:
    sys.exit(f"{error.message} ({error.hint})\\n{error.detail}")
print(json.dumps({item.name: item.state for item in report.items}))
"""
PIECES = "state-folder,engine,builder,base-image,edge-image"


class Bare:
    """A Debian with Python and nothing else, in a container."""

    def __init__(self, name: str) -> None:
        self.name = name

    def sh(self, script: str, *, timeout: float = 240) -> str:
        """The output of a script inside; it must succeed."""
        ended = subprocess.run(
            ("docker", "exec", self.name, "sh", "-c", script),
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )
        assert ended.returncode == 0, ended.stdout + ended.stderr
        return ended.stdout

    def bootstrap(self, *arguments: str) -> dict[str, str]:
        """The states of the pieces after a run inside."""
        ended = subprocess.run(
            ("docker", "exec", "-i", self.name, "python3", "-", *arguments),
            input=SCRIPT,
            capture_output=True,
            text=True,
            timeout=280,
            check=False,
        )
        assert ended.returncode == 0, ended.stdout + ended.stderr
        return json.loads(ended.stdout)


@pytest.fixture
def bare(engine, host, python_image):
    """A machine with nothing on it."""
    name = f"{host.instance}-bare"
    argv = ("run", "--detach", "--name", name, "--label", f"{LABEL}={host.instance}", *AS_A_HOST)
    # The package and the libraries of this test run, of which only pure Python is used there.
    libraries = Path(find_spec("docker").origin).parents[1]
    given = (
        f"--volume={ROOT / 'containerdeploy'}:/src/containerdeploy:ro",
        f"--volume={libraries}:/libraries:ro",
        "--env=PYTHONPATH=/src:/libraries",
        "--env=PYTHONDONTWRITEBYTECODE=1",
    )
    command = (*argv, *given, python_image, "sleep", "1200")
    subprocess.run(("docker", *command), check=True, timeout=60, capture_output=True)
    yield Bare(name)
    # Its own containers first, so that nothing holds the volume.
    subprocess.run(("docker", "rm", "--force", "--volumes", name), check=True, timeout=60)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_bare_machine(bare):
    """On a Debian with nothing but Python the engine is installed and started, the base image
    made where no registry answers, and the edge's image built; and again after a hard kill."""
    states = bare.bootstrap(PIECES, "check")
    assert set(states.values()) == {"missing"}
    assert bare.sh("ls -d /var/lib/cdeploy /var/run/docker* 2>/dev/null || true") == ""

    states = bare.bootstrap(PIECES)
    assert states["engine"] == "done"
    assert states["base image"] == "done"
    assert states["edge image"] == "done"
    assert set(bare.bootstrap(PIECES).values()) == {"ok"}

    # Killed hard, with a container's shim left running, and the pid now somebody else's.
    bare.sh("docker run --detach --name left debian:trixie-slim sleep 600")
    bare.sh(
        "kill -9 $(cat /var/run/docker.pid) $(cat /var/run/docker/containerd/containerd.pid);"
        "(sleep 900 >/dev/null 2>&1 & echo $! >/var/run/docker.pid)"
    )
    states = bare.bootstrap(PIECES)
    assert states.pop("engine") == "done"
    assert set(states.values()) == {"ok"}
    bare.sh("docker start left && docker exec left true")
