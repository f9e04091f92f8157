"""The transport to the engine: pooled connections, deadlines, and errors with a cure."""

from __future__ import annotations

import json
import socket
import socketserver
import threading
from http.server import BaseHTTPRequestHandler
from typing import TYPE_CHECKING, Any, ClassVar

import pytest

from containerdeploy.engines.address import Address
from containerdeploy.engines.docker import DockerEngine
from containerdeploy.engines.wire import EngineSilentError, Wire, shown
from containerdeploy.errors import EngineError, HostNotReady, NotFound

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class Handler(BaseHTTPRequestHandler):
    """An engine with a few paths."""

    protocol_version = "HTTP/1.1"
    version_offered: ClassVar[str] = "1.41"
    silence: ClassVar[threading.Event] = threading.Event()
    paths: ClassVar[list[str]] = []
    connections: ClassVar[int] = 0

    def setup(self) -> None:
        super().setup()
        type(self).connections += 1

    def address_string(self) -> str:
        return "test"

    def log_message(self, *args: Any) -> None: ...

    def do_GET(self) -> None:
        self.paths.append(self.path)
        if self.path.endswith("/silent"):
            self.silence.wait(10)
        status, body = 200, b'{"ok": true}'
        if self.path.endswith("/missing"):
            status, body = 404, json.dumps({"message": "No such thing"}).encode()
        if self.path.endswith("/refused"):
            status, body = 500, json.dumps({"message": "no space left on device"}).encode()
        if self.path.endswith("/html"):
            body = b"<html>"
        if self.path.endswith("/broken"):
            self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")
            self.close_connection = True
            return
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        if self.version_offered:
            self.send_header("Api-Version", self.version_offered)
        if self.path.endswith("/last"):
            self.close_connection = True  # closed without saying so, as a killed engine does
        self.end_headers()
        self.wfile.write(body)


class Server(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = True


@pytest.fixture
def handler() -> type[Handler]:
    return type("One", (Handler,), {"silence": threading.Event(), "paths": [], "connections": 0})


@pytest.fixture
def wire(handler: type[Handler], tmp_path: Path) -> Iterator[Wire]:
    with Server(str(tmp_path / "s"), handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        wire = Wire(Address(f"unix://{tmp_path}/s"))
        yield wire
        handler.silence.set()
        wire.close()
        server.shutdown()
        thread.join()


def test_the_version_is_negotiated_once(wire: Wire, handler: type[Handler]) -> None:
    """The first call asks for the version; all calls share it and one idle connection."""
    assert wire.call("GET", "/a").json() == {"ok": True}
    wire.call("GET", "/b", query={"x": "1", "f": {"k": ["v"]}, "n": None, "l": ["p", "q"]})
    assert handler.paths[:2] == ["/_ping", "/v1.41/a"]
    assert handler.paths[2] == "/v1.41/b?x=1&f=%7B%22k%22%3A+%5B%22v%22%5D%7D&l=p&l=q"
    assert handler.connections == 1


@pytest.mark.parametrize(("offered", "used"), [("1.44", "/v1.44/a"), ("1.99", "/v1.47/a")])
def test_a_newer_engine(wire: Wire, handler: type[Handler], offered: str, used: str) -> None:
    """The newest version that both sides know is spoken."""
    handler.version_offered = offered
    wire.call("GET", "/a")
    assert used in handler.paths


@pytest.mark.parametrize(("offered", "words"), [("1.24", "older than 1.41"), ("", "not a Docker")])
def test_what_is_no_engine(wire: Wire, handler: type[Handler], offered: str, words: str) -> None:
    """An engine that is too old, or something else, is `HostNotReady`."""
    handler.version_offered = offered
    with pytest.raises(HostNotReady, match=words):
        wire.call("GET", "/a")


def test_statuses_become_errors(wire: Wire) -> None:
    """404 is `NotFound`, others are `EngineError`, both with the engine's words."""
    with pytest.raises(NotFound, match="No such thing"):
        wire.call("GET", "/missing")
    with pytest.raises(EngineError, match="no space left on device"):
        wire.call("GET", "/refused")
    assert wire.call("GET", "/missing", allow=(404,)).words == "No such thing"
    with pytest.raises(EngineError, match="not JSON"):
        wire.call("GET", "/html").json()


def test_a_silent_engine(wire: Wire) -> None:
    """A call that gets no answer ends at its deadline, and says what it was."""
    with pytest.raises(EngineSilentError, match=r"silent for 0\.1 s during GET /silent"):
        wire.call("GET", "/silent", timeout=0.1)


def test_an_answer_that_breaks_off(wire: Wire) -> None:
    """Half an answer is an error, never a short answer."""
    with pytest.raises(EngineError, match="broke"):
        wire.call("GET", "/broken")


def test_a_connection_that_was_closed_while_idle(wire: Wire, handler: type[Handler]) -> None:
    """It is not used again: the next call opens another and succeeds."""
    wire.call("GET", "/last")
    while True:  # the server closes it a moment after its answer
        (connection,) = wire._idle
        if connection.stale:
            break
    assert wire.call("GET", "/a").status == 200
    assert handler.connections == 2


def test_no_engine(tmp_path: Path) -> None:
    """A missing socket and one that nobody listens to name the address and `bootstrap`."""
    engine = DockerEngine(Address(f"unix://{tmp_path}/none"))
    with pytest.raises(
        HostNotReady, match=f"no container engine answers at unix://{tmp_path}"
    ) as e:
        engine.info()
    assert "cdeploy bootstrap" in e.value.hint
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(tmp_path / "left"))
    with pytest.raises(HostNotReady, match="Connection refused"):
        DockerEngine(Address(f"unix://{tmp_path}/left")).info()


def test_a_socket_that_is_not_ours(tmp_path: Path) -> None:
    """Without permission, the hint names the group docker."""
    from containerdeploy.engines.wire import translated

    address = Address("unix:///run/x")
    with (
        pytest.raises(HostNotReady, match="may not talk") as caught,
        translated(address, "GET", "/", 1.0),
    ):
        raise PermissionError(13, "Permission denied")
    assert "group docker" in caught.value.hint


def test_containers_in_messages() -> None:
    """Ids are cut as docker cuts them, names stay."""
    assert shown("a" * 64) == "a" * 12
    assert shown("shop-web-1") == "shop-web-1"
