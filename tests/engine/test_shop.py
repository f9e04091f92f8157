"""The shop, deployed for real: orders, a worker, a database that is replaced under its callers."""

from __future__ import annotations

import json
import re
import shutil
import socket
import subprocess
from contextlib import contextmanager
from pathlib import Path

import pytest
from websockets.sync.client import connect

from containerdeploy.edge.pod import ensure_edge
from containerdeploy.events import quiet
from tests.engine.place import Asking, Place, docker, eventually

pytestmark = [pytest.mark.engine, pytest.mark.slow, pytest.mark.timeout(600)]

SHOP = Path(__file__).parents[2] / "stacks/shop"
HOST = "shop.localhost"
BUILDS = 480.0
"""Seconds for a first `up` that has to fetch Debian's packages."""

CALLER = """
import json, socket, sys, threading
stop = threading.Event()
threading.Thread(target=lambda: (sys.stdin.read(), stop.set()), daemon=True).start()
answered, lost = 0, []
while not stop.is_set():
    try:
        with socket.create_connection(("db", 5432), timeout=45) as connection:
            connection.settimeout(45)
            connection.sendall(bytes.fromhex("0000000804d2162f"))
            said = connection.recv(1)
    except OSError as error:
        lost.append(repr(error))
    else:
        if said == b"N":
            answered += 1
        else:
            lost.append(f"answer {said!r}")
    if answered + len(lost) == 1:
        print("first", flush=True)
    stop.wait(0.02)
print(json.dumps({"answered": answered, "lost": lost}))
"""
"""Opens connection after connection to the database and retries nothing. What it sends is an
SSLRequest, which the server answers with one byte ("N": no TLS here); PostgreSQL 17, section
54.2, "Message Flow"."""


@pytest.fixture(scope="module")
def shop(engine, module_host, edge_image, tmp_path_factory):
    """The shop of the repository, deployed on a host of its own; `first` is how that went."""
    folder = tmp_path_factory.mktemp("shop")
    shutil.copytree(SHOP, folder, dirs_exist_ok=True)
    ensure_edge(engine, module_host, edge_image, quiet)
    place = Place(module_host, folder)
    place.first = place.up(timeout=BUILDS)
    return place


def change(place, file, old, new):
    path = place.folder / file
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


@contextmanager
def calling(container):
    """Connections from inside a container to its database; `stop` gives the figures."""
    process = subprocess.Popen(
        ("docker", "exec", "-i", container, "python3", "-c", CALLER),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )

    def stop():
        out, _ = process.communicate(timeout=120)
        return json.loads(out)

    try:
        assert process.stdout.readline() == "first\n"
        yield stop
    finally:
        process.kill()
        process.wait()
        process.stdin.close()
        process.stdout.close()


def test_the_first_up_opens_the_shop(shop):
    """Four functions built, tested, migrated and switched at once: the page lists what is sold."""
    ended = shop.first
    assert ended.code == 0, ended
    assert ended.done["result"] == "switched"
    assert ended.outcomes() == dict.fromkeys(("web", "worker", "db", "cache"), "new")
    assert "before_switch web" in ended.steps
    page = shop.get(HOST).json
    assert page["shop"] == "Tea and cups"
    assert page["products"]


def test_the_second_up_does_nothing(shop):
    """Deployed as it is, nothing is done; every command that looks tells of all services."""
    before = shop.traces()

    again = shop.up()
    plan = shop.cdeploy("plan", "--json")
    test = shop.cdeploy("test", "--json")
    status = shop.cdeploy("status", "--json")
    logs = shop.cdeploy("logs", "--json")
    history = shop.cdeploy("history")

    assert (again.code, again.done["result"]) == (0, "unchanged"), again
    assert plan.json["steps"] == []
    assert (test.code, test.done["result"]) == (0, "green"), test
    states = {s["service"]: s["state"] for s in status.json["stacks"][0]["services"]}
    serving = dict.fromkeys(("web", "db", "cache"), "serving")
    assert states == {**serving, "worker": "running"}
    assert {line["service"] for line in logs.events} == {"web", "worker", "db", "cache"}
    assert "switched" in history.out
    assert shop.traces() == before


def test_an_order_is_packed_by_the_worker(shop):
    """What is ordered at web is packed by the function that has no port."""
    (worker,) = shop.containers("shop", "worker").values()
    placed = shop.request("POST", HOST, "/orders", body='{"product": 1, "quantity": 2}')
    assert placed.status == 201, placed
    number = placed.json["order"]

    packed = eventually(lambda: (o := shop.get(HOST, f"/orders/{number}").json)["packed_at"] and o)

    assert packed["quantity"] == 2
    assert worker.startswith(packed["packed_by"])


def test_a_websocket_echoes_through_the_edge(shop):
    """A WebSocket is upgraded, and each text comes back from one of the replicas of web."""
    names = {id_[:12] for id_ in shop.containers("shop", "web").values()}
    address = f"ws://{HOST}:{shop.host.http}/ws"
    raw = socket.create_connection(("127.0.0.1", shop.host.http), 10)
    with raw, connect(address, sock=raw, proxy=None) as echo:
        echo.send("two cups")
        container, _, text = echo.recv(timeout=10).partition(": ")

    assert text == "two cups"
    assert container in names


def test_each_request_has_an_id_of_its_own(shop):
    """The edge gives each answer a request id; one that a client sends is not taken."""
    ids = [
        shop.get(HOST, headers={"X-Request-Id": "forged"}).headers["x-request-id"] for _ in range(3)
    ]

    assert len({*ids, "forged"}) == 4


def test_a_changed_line_of_web_leaves_the_others_alone(shop):
    """Only web is rolled out: nothing is lost, and after `up` no answer comes from the old one."""
    others = {s: shop.containers("shop", s) for s in ("db", "cache", "worker")}
    old = shop.get(HOST).json["version"]
    change(shop, "web/shop/__init__.py", f'"{old}"', '"7.0"')

    with Asking(shop, HOST) as asking:
        ended = shop.switched()
        count = len(asking.answers) + 1
        asking.another(4)

    assert ended.outcomes() == {
        "web": "changed",
        **dict.fromkeys(("worker", "db", "cache"), "unchanged"),
    }
    assert {s: shop.containers("shop", s) for s in others} == others
    assert not asking.failures
    assert {a.json["version"] for a in asking.answers} == {old, "7.0"}
    assert {a.json["version"] for a in asking.answers[count:]} == {"7.0"}


def test_the_database_is_replaced_under_its_callers(shop):
    """While the one writer is replaced callers wait at the edge: no page, no order, and no new
    connection from inside is refused or lost, and what was ordered is there afterwards."""
    web, old = shop.containers("shop", "web"), shop.containers("shop", "db")
    change(
        shop,
        "stack.toml",
        '[service.db]\nbuild     = "db"',
        '[service.db]\nbuild = "db"\nenv = { TZ = "UTC" }',
    )
    plan = shop.cdeploy("plan")
    assert re.search("callers wait .* while the one writer is replaced", plan.out), plan

    order = '{"product": 1, "quantity": 1}'
    with (
        Asking(shop, HOST, pause=0.05) as pages,
        Asking(shop, HOST, "/orders", method="POST", body=order, pause=0.05) as orders,
        calling(next(iter(web))) as stop,
    ):
        ended = shop.switched()
        pages.another(3)
        orders.another(3)
        called = stop()

    assert ended.outcomes() == {
        "db": "changed",
        **dict.fromkeys(("web", "worker", "cache"), "unchanged"),
    }
    assert "hold db" in ended.steps
    assert shop.containers("shop", "web") == web
    assert set(shop.containers("shop", "db")).isdisjoint(old)
    assert (pages.failures, orders.failures, called["lost"]) == ([], [], [])
    assert called["answered"] > 1
    numbers = [answer.json["order"] for answer in orders.answers]
    assert len(set(numbers)) == len(numbers)
    for number in (numbers[0], numbers[-1]):
        assert shop.get(HOST, f"/orders/{number}").json["order"] == number


def test_a_database_that_does_not_come_up_is_undone(shop):
    """When the new database ends at once on the data of the old one, the old one is started
    again while callers wait: exit 1, no page lost, the same container, nothing new left."""
    # Only where there is data already: the checks, on an empty volume, stay green.
    command = ["sh", "-c", "test ! -e $PGDATA/lost || exec false; exec entrypoint $0 $@"]
    words = ["-c", "listen_addresses=*", "-c", "unix_socket_directories=/tmp"]
    change(
        shop,
        "stack.toml",
        'env = { TZ = "UTC" }',
        'env = { TZ = "UTC" }\n'
        f"entrypoint = {json.dumps(command)}\ncommand = {json.dumps(words)}",
    )
    (old,) = shop.containers("shop", "db").items()
    docker("exec", old[0], "touch", "/var/lib/postgresql/17/lost")
    before = shop.traces()

    with Asking(shop, HOST, pause=0.05) as pages:
        ended = shop.up()
        pages.another(3)

    assert (ended.code, ended.error["kind"]) == (1, "CandidateFailed"), ended
    assert "service db" in ended.told
    assert "exit code 1" in ended.told
    assert shop.containers("shop", "db") == dict([old])
    assert pages.failures == []
    assert shop.traces() == before


def test_down_with_volumes_leaves_nothing(shop):
    """Containers, network, routes and data are gone; the edge stays for others."""
    ended = shop.cdeploy("down", "shop", "--volumes", "--yes", "--json")

    assert (ended.code, ended.done["result"]) == (0, "removed"), ended
    left = shop.traces()
    assert {name for name, _ in left.containers.values()} == {shop.host.edge, shop.host.holder}
    assert left.networks == {shop.host.edge_network}
    assert left.secrets == frozenset()
    assert shop.get(HOST).status == 404
