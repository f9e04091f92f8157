"""One function: it greets whoever asks."""

import contextlib
import os
import signal
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

GREETING = os.environ.get("GREETING", "Hello")


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"  # connections are kept alive

    def handle(self) -> None:
        with contextlib.suppress(ConnectionError):  # a caller that is gone is no error of ours
            super().handle()

    def do_GET(self) -> None:
        if self.path == "/healthz":
            self.answer(200, "ok\n")
        elif self.path == "/":
            self.answer(200, f"{GREETING} from @NAME@\n")
        else:
            self.answer(404, "not found\n")

    def answer(self, status: int, text: str) -> None:
        body = text.encode()
        self.send_response(status)
        self.send_header("Content-Type", "text/plain; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


class Server(ThreadingHTTPServer):
    daemon_threads = True  # an idle connection does not keep the process from ending
    request_queue_size = 128


def main() -> None:
    server = Server(("", 8000), Handler)

    def stop(signum: int, frame: object) -> None:
        # shutdown() waits for serve_forever(), which this signal has interrupted.
        threading.Thread(target=server.shutdown).start()

    signal.signal(signal.SIGTERM, stop)
    print("listening on 8000")
    server.serve_forever(poll_interval=0.1)


if __name__ == "__main__":
    main()
