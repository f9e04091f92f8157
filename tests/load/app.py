"""The function under load: echoes over HTTP/1.1 and WebSocket, and says which release it is.

Only Python's standard library, so that its image is python3 and this file. On
SIGTERM it takes no new connection, ends what is in flight, and exits.

MODE breaks it on purpose: "crash" exits at start, "sick" is never healthy,
"wrong" listens on another port.
"""

# It speaks by printing, and RFC 6455 wants SHA-1.
# ruff: noqa: T201, S324

import asyncio
import base64
import hashlib
import os
import signal
import sys

RELEASE = os.environ.get("RELEASE", "0")
MODE = os.environ.get("MODE", "")
PORT = int(os.environ.get("PORT", "8000"))
WEBSOCKET = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455, section 1.3
TEXT, CLOSE = 0x1, 0x8


class Server:
    """Serves connections until it is told to stop."""

    def __init__(self):
        self.stopping = asyncio.Event()
        self.idle = set()
        self.tasks = set()

    async def serve(self):
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGTERM, self.stop)
        server = await asyncio.start_server(self.accept, "", PORT + (MODE == "wrong"), backlog=512)
        print(f"release {RELEASE} serves", flush=True)
        await self.stopping.wait()
        server.close()
        for writer in list(self.idle):
            writer.close()
        if self.tasks:
            await asyncio.wait(self.tasks)

    def stop(self):
        self.stopping.set()

    async def accept(self, reader, writer):
        task = asyncio.current_task()
        self.tasks.add(task)
        try:
            while await self.answer(reader, writer):
                pass
        except (asyncio.IncompleteReadError, ConnectionError):
            pass  # the client has gone
        finally:
            self.tasks.discard(task)
            writer.close()

    async def answer(self, reader, writer):
        """One request; whether another may follow."""
        self.idle.add(writer)
        try:
            head = await reader.readuntil(b"\r\n\r\n")
        finally:
            self.idle.discard(writer)
        first, *lines = head.decode("latin-1").rstrip("\r\n").split("\r\n")
        method, path, _ = first.split(" ")
        pairs = (line.partition(":") for line in lines)
        headers = {name.strip().lower(): value.strip() for name, _, value in pairs}
        if headers.get("upgrade", "").lower() == "websocket":
            await self.socket(reader, writer, headers)
            return False
        body = await reader.readexactly(int(headers.get("content-length", 0)))
        status, said = "200 OK", body if method == "POST" else path.encode()
        if path == "/healthz" and MODE == "sick":
            status, said = "500 Internal Server Error", b"sick\n"
        last = self.stopping.is_set()
        writer.write(
            f"HTTP/1.1 {status}\r\nContent-Type: text/plain\r\nX-Release: {RELEASE}\r\n"
            f"{'Connection: close' if last else 'Connection: keep-alive'}\r\n"
            f"Content-Length: {len(said)}\r\n\r\n".encode()
            + said
        )
        await writer.drain()
        return not last

    async def socket(self, reader, writer, headers):
        key = (headers["sec-websocket-key"] + WEBSOCKET).encode()
        accept = base64.b64encode(hashlib.sha1(key).digest()).decode()
        writer.write(
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"X-Release: {RELEASE}\r\nSec-WebSocket-Accept: {accept}\r\n\r\n".encode()
        )
        while True:
            first, second = await reader.readexactly(2)
            size = second & 0x7F
            mask = await reader.readexactly(4)
            masked = await reader.readexactly(size)
            payload = bytes(byte ^ mask[n % 4] for n, byte in enumerate(masked))
            if first & 0x0F == CLOSE:
                writer.write(bytes((0x80 | CLOSE, len(payload))) + payload)
                await writer.drain()
                return
            said = f"{RELEASE} ".encode() + payload
            writer.write(bytes((0x80 | TEXT, len(said))) + said)
            await writer.drain()


if __name__ == "__main__":
    if MODE == "crash":
        print("cannot start: no such ledger", file=sys.stderr, flush=True)
        sys.exit(3)
    asyncio.run(Server().serve())
