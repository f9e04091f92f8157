"""What is given on the command line: stacks, times, and the question to the edge."""

from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from containerdeploy.cli import target, times
from containerdeploy.cli.answer import ask
from containerdeploy.cli.init import name_of
from containerdeploy.errors import BadInput
from containerdeploy.host import Host


@pytest.mark.parametrize(
    ("given", "seconds"), [("", 0.0), ("30s", 30.0), ("5m", 300.0), ("90", 90.0), ("1m30s", 90.0)]
)
def test_times_are_read(given, seconds):
    """A span as in stack.toml, or a number of seconds."""
    assert times.seconds(given, "--wait") == seconds


@pytest.mark.parametrize("given", ["soon", "-5", "5 minutes", "nan", "1e3"])
def test_wrong_times_name_the_option(given):
    """What is no time is refused, with the option's name."""
    with pytest.raises(BadInput, match="--wait"):
        times.seconds(given, "--wait")
    with pytest.raises(BadInput, match="--since"):
        times.moment(given, "--since", 0.0)


def test_moments_are_ago_or_a_date():
    """`10m` is ten minutes ago; a date with a time zone is that moment."""
    assert times.moment("10m", "--since", 1000.0) == 400.0
    assert times.moment("1970-01-01T00:01:00+00:00", "--since", 0.0) == 60.0
    assert times.moment("", "--since", 1000.0) == 0.0


def test_a_stack_is_meant_by_name_file_or_folder(stack):
    """A name is taken as it is; a file or folder is read, even when the rest of it is wrong."""
    (stack / "stack.toml").write_text('[stack]\nname = "shop"\n[service.web]\nwrong = 1\n')
    assert target.stack_name("other", {}) == "other"
    assert target.stack_name("./stack.toml", {}) == "shop"
    assert target.stack_name(str(stack), {}) == "shop"
    assert target.stack_name("", {}) == "shop"


def test_a_name_with_a_variable_is_filled(stack):
    """A stack's name may come from the environment."""
    (stack / "stack.toml").write_text('[stack]\nname = "${WHO}"\n[service.web]\nimage = "x"\n')
    assert target.stack_name("", {"WHO": "mine"}) == "mine"
    with pytest.raises(BadInput):
        target.stack_name("", {})


@pytest.mark.parametrize(
    ("folder", "name"), [("/a/My First_App", "my-first-app"), ("/a/2048", "app"), ("/a/9 b", "b")]
)
def test_a_folder_gives_a_name(folder, name):
    """`init` makes a stack's name of the folder's."""
    assert name_of(Path(folder)) == name


class _Echo(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        body = f"{self.headers['Host']} {self.path}".encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def host_at(port: int, tmp_path: Path) -> Host:
    return Host(file=tmp_path / "host.toml", state=tmp_path, bind="0.0.0.0", http=port)


def test_the_edge_is_asked_without_dns(tmp_path):
    """The connection goes to the edge's address, the URL's name into the Host header."""
    server = HTTPServer(("127.0.0.1", 0), _Echo)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        host = host_at(server.server_port, tmp_path)
        answer = ask(host, host.url("shop.invalid", "/a"))
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
    assert answer["status"] == 200
    assert answer["body"] == f"shop.invalid:{server.server_port} /a"
    assert f"http://127.0.0.1:{server.server_port}/a" in answer["again"]


def test_no_answer_is_said_not_raised(tmp_path):
    """Where nobody answers, the reason is part of the answer."""
    with HTTPServer(("127.0.0.1", 0), _Echo) as server:
        port = server.server_port
    answer = ask(host_at(port, tmp_path), f"http://shop.invalid:{port}/")
    assert "refused" in answer["error"]
