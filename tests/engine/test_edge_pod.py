"""The edge's pod: made once, as little privileged as it gets, back after a crash."""

from __future__ import annotations

import json
import socket
import subprocess
import time
from contextlib import closing
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, Phase, given, settings

from containerdeploy.edge.haproxy.driver import HAProxyEdge
from containerdeploy.edge.haproxy.render import config_text
from containerdeploy.edge.haproxy.settings import Settings
from containerdeploy.edge.haproxy.tablemap import map_entries, map_text
from containerdeploy.edge.pod import ensure_edge, remove_edge
from containerdeploy.edge.table import Entry
from containerdeploy.engines.base import ContainerSpec, Mount
from containerdeploy.errors import EdgeError, HostNotReady
from containerdeploy.events import quiet
from tests.engine.edge_bench import edge_bench
from tests.unit.edge.tables import tables

pytestmark = pytest.mark.engine

WEB = "shop/web"


@pytest.fixture
def bench(engine, edge_image, python_image):
    """An edge with one service that is live behind shop.localhost."""
    with edge_bench(engine, edge_image, python_image) as bench:
        address = bench.serve("one")
        bench.edge.change(
            lambda table: (
                table.join("shop", bench.member)
                .shaped(Entry("shop", "web", "http", 8000))
                .offer(WEB, "blue", [address], "r1")
                .switch({WEB: "blue"})
                .route("shop", {"shop.localhost/": WEB})
            )
        )
        yield bench


def inspect(name):
    """What the engine's own CLI says of a container."""
    ended = subprocess.run(
        ("docker", "inspect", name), capture_output=True, text=True, timeout=60, check=True
    )
    return json.loads(ended.stdout)[0]


def served_again(bench):
    """Until the route answers again."""
    deadline = time.monotonic() + 30
    while True:
        try:
            if bench.get("shop.localhost")[0] == 200:
                return
        except OSError:
            pass
        assert time.monotonic() < deadline, "the edge did not come back"
        time.sleep(0.05)


def test_ensure_is_idempotent_and_removable(bench):
    """A second `ensure_edge` does nothing and says nothing; a removed edge comes back with
    the table from disk and on the networks of its stacks."""
    said = []
    assert not ensure_edge(bench.engine, bench.host, bench.image, said.append)
    assert not said
    remove_edge_but_not_network(bench)
    with pytest.raises(HostNotReady):
        bench.edge.figures()
    assert ensure_edge(bench.engine, bench.host, bench.image, said.append)
    assert said
    served_again(bench)


def remove_edge_but_not_network(bench):
    bench.engine.remove(bench.host.edge)
    bench.engine.remove(bench.host.holder)


def test_remove(engine, host, edge_image):
    """`remove_edge` takes containers and network; twice is harmless."""
    ensure_edge(engine, host, edge_image, quiet)
    remove_edge(engine, host)
    remove_edge(engine, host)
    assert not engine.containers(host.instance)
    assert not engine.networks(host.instance)


def test_least_privilege(bench):
    """HAProxy: not root, read-only, no capability, no new privileges, bounded, no engine
    socket; its own sockets for their owner only, and none of them TCP."""
    proxy = inspect(bench.host.edge)
    config = proxy["HostConfig"]
    assert proxy["Config"]["User"].partition(":")[0] not in ("", "0", "root")
    assert config["ReadonlyRootfs"]
    assert config["CapDrop"] == ["ALL"]
    assert not config["CapAdd"]
    assert any("no-new-privileges" in option for option in config["SecurityOpt"])
    assert config["Memory"]
    assert config["PidsLimit"]
    assert not [mount for mount in proxy["Mounts"] if "docker.sock" in mount["Source"]]
    assert config["NetworkMode"].startswith("container:")
    holder = inspect(bench.host.holder)["HostConfig"]
    assert holder["Init"]
    assert holder["CapDrop"] == ["ALL"]
    for name in ("admin", "master", "preview"):
        path = bench.host.edge_state / "run" / f"{name}.sock"
        assert path.is_socket()
        assert path.stat().st_mode & 0o777 == 0o600
    assert bench.host.edge_state.stat().st_mode & 0o777 == 0o700
    text = (bench.host.edge_state / "conf" / "haproxy.cfg").read_text()
    assert [line.split()[2] for line in text.splitlines() if "stats socket" in line] == [
        "/run/cdeploy-edge/admin.sock"
    ]


def test_edge_network_sorts_first(bench):
    """The edge's own network sorts before every stack's, for the default gateway's sake."""
    names = [network.name for network in bench.engine.networks(bench.host.instance)]
    assert sorted(names)[0] == bench.host.edge_network
    networks = inspect(bench.host.holder)["NetworkSettings"]["Networks"]
    assert set(networks) == set(names)


def test_haproxy_killed(bench):
    """A killed HAProxy comes back by itself with the table that is on disk."""
    pid = bench.edge._runtime().info()["Pid"]
    # Its worker: the master ends with it. The engine's own kill would count as a wish to stop.
    bench.engine.run(bench.host.edge, ("sh", "-c", f"kill -9 {pid}"))
    deadline = time.monotonic() + 20
    while not bench.engine.state(bench.host.edge).restarts:
        assert time.monotonic() < deadline, "HAProxy was not killed"
        time.sleep(0.02)
    served_again(bench)
    assert not bench.edge.settle()


def test_holder_restarted(bench):
    """When the holder was restarted, HAProxy is brought into its new network."""
    subprocess.run(
        ("docker", "restart", "-t", "1", bench.host.holder),
        capture_output=True,
        timeout=60,
        check=True,
    )
    assert ensure_edge(bench.engine, bench.host, bench.image, quiet)
    served_again(bench)


def test_disk_wins(bench):
    """What was told to the proxy and not to the disk is undone by `settle`."""
    runtime = bench.edge._runtime()
    path = "/etc/cdeploy-edge/table.map"
    runtime.tell([f"set map {path} s:{WEB} shop.web.green"])
    runtime.tell(["set server shop.web.blue/s1 state maint"])
    assert bench.get("shop.localhost")[0] == 503
    assert bench.edge.settle()
    assert bench.get("shop.localhost")[0] == 200
    assert not bench.edge.settle()


def test_crash_between_disk_and_proxy(bench):
    """A new shape that only the disk has is taken over by `settle`."""
    table = bench.edge.table().shaped(Entry("shop", "new", "http", 9000))
    (bench.host.edge_state / "table.json").write_text(table.to_json())
    assert bench.edge.settle()
    assert ("shop/new", "blue") in bench.edge.figures()
    assert bench.edge.request("shop/new", "blue", "GET", "/").status == 503


def test_bad_config_is_refused(bench):
    """A configuration that the checker refuses changes nothing, on disk or in the proxy, and
    the error has the proxy's own words."""
    before, texts = bench.edge.table(), bench.edge._files.texts()
    with pytest.raises(EdgeError) as raised:
        bench.edge.change(lambda table: table.shaped(Entry("shop", "no such", "http", 9000)))
    assert "candidate.cfg" in raised.value.detail
    assert "[ALERT]" in raised.value.detail
    assert bench.edge.table() == before
    assert bench.edge._files.texts() == texts
    assert not bench.edge.settle()
    assert bench.get("shop.localhost")[0] == 200
    assert not bench.edge._files.candidate.exists()


def test_reload_that_fails_is_undone(bench):
    """When the proxy can't take over what its checker passed (an address in use), the disk
    goes back and the old process serves."""
    taken = Entry("shop", "taken", "http", 9000)
    listen = f"import socket,time;s=socket.create_server(('{bench.member.address}',9000));"
    argv = ("python3", "-c", listen + "print('up',flush=True);time.sleep(600)")
    spec = ContainerSpec(
        name=f"{bench.host.instance}-squatter",
        image=bench.python,
        network=f"container:{bench.host.holder}",
        labels={"cdeploy.instance": bench.host.instance, "cdeploy.role": "test"},
        command=argv,
        init=True,
    )
    bench.engine.create(spec)
    bench.engine.start(spec.name)
    with closing(bench.engine.logs(spec.name, follow=True)) as lines:
        assert next(lines).text == "up"
    before = bench.edge.table()
    with pytest.raises(EdgeError) as raised:
        bench.edge.change(lambda table: table.shaped(taken))
    assert "9000" in raised.value.detail
    assert bench.edge.table() == before
    assert bench.get("shop.localhost")[0] == 200
    assert not bench.edge.settle()


def test_taken_port(engine, host, edge_image):
    """A published port that another program has is named, with the key that changes it."""
    with socket.create_server(("127.0.0.1", host.http)), pytest.raises(HostNotReady) as raised:
        ensure_edge(engine, host, edge_image, quiet)
    assert str(host.http) in raised.value.message
    assert "http =" in raised.value.hint
    assert ensure_edge(engine, host, edge_image, quiet)


def test_pool_of_somebody_else(engine, host, edge_image):
    """A pool that another network has is said, with the key that changes it."""
    used = next(subnet for subnet in engine.all_subnets() if ":" not in subnet)
    theirs = replace(host, pool=used)
    with pytest.raises(HostNotReady, match="collides") as raised:
        ensure_edge(engine, theirs, edge_image, quiet)
    assert "pool" in raised.value.hint


def test_long_state_path(engine, host, edge_image):
    """A state folder whose path is too long for a Unix socket works all the same."""
    deep = host.state / ("a" * 60) / ("b" * 60)
    deep.parent.mkdir(parents=True)
    there = replace(host, state=deep)
    ensure_edge(engine, there, edge_image, quiet)
    assert not HAProxyEdge(there, engine).settle()


def test_checker_accepts_every_table(engine, host, edge_image, tmp_path):
    """HAProxy's checker accepts what is rendered from tables of any shape."""
    found = []

    @settings(
        max_examples=60,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(tables())
    def collect(table):
        found.append(table)

    collect()
    assert len(found) > 30
    for n, table in enumerate(found):
        folder = tmp_path / str(n)
        folder.mkdir()
        proxy = Settings(address="127.0.0.1", tcp=(5432,), config_dir=f"/c/{n}", run_dir="/dev/shm")  # noqa: S108
        (folder / "haproxy.cfg").write_text(config_text(table, proxy))
        (folder / "table.map").write_text(map_text(map_entries(table)))
    tmp_path.chmod(0o755)
    script = 'for f in /c/*/haproxy.cfg; do haproxy -c -q -f "$f" || echo "refused: $f"; done'
    spec = ContainerSpec(
        name=f"{host.instance}-checker",
        image=edge_image,
        network="none",
        labels={"cdeploy.instance": host.instance, "cdeploy.role": "test"},
        entrypoint=("sh", "-c"),
        command=(script,),
        mounts=(Mount("bind", str(tmp_path), "/c", read_only=True),),
    )
    engine.create(spec)
    engine.start(spec.name)
    engine.wait(spec.name, timeout=120)
    lines = [line.text for line in engine.logs(spec.name)]
    assert not lines, "\n".join(lines[:20])
