"""A real edge, a stack's network behind it, and small HTTP functions to route to."""

from __future__ import annotations

import json
import socket
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from containerdeploy.addresses import edge_address, free_subnet, gateway_of
from containerdeploy.edge.haproxy.driver import HAProxyEdge
from containerdeploy.edge.pod import ensure_edge, join_network
from containerdeploy.edge.table import Member, Table
from containerdeploy.engines.base import ContainerSpec, Mount
from containerdeploy.events import quiet
from tests.engine.isolation import isolated_host

if TYPE_CHECKING:
    from collections.abc import Iterator

    from containerdeploy.edge.haproxy.ways import Way
    from containerdeploy.engines.base import Engine
    from containerdeploy.host import Host

APP = Path(__file__).parents[1] / "load" / "app.py"

ECHO = """
import http.server, json
class H(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        body = json.dumps([[k.lower(), v] for k, v in self.headers.items()]).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *a):
        pass
http.server.ThreadingHTTPServer(("", 8000), H).serve_forever()
"""

ASK = """
import http.client, sys
c = http.client.HTTPConnection(sys.argv[1], int(sys.argv[2]), timeout=10)
c.request("GET", "/", headers={"Host": sys.argv[3]})
r = c.getresponse()
print(r.status, r.getheader("X-Release"), r.read().decode())
"""


@dataclass
class EdgeBench:
    """What a test of the real edge works with."""

    engine: Engine
    host: Host
    image: str
    python: str
    edge: HAProxyEdge
    member: Member
    _next: int = field(default=16)

    def run(self, name: str, argv: tuple[str, ...], *, env: dict[str, str] | None = None) -> str:
        """Start a container in the stack's network; its address."""
        address = self.member.address.rsplit(".", 1)[0] + f".{self._next}"
        self._next += 1
        spec = ContainerSpec(
            name=f"{self.host.instance}-{name}",
            image=self.python,
            network=self.member.network,
            labels={"cdeploy.instance": self.host.instance, "cdeploy.role": "service"},
            address=address,
            command=argv,
            env=tuple((env or {}).items()),
            mounts=(Mount("bind", str(APP), "/app.py", read_only=True),),
            user="10001",
            init=True,
        )
        self.engine.create(spec)
        self.engine.start(spec.name)
        return address

    def serve(self, release: str, *, port: int = 8000) -> str:
        """A function that says its release; its address, once it answers."""
        env = {"RELEASE": release, "PORT": str(port)}
        address = self.run(f"app-{release}", ("python3", "-u", "/app.py"), env=env)
        wait_port(address, port)
        return address

    def echo(self) -> str:
        """A function that answers with the headers that it got; its address."""
        address = self.run("echo", ("python3", "-c", ECHO))
        wait_port(address, 8000)
        return address

    def caller(self, name: str) -> tuple[str, str]:
        """A container that only sleeps: its name and its address."""
        address = self.run(name, ("sleep", "600"))
        return f"{self.host.instance}-{name}", address

    def ask_from(self, caller: str, host: str, *, port: int = 8000) -> tuple[int, str, str]:
        """An inside request through the edge: status, release, body."""
        argv = ("python3", "-c", ASK, self.member.address, str(port), host)
        ran = self.engine.run(caller, argv)
        assert ran.exit_code == 0, ran.stderr
        status, release, body = ran.stdout.strip().split(" ", 2)
        return int(status), release, body

    def get(
        self, host: str, path: str = "/", *, headers: dict[str, str] | None = None
    ) -> tuple[int, dict[str, str], bytes]:
        """An outside request through the published port."""
        import http.client

        connection = http.client.HTTPConnection("127.0.0.1", self.host.http, timeout=10)
        try:
            connection.request("GET", path, headers={"Host": host, **(headers or {})})
            answer = connection.getresponse()
            fields = {name.lower(): value for name, value in answer.getheaders()}
            return answer.status, fields, answer.read()
        finally:
            connection.close()

    def headers_seen(self, host: str, headers: dict[str, str]) -> list[tuple[str, str]]:
        """What the function behind `host` gets of these headers."""
        status, _, body = self.get(host, headers=headers)
        assert status == 200, body
        return [(name, value) for name, value in json.loads(body)]

    def emptied(self) -> None:
        """The edge with an empty table again."""
        self.edge.change(lambda table: Table())


def wait_port(address: str, port: int) -> None:
    """Until a container listens."""
    deadline = time.monotonic() + 20
    while True:
        try:
            socket.create_connection((address, port), timeout=1).close()
        except OSError:
            assert time.monotonic() < deadline, f"{address}:{port} does not listen"
            time.sleep(0.02)
        else:
            return


@contextmanager
def edge_bench(
    engine: Engine, image: str, python_image: str, *, way: Way | None = None
) -> Iterator[EdgeBench]:
    """An edge with one stack's network; all of it is removed at the end."""
    with isolated_host(engine) as host:
        ensure_edge(engine, host, image, quiet)
        subnet = free_subnet(host.pool, engine.all_subnets(), 24)
        network = host.stack_network("shop")
        labels = {"cdeploy.instance": host.instance, "cdeploy.stack": "shop"}
        engine.create_network(network, subnet=subnet, gateway=gateway_of(subnet), labels=labels)
        member = Member(network, subnet, edge_address(subnet))
        join_network(engine, host, member)
        python = engine.image(python_image)
        assert python is not None
        edge = HAProxyEdge(host, engine, way=way)
        yield EdgeBench(engine, host, image, python.id, edge, member)
