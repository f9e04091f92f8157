"""One function: says hello, and from which container."""

import contextlib
import signal
import socket
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

GREETING = "Hello"


class Hello(BaseHTTPRequestHandler):
    """Answers every GET with one line; connections are kept alive."""

    protocol_version = "HTTP/1.1"

    def handle(self):
        # A caller that is gone is no error of ours; the default prints a traceback.
        with contextlib.suppress(ConnectionError):
            super().handle()

    def do_GET(self):
        body = f"{GREETING} from {socket.gethostname()}\n".encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/plain; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def main():
    server = ThreadingHTTPServer(("", 8000), Hello)
    # shutdown() waits for serve_forever, which runs in this very thread.
    stop = threading.Thread(target=server.shutdown)
    signal.signal(signal.SIGTERM, lambda *_: stop.start())
    server.serve_forever()


if __name__ == "__main__":
    main()
