"""Who reaches what, and what they are told: routes, callers, headers, plain answers."""

from __future__ import annotations

import json
import socket

import pytest

from containerdeploy.edge.haproxy.driver import HAProxyEdge
from containerdeploy.edge.table import Entry
from tests.engine.edge_bench import edge_bench

pytestmark = pytest.mark.engine


@pytest.fixture(scope="module")
def bench(engine, edge_image, python_image):
    """One edge with two web services, one of them with both colours, and a tcp service."""
    with edge_bench(engine, edge_image, python_image) as bench:
        blue, green, other, echo = (
            bench.serve("blue"),
            bench.serve("green"),
            bench.serve("other"),
            bench.echo(),
        )
        tcp = bench.host.tcp[0]
        bench.edge.change(
            lambda table: (
                table.join("shop", bench.member)
                .shaped(Entry("shop", "api", "http", 8000))
                .shaped(Entry("shop", "other", "http", 8000))
                .shaped(Entry("shop", "echo", "http", 8000))
                .shaped(Entry("shop", "empty", "http", 8000))
                .shaped(Entry("shop", "raw", "tcp", 7000))
                .offer("shop/api", "blue", [blue], "r1")
                .offer("shop/api", "green", [green], "r2")
                .offer("shop/other", "blue", [other], "r1")
                .offer("shop/echo", "blue", [echo], "r1")
                .switch({"shop/api": "blue", "shop/other": "blue", "shop/echo": "blue"})
                .route(
                    "shop",
                    {
                        "shop.localhost/": "shop/other",
                        "shop.localhost/api/": "shop/api",
                        "echo.localhost/": "shop/echo",
                        "empty.localhost/": "shop/empty",
                        f"tcp:{tcp}": "shop/raw",
                    },
                )
            )
        )
        yield bench


def released(bench, host, path="/"):
    status, headers, _ = bench.get(host, path)
    assert status == 200
    return headers["x-release"]


@pytest.mark.parametrize(
    ("host", "path", "release"),
    [
        ("shop.localhost", "/", "other"),
        ("shop.localhost", "/api", "blue"),
        ("shop.localhost", "/api/", "blue"),
        ("shop.localhost", "/api/x?y=/z", "blue"),
        ("shop.localhost", "/apix", "other"),
        ("shop.localhost", "/API", "other"),
        ("SHOP.localhost:8080", "/api", "blue"),
        ("shop.localhost.", "/api", "blue"),
    ],
)
def test_longest_route_wins(bench, host, path, release):
    """The longest path of the host decides; a path ends at a slash, a host has no case."""
    assert released(bench, host, path) == release


def test_unknown_host(bench):
    """A host that nobody claims gets a plain 404 that says so and that no browser renders."""
    status, headers, body = bench.get("nosuch.localhost", "/<b>x</b>")
    assert status == 404
    assert headers["content-type"] == "text/plain"
    assert headers["x-content-type-options"] == "nosniff"
    assert body.startswith(b"No stack on this host claims nosuch.localhost")


def test_nothing_live_and_nothing_ready(bench):
    """A service without a live release, or without a replica, gets a plain 503 that names it."""
    for live in ("", "green"):
        bench.edge.change(lambda table, live=live: table.switch({"shop/empty": live}))
        status, headers, body = bench.get("empty.localhost")
        assert status == 503
        assert headers["content-type"] == "text/plain"
        assert headers["retry-after"]
        assert b"shop/empty" in body


def test_forged_headers(bench):
    """What an outside client says of itself is dropped; what the edge knows is set."""
    seen = bench.headers_seen(
        "echo.localhost",
        {
            "X-Forwarded-For": "6.6.6.6",
            "X_Forwarded_For": "6.6.6.6",
            "X-Forwarded-Proto": "https",
            "X-Forwarded-Host": "evil",
            "X-Forwarded-Prefix": "/evil",
            "Forwarded": "for=6.6.6.6",
            "X-Real-IP": "6.6.6.6",
            "X-Request-Id": "evil",
            "X-Cdeploy-Backend": "shop.api.green",
            "Proxy": "evil",
            "X-Own": "kept",
        },
    )
    found = dict(seen)
    assert "6.6.6.6" not in str(seen)
    assert "evil" not in str(seen)
    assert found["x-forwarded-proto"] == "http"
    assert found["x-forwarded-host"] == "echo.localhost"
    assert found["x-own"] == "kept"
    assert len(found["x-request-id"]) == 36
    assert [name for name, _ in seen].count("x-forwarded-for") == 1


def test_request_id_is_answered(bench):
    """The request's id comes back, and each request has its own."""
    ids = {bench.get("echo.localhost")[1]["x-request-id"] for _ in range(3)}
    assert len(ids) == 3


def test_inside_callers(bench):
    """A caller reaches what it names: one name by address alone, several by Host header, a
    pinned colour whatever is live; and anyone else is refused with the cure."""
    one, one_at = bench.caller("one")
    several, several_at = bench.caller("several")
    stranger, _ = bench.caller("stranger")
    bench.edge.change(
        lambda table: table.admit(
            {
                one_at: {"api": "shop/api"},
                several_at: {"api": "shop/api@green", "other": "shop/other"},
            }
        )
    )
    assert bench.ask_from(one, "whatever")[:2] == (200, "blue")
    assert bench.ask_from(several, "api:8000")[:2] == (200, "green")
    assert bench.ask_from(several, "OTHER")[:2] == (200, "other")
    status, _, body = bench.ask_from(several, "echo")
    assert status == 403
    assert "echo" in body
    assert "uses" in body
    assert bench.ask_from(stranger, "api")[0] == 403
    bench.edge.change(lambda table: table.switch({"shop/api": "green"}))
    assert bench.ask_from(one, "api")[:2] == (200, "green")
    bench.edge.change(lambda t: t.switch({"shop/api": "blue"}).dismiss([one_at, several_at]))
    assert bench.ask_from(one, "api")[0] == 403


def test_inside_chain_is_kept(bench):
    """An inside caller's X-Forwarded-For stays, with the caller's address behind it."""
    name, address = bench.caller("chained")
    bench.edge.change(lambda table: table.admit({address: {"echo": "shop/echo"}}))
    program = (
        "import http.client,sys;"
        "c=http.client.HTTPConnection(sys.argv[1],8000,timeout=10);"
        "c.request('GET','/',headers={'X-Forwarded-For':'9.9.9.9','X-Request-Id':'t1'});"
        "print(c.getresponse().read().decode())"
    )
    ran = bench.engine.run(name, ("python3", "-c", program, bench.member.address))
    seen = json.loads(ran.stdout)
    assert [v for n, v in seen if n == "x-forwarded-for"] == ["9.9.9.9", address]
    assert ["x-request-id", "t1"] in seen


def test_outside_can_not_be_reached_from_a_stack(bench):
    """The outside routes are on the edge's own address only, not on a stack's."""
    name, _ = bench.caller("prober")
    probe = f"import socket;socket.create_connection(('{bench.member.address}', 80), timeout=5)"
    ran = bench.engine.run(name, ("python3", "-c", probe))
    assert "ConnectionRefused" in ran.stderr


def test_tcp(bench):
    """A TCP route carries bytes; without a live release the connection is closed."""
    echo = (
        "import socketserver as s\n"
        "class H(s.StreamRequestHandler):\n"
        "    def handle(self):\n"
        "        self.wfile.write(b'raw ' + self.rfile.readline())\n"
        "s.ThreadingTCPServer(('', 7000), H).serve_forever()\n"
    )
    with socket.create_connection(("127.0.0.1", bench.host.tcp[0]), timeout=10) as connection:
        assert connection.recv(10) == b""
    address = bench.run("raw", ("python3", "-c", echo))
    from tests.engine.edge_bench import wait_port

    wait_port(address, 7000)
    bench.edge.change(
        lambda t: t.offer("shop/raw", "blue", [address], "r").switch({"shop/raw": "blue"})
    )
    with socket.create_connection(("127.0.0.1", bench.host.tcp[0]), timeout=10) as connection:
        connection.sendall(b"hello\n")
        assert connection.makefile("rb").readline() == b"raw hello\n"


def test_preview_carries_method_body_and_host(bench):
    """A request to a colour that is not live carries what it was given, by either way."""
    from containerdeploy.edge.haproxy.ways import ExecWay

    way = ExecWay(bench.engine, bench.host.edge)
    body = bytes(range(256)) * 40
    for edge in (bench.edge, HAProxyEdge(bench.host, bench.engine, way=way)):
        answer = edge.request("shop/api", "green", "POST", "/x", body=body)
        assert answer.status == 200
        assert answer.body == body
        assert answer.headers["x-release"] == "green"
        seen = json.loads(
            edge.request(
                "shop/echo", "blue", "GET", "/", host="a.test", headers={"X-Own": "1"}
            ).body
        )
        assert ["host", "a.test"] in seen
        assert ["x-own", "1"] in seen
        assert not [name for name, _ in seen if "cdeploy" in name]
