"""A function for tests that deploy: says what it is and sees, and breaks on demand.

Only Python's standard library. MODE breaks it on purpose: "crash" exits at start,
"sick" is never healthy, "elsewhere" listens on another port, "hungry" takes more
memory than any limit.
"""

# It speaks by printing.
# ruff: noqa: T201

import json
import os
import signal
import sys
import threading
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

VERSION = os.environ.get("VERSION", "0")
MODE = os.environ.get("MODE", "")


def ask(host, port, path):
    """A GET: (status, text), or (0, why it could not be done)."""
    connection = HTTPConnection(host, port, timeout=10)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    except OSError as error:
        return 0, repr(error)
    finally:
        connection.close()


class Function(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        url = urlsplit(self.path)
        query = {name: values[0] for name, values in parse_qs(url.query).items()}
        getattr(self, "say_" + url.path.strip("/").partition("/")[0], self.say_)(**query)

    def do_POST(self):
        """The body comes when the client likes; only then is the other function asked."""
        print(f"POST {self.path} begins", flush=True)
        self.rfile.read(int(self.headers["Content-Length"]))
        self.do_GET()

    def say_(self, **_):
        self.answer(200, VERSION)

    def say_healthz(self):
        self.answer(500 if MODE == "sick" else 200, "sick\n" if MODE == "sick" else "well\n")

    def say_headers(self):
        self.answer(200, json.dumps({k.lower(): v for k, v in self.headers.items()}))

    def say_both(self, **_):
        """Its own version and that of the api, as this container reaches it."""
        status, text = ask("api", 8000, "/")
        same = "same" if text == VERSION else "mixed"
        self.answer(200, f"web {VERSION} api {text if status == 200 else status} {same}")

    def say_reach(self, host, port):
        self.answer(200, json.dumps(ask(host, int(port), "/")))

    def say_file(self, path):
        self.answer(200, Path(path).read_text())

    def say_env(self, name):
        self.answer(200, os.environ.get(name, ""))

    def say_write(self, path):
        try:
            Path(path).write_text("written")
        except OSError as error:
            self.answer(200, error.strerror)
        else:
            self.answer(200, "written")

    def answer(self, status, text):
        body = text.encode()
        self.send_response(status)
        self.send_header("Content-Type", "text/plain")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        """Requests are not what a test looks for in a log."""


def main():
    print(f"version {VERSION} begins", flush=True)
    if MODE == "crash":
        print("cannot start: no such ledger", file=sys.stderr, flush=True)
        return 3
    if MODE == "hungry":
        print("taking all there is", flush=True)
        kept = []
        while True:
            kept.append(b"x" * 2**20)
    port = int(os.environ.get("PORT", "8000")) + (MODE == "elsewhere")
    server = ThreadingHTTPServer(("", port), Function)
    # shutdown() waits for serve_forever, which runs in this very thread.
    signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=server.shutdown).start())
    server.serve_forever()
    return 0


if __name__ == "__main__":
    sys.exit(main())
