"""One HTTP request, against real servers on this machine."""

from __future__ import annotations

import socket
import threading
from contextlib import closing, contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from containerdeploy.check import CannotObserve
from containerdeploy.checks import web
from containerdeploy.checks.web import fetch


class Handler(BaseHTTPRequestHandler):
    """Answers with what it was asked."""

    def do_POST(self):
        """Say host, one header and body."""
        body = self.rfile.read(int(self.headers["content-length"] or 0))
        text = f"{self.headers['host']} {self.headers['x-a']} {body.decode()}".encode()
        self.send_response(201)
        self.send_header("X-B", "2")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def do_GET(self):
        """Redirect to nowhere."""
        self.send_response(302)
        self.send_header("Location", "http://192.0.2.1/")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *args):
        """Say nothing."""


@pytest.fixture
def server():
    """A server's URL."""
    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def ask(url, method="GET", *, headers=None, body=None, timeout=5.0):
    """One request."""
    return fetch(method, url, headers=headers or {}, body=body, timeout=timeout)


def test_what_is_sent_and_what_comes_back(server):
    """Host, headers and body arrive; status, lower-case headers and body come back."""
    answer = ask(f"{server}/x", "POST", headers={"host": "shop", "X-A": "1"}, body=b"hi")
    assert answer.status == 201
    assert answer.body == b"shop 1 hi"
    assert answer.headers["x-b"] == "2"


def test_a_redirect_is_an_answer(server, monkeypatch):
    """It is not followed, and a proxy of the environment is not used."""
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    assert ask(f"{server}/").status == 302


def test_an_answer_without_end_is_cut(server, monkeypatch):
    """A body larger than the bound is an error."""
    monkeypatch.setattr(web, "MAX_BODY", 3)
    with pytest.raises(CannotObserve, match="larger than 3 bytes"):
        ask(server, "POST", body=b"1234")


def test_nobody_listens():
    """The address is named."""
    with closing(socket.socket()) as one:
        one.bind(("127.0.0.1", 0))
        port = one.getsockname()[1]
    with pytest.raises(CannotObserve, match=f"nobody answers at http://127.0.0.1:{port}"):
        ask(f"http://127.0.0.1:{port}/")


@contextmanager
def talking(words):
    """A server that says these bytes to its caller, and then nothing until the caller is gone."""

    def serve():
        connection, _ = listener.accept()
        with connection:
            connection.sendall(words)
            while connection.recv(4096):
                pass

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve)
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/"
        thread.join()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (b"", "no answer from"),
        (b"220 smtp.example.com\r\n\r\n", "no HTTP answer"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nab", "no answer from"),
    ],
)
def test_silence_and_other_protocols_are_errors(words, message):
    """A server that hangs, speaks something else, or stops halfway was not observed."""
    with talking(words) as url, pytest.raises(CannotObserve, match=message):
        ask(url, timeout=0.2)
