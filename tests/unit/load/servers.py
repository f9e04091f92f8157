"""Servers for the load generator's own tests: one that is good, and many that are not."""

from __future__ import annotations

import os
import socket
import socketserver
import struct
import subprocess
import sys
import threading
from contextlib import contextmanager
from pathlib import Path

from tests.load import app


@contextmanager
def app_process(release):
    """The load's own app, as a process; yields it and its port."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    process = subprocess.Popen(
        (sys.executable, "-u", str(Path(app.__file__))),
        env={**os.environ, "RELEASE": release, "PORT": str(port)},
        stdout=subprocess.PIPE,
    )
    try:
        assert process.stdout.readline() == f"release {release} serves\n".encode()
        yield process, port
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


class Handler(socketserver.StreamRequestHandler):
    """Reads requests; every tenth goes wrong in the server's own way."""

    def handle(self):
        try:
            while self.one():
                pass
        except ConnectionError:
            return

    def one(self):
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            line = self.rfile.readline()
            if not line:
                return False
            head += line
        path = head.split(b" ")[1]
        length = next(
            (int(h.split(b":")[1]) for h in head.split(b"\r\n") if h.startswith(b"Content-Length")),
            0,
        )
        body = self.rfile.read(length) if length else path
        if self.server.turn():
            return getattr(self, self.server.fault)(body)
        return self.answer(body)

    def answer(self, body, status=b"200 OK", release=b"good", more=b""):
        self.wfile.write(
            b"HTTP/1.1 %s\r\nX-Release: %s\r\nContent-Length: %d\r\n%s\r\n%s"
            % (status, release, len(body), more, body)
        )
        return True

    def closes(self, body):
        return False

    def resets(self, body):
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.rfile.close()
        self.wfile.close()
        self.connection.close()
        return False

    def errs(self, body):
        return self.answer(body, b"500 Internal Server Error")

    def refuses(self, body):
        return self.answer(body, b"404 Not Found")

    def hangs(self, body):
        self.server.ended.wait(30)
        return False

    def cuts(self, body):
        self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")
        return False

    def mixes(self, body):
        return self.answer(b"/of-somebody-else")

    def babbles(self, body):
        self.wfile.write(b"220 mail.example ESMTP\r\n\r\n")
        return False

    def closes_idle(self, body):
        """Answers, and closes the connection without having said so."""
        self.answer(body)
        return False

    def says_close(self, body):
        self.answer(body, more=b"Connection: close\r\n")
        return False


class Server(socketserver.ThreadingTCPServer):
    """Faulty in one way, for every tenth request."""

    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = 64

    def __init__(self, fault):
        super().__init__(("127.0.0.1", 0), Handler)
        self.fault = fault
        self.ended = threading.Event()
        self.faults = 0
        self._count = 0
        self._lock = threading.Lock()

    def handle_error(self, request, client_address):
        """A connection that was broken on purpose is no news."""

    def turn(self):
        with self._lock:
            self._count += 1
            wrong = self._count % 10 == 0
            self.faults += wrong
            return wrong


@contextmanager
def faulty(fault):
    """A server that is faulty in this way; its `faults` counts how often it was."""
    server = Server(fault)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield server
    finally:
        server.ended.set()
        server.shutdown()
        thread.join()
        server.server_close()
