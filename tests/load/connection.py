"""A connection of a client: HTTP/1.1 and WebSocket frames, with every loss named.

Made by hand because a library retries, reopens and swallows: here each of these
must be seen. Framing is by RFC 9112 (Content-Length only) and RFC 6455.
"""

from __future__ import annotations

import asyncio
import base64
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

HEAD_LIMIT = 64 * 1024
TEXT, CLOSE = 0x1, 0x8
FINAL = 0x80
MASKED = 0x80


class Lost(Exception):
    """A request got no answer, or a wrong one; the message is the reason."""


@dataclass(frozen=True, slots=True)
class Response:
    """A whole response. Header names are lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def release(self) -> str:
        """What the server calls itself."""
        return self.headers.get("x-release", "")


class Connection:
    """One TCP connection. Every method raises `Lost`."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._last = False

    @classmethod
    async def open(cls, address: str, port: int) -> Connection:
        """Connect."""
        try:
            return cls(*await asyncio.open_connection(address, port, limit=HEAD_LIMIT))
        except ConnectionRefusedError:
            raise Lost("refused") from None
        except OSError as error:
            raise Lost(f"could not connect: {error}") from None

    @property
    def usable(self) -> bool:
        """Whether a further request may be sent, as far as this side can know."""
        return not (
            self._last
            or self._reader.at_eof()
            or self._reader.exception()
            or self._writer.is_closing()
        )

    async def close(self) -> None:
        """Close it, whatever state it is in."""
        self._writer.close()
        try:
            await self._writer.wait_closed()
        except OSError:
            return  # it was lost already, and that has been told

    async def request(
        self, method: str, host: str, path: str, body: bytes | None = None
    ) -> Response:
        """One request and its whole response."""
        await self._send(_head(method, host, path, body) + (body or b""))
        return await self._response()

    async def drip(self, host: str, path: str, chunks: AsyncIterator[bytes], size: int) -> Response:
        """A POST whose body of `size` bytes comes bit by bit."""
        await self._send(_head("POST", host, path, None, {"Content-Length": str(size)}))
        async for chunk in chunks:
            await self._send(chunk)
        return await self._response()

    async def upgrade(self, host: str, path: str) -> str:
        """Make it a WebSocket; returns the server's release."""
        key = base64.b64encode(os.urandom(16)).decode()
        asked = {"Connection": "Upgrade", "Upgrade": "websocket"}
        asked |= {"Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": key}
        await self._send(_head("GET", host, path, None, asked))
        response = await self._response()
        if response.status != 101:
            raise Lost(f"status {response.status}")
        return response.release

    async def say(self, text: str) -> str:
        """Send one text message and return the one that comes back."""
        await self._send(_frame(TEXT, text.encode()))
        kind, payload = await self._message()
        if kind != TEXT:
            raise Lost(f"closed by the server: {_reason(payload)}")
        return payload.decode()

    async def bye(self) -> None:
        """Close the WebSocket as RFC 6455 says, and wait for the other side's close."""
        await self._send(_frame(CLOSE, (1000).to_bytes(2, "big")))
        kind, _ = await self._message()
        if kind != CLOSE:
            raise Lost("a message after the close")

    # -- bytes ---------------------------------------------------------------

    async def _send(self, data: bytes) -> None:
        try:
            self._writer.write(data)
            await self._writer.drain()
        except ConnectionError:
            raise Lost("reset") from None

    async def _response(self) -> Response:
        head = await self._until(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").rstrip("\r\n").split("\r\n")
        words = first.split(" ", 2)
        if len(words) < 2 or not words[0].startswith("HTTP/1.") or not words[1].isdigit():
            raise Lost(f"no HTTP: {first[:60]!r}")
        pairs = (line.partition(":") for line in lines)
        headers = {name.strip().lower(): value.strip() for name, _, value in pairs}
        status = int(words[1])
        self._last = headers.get("connection", "").lower() == "close"
        if status == 101:
            return Response(status, headers, b"")
        length = headers.get("content-length", "")
        if not length.isdigit():
            raise Lost(f"status {status} without a length")
        return Response(status, headers, await self._exactly(int(length)))

    async def _message(self) -> tuple[int, bytes]:
        first, second = await self._exactly(2)
        size = second & 0x7F
        if size == 126:
            size = int.from_bytes(await self._exactly(2), "big")
        elif size == 127:
            raise Lost("a message longer than any that was sent")
        return first & 0x0F, await self._exactly(size)

    async def _until(self, end: bytes) -> bytes:
        try:
            return await self._reader.readuntil(end)
        except asyncio.IncompleteReadError as error:
            raise Lost("cut" if error.partial else "closed") from None
        except asyncio.LimitOverrunError:
            raise Lost("headers without an end") from None
        except ConnectionError:
            raise Lost("reset") from None

    async def _exactly(self, size: int) -> bytes:
        try:
            return await self._reader.readexactly(size)
        except asyncio.IncompleteReadError:
            raise Lost("cut") from None
        except ConnectionError:
            raise Lost("reset") from None


def _head(
    method: str, host: str, path: str, body: bytes | None, more: Mapping[str, str] | None = None
) -> bytes:
    headers = {"Host": host} | ({} if body is None else {"Content-Length": str(len(body))})
    lines = [f"{name}: {value}" for name, value in (headers | dict(more or {})).items()]
    return ("\r\n".join([f"{method} {path} HTTP/1.1", *lines]) + "\r\n\r\n").encode()


def _frame(opcode: int, payload: bytes) -> bytes:
    """One masked frame, as a client must send it; payloads here are short."""
    if len(payload) > 125:
        raise ValueError("the load's messages are shorter than 126 bytes")
    mask = os.urandom(4)
    masked = bytes(byte ^ mask[n % 4] for n, byte in enumerate(payload))
    return bytes((FINAL | opcode, MASKED | len(payload))) + mask + masked


def _reason(payload: bytes) -> str:
    code = int.from_bytes(payload[:2], "big") if len(payload) >= 2 else 1005
    return f"{code} {payload[2:].decode(errors='replace')}".strip()
