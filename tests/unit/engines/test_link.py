"""The way to the engine: agreed version, one pool, deadlines, and errors with a cure."""

from __future__ import annotations

import json
import socket
import socketserver
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler
from typing import TYPE_CHECKING, Any, ClassVar

import pytest
from docker.errors import APIError
from docker.tls import TLSConfig

from containerdeploy.engines import ssh
from containerdeploy.engines.address import Address
from containerdeploy.engines.docker import DockerEngine
from containerdeploy.engines.failures import EngineSilentError, shown, translated
from containerdeploy.engines.link import Link
from containerdeploy.errors import EngineError, HostNotReady, NotFound, StepTimeout

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


RELAY = """
import os, socket, threading
engine = socket.socket(socket.AF_UNIX)
engine.connect(PATH)
def up():
    while data := os.read(0, 65536):
        engine.sendall(data)
    engine.shutdown(socket.SHUT_WR)
threading.Thread(target=up, daemon=True).start()
try:
    while data := engine.recv(65536):
        os.write(1, data)
except BrokenPipeError:
    pass
os._exit(0)
"""
"""What `docker system dial-stdio` does."""


class Handler(BaseHTTPRequestHandler):
    """An engine with a few paths. What `GET` answers hangs on the container's name."""

    protocol_version = "HTTP/1.1"
    version_offered: ClassVar[str] = "1.41"
    silence: ClassVar[threading.Event] = threading.Event()
    paths: ClassVar[list[str]] = []
    connections: ClassVar[int] = 0
    closed: ClassVar[threading.Semaphore] = threading.Semaphore(0)

    def setup(self) -> None:
        super().setup()
        type(self).connections += 1

    def address_string(self) -> str:
        return "test"

    def log_message(self, *args: Any) -> None: ...

    def do_GET(self) -> None:
        self.paths.append(self.path)
        if "/silent" in self.path:
            self.silence.wait(10)
        if "/half/" in self.path:
            self.wfile.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n10\r\nhalf")
            self.wfile.flush()
            self.silence.wait(10)
            self.close_connection = True
            return
        status, body = 200, b'{"Running": false, "ExitCode": 3}'
        if "/missing/" in self.path:
            status, body = 404, json.dumps({"message": "No such thing"}).encode()
        if "/refused/" in self.path:
            status, body = 500, json.dumps({"message": "no space left on device"}).encode()
        if "/html/" in self.path:
            body = b"<html>"
        if "/broken/" in self.path:
            self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")
            self.close_connection = True
            return
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        if self.version_offered:
            self.send_header("Api-Version", self.version_offered)
        if "/last/" in self.path:
            self.close_connection = True  # closed without saying so, as a killed engine does
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        if "/silent" in self.path:
            self.silence.wait(10)
        if self.path.endswith("/start"):
            frame = b"\1\0\0\0\0\0\0\5hello"
            upgraded = b"HTTP/1.1 101 UPGRADED\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n"
            self.wfile.write(upgraded + frame)  # in one packet
            self.wfile.flush()
            if "talks" in self.path:
                said = self.rfile.read()  # until the other end has nothing more to say
                self.wfile.write(b"\2\0\0\0" + len(said).to_bytes(4, "big") + said)
            self.close_connection = True
            return
        body = json.dumps({"Id": self.path.split("/")[3]}).encode()  # /v1.41/containers/NAME/exec
        self.send_response(201)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


class Server(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = True
    request_queue_size = 64

    def shutdown_request(self, request: Any) -> None:
        super().shutdown_request(request)
        self.RequestHandlerClass.closed.release()  # type: ignore[attr-defined]


@pytest.fixture
def handler() -> type[Handler]:
    own = {"silence": threading.Event(), "paths": [], "closed": threading.Semaphore(0)}
    return type("One", (Handler,), own)


@pytest.fixture
def where(handler: type[Handler], tmp_path: Path) -> Iterator[Address]:
    """The address of the engine that the test is."""
    with Server(str(tmp_path / "s"), handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield Address(f"unix://{tmp_path}/s")
        handler.silence.set()
        server.shutdown()
        thread.join()


@pytest.fixture
def link(where: Address) -> Iterator[Link]:
    link = Link(where)
    yield link
    link.close()


@pytest.fixture
def engine(where: Address) -> Iterator[DockerEngine]:
    engine = DockerEngine(where)
    yield engine
    engine.close()


def inspect(link: Link, name: str, **more: float) -> Any:
    with link.asking(**more) as api:
        return api.inspect_container(name)


def test_the_version_is_agreed_on_once(link: Link, handler: type[Handler]) -> None:
    """The first call asks for the version; making the link opens nothing."""
    assert handler.connections == 0
    inspect(link, "a")
    inspect(link, "b")
    assert handler.paths == ["/_ping", "/v1.41/containers/a/json", "/v1.41/containers/b/json"]


@pytest.mark.parametrize(("offered", "used"), [("1.44", "v1.44"), ("1.99", "v1.47")])
def test_a_newer_engine(link: Link, handler: type[Handler], offered: str, used: str) -> None:
    """The newest version that both sides know is spoken: the newest engines refuse 1.41."""
    handler.version_offered = offered
    inspect(link, "a")
    assert handler.paths == ["/_ping", f"/{used}/containers/a/json"]


@pytest.mark.parametrize(("offered", "words"), [("1.24", "older than 1.41"), ("", "not a Docker")])
def test_what_is_no_engine(link: Link, handler: type[Handler], offered: str, words: str) -> None:
    """An engine that is too old, or something else, is `HostNotReady`."""
    handler.version_offered = offered
    with pytest.raises(HostNotReady, match=words):
        inspect(link, "a")


def test_all_urls_share_their_connections(link: Link, handler: type[Handler]) -> None:
    """docker-py alone would open one for each URL, and close pools of more than 25 in use."""
    for n in range(40):
        inspect(link, f"c{n}")
    assert handler.connections == 2  # that of the greeting, and one
    with ThreadPoolExecutor(32) as pool:
        list(pool.map(lambda n: inspect(link, f"t{n}"), range(400)))
    assert handler.connections <= 2 + 32


def test_statuses_become_errors(link: Link) -> None:
    """404 is `NotFound`, others are `EngineError`, both with the engine's words; a caller can
    catch docker-py's own error inside the block."""
    with pytest.raises(NotFound, match="No such thing"):
        inspect(link, "missing")
    with pytest.raises(EngineError, match="no space left on device"):
        inspect(link, "refused")
    with pytest.raises(EngineError, match="not JSON"):
        inspect(link, "html")
    with link.asking() as api, pytest.raises(APIError):
        api.inspect_container("missing")


def test_a_silent_engine(link: Link) -> None:
    """A call that gets no answer ends at its deadline, and says what it was; the next one has
    its own."""
    with pytest.raises(EngineSilentError, match=r"silent for 0\.1 s during GET /v1.41/.*silent"):
        inspect(link, "silent", timeout=0.1)
    inspect(link, "a")


def test_an_engine_that_falls_silent_in_an_answer(engine: DockerEngine, link: Link) -> None:
    """Half an answer has its deadline too, where docker-py would wait without end."""
    with (
        pytest.raises(EngineSilentError, match=r"silent for 0\.1 s"),
        link.asking(timeout=0.1) as api,
        api.opened("GET", "/containers/{}/archive", "half") as response,
    ):
        response.raw.read(10)


def test_an_answer_that_breaks_off(link: Link, engine: DockerEngine, handler: Any) -> None:
    """Half an answer is an error, never a short answer or the end of a log."""
    with pytest.raises(EngineError, match="broke"):
        inspect(link, "broken")
    handler.silence.set()
    with pytest.raises(EngineError, match="broke"):
        list(engine.logs("half"))


def test_a_connection_that_was_closed_while_idle(link: Link, handler: type[Handler]) -> None:
    """It is not used again: the next call opens another and succeeds."""
    inspect(link, "last")
    for _ in ("the greeting's", "the one of the call"):
        assert handler.closed.acquire(timeout=10)
    inspect(link, "a")
    assert handler.connections == 3


def test_what_arrives_with_the_head_of_a_command(engine: DockerEngine) -> None:
    """Output in the same packet as the answer's head is not lost."""
    assert engine.run("quiet", ("x",)).stdout == "hello"


def test_the_input_of_a_command_ends(engine: DockerEngine) -> None:
    """The command sees the end of its input, and its output is read after that."""
    ran = engine.run("talks", ("x",), stdin=b"tell me" * 100_000)
    assert (ran.exit_code, ran.stdout, ran.stderr) == (3, "hello", "tell me" * 100_000)


def test_a_command_that_says_nothing_more(engine: DockerEngine) -> None:
    """The deadline is that of the command."""
    with pytest.raises(StepTimeout, match=r"took more than 0\.2 s"):
        engine.run("talks", ("x",), timeout=0.2)


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
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
        with pytest.raises(HostNotReady, match="Connection refused"):
            DockerEngine(Address(f"tcp://127.0.0.1:{port}")).info()


def test_an_address_that_cannot_be_used() -> None:
    """What docker-py refuses is told, with where addresses come from."""
    with pytest.raises(HostNotReady, match="odd://x") as caught:
        DockerEngine(Address("odd://x")).info()
    assert "DOCKER_HOST" in caught.value.hint


def test_the_engine_over_ssh(
    where: Address, handler: type[Handler], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Deadlines, the end of a command's input, and the close of a log hold there too."""
    program = tmp_path / "bin" / "ssh"
    program.parent.mkdir()
    path = where.url.removeprefix("unix://")
    program.write_text(f"#!{sys.executable}\nPATH = {path!r}\n{RELAY}")
    program.chmod(0o700)
    monkeypatch.setenv("PATH", str(program.parent), prepend=":")
    engine = DockerEngine(Address("ssh://me@host:2222"))
    ran = engine.run("talks", ("x",), stdin=b"tell me" * 10_000)
    assert (ran.exit_code, ran.stdout, ran.stderr) == (3, "hello", "tell me" * 10_000)
    with pytest.raises(StepTimeout):
        engine.wait("silent", timeout=0.2)
    stream = engine.logs("half", follow=True)
    closer = threading.Timer(0.2, stream.close)  # type: ignore[attr-defined]
    closer.start()
    assert list(stream) == []
    closer.join()
    engine.close()
    handler.silence.set()
    for process in ssh._dialled:  # closing the connections has ended them
        process.wait(10)


def test_how_ssh_is_called() -> None:
    """User and port are options of ssh, and it never asks for a password."""
    command = ssh.arguments("ssh://me@host:2222")
    assert command[-4:] == ["host", "docker", "system", "dial-stdio"]
    assert command[command.index("-l") + 1] == "me"
    assert command[command.index("-p") + 1] == "2222"
    assert "BatchMode=yes" in command


def test_no_input_over_tls() -> None:
    """It is refused before anything is run, since the command would wait for its end."""
    engine = DockerEngine(Address("tcp://127.0.0.1:1", TLSConfig()))
    with pytest.raises(EngineError, match="can't be given input over TLS"):
        engine.run("web", ("cat",), stdin=b"x")


def test_a_socket_that_is_not_ours() -> None:
    """Without permission, the hint names the group docker."""
    with (
        pytest.raises(HostNotReady, match="may not talk") as caught,
        translated(Address("unix:///run/x"), 1.0),
    ):
        raise PermissionError(13, "Permission denied")
    assert "group docker" in caught.value.hint


def test_containers_in_messages() -> None:
    """Ids are cut as docker cuts them, names stay."""
    assert shown("a" * 64) == "a" * 12
    assert shown("shop-web-1") == "shop-web-1"
