"""The clients of a load, one coroutine a client, and the log that they all write."""

from __future__ import annotations

import asyncio
import random
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tests.load.connection import Connection, Lost
from tests.load.result import Answer, Failure, Result

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from tests.load.connection import Response
    from tests.load.profile import Profile

PIECES = 20
PIECE = 64
BETWEEN_ECHOES = 0.05
AFTER_LOSS = 0.05
"""Seconds that a client rests after a loss: a dead server must not make a busy loop."""


@dataclass
class Log:
    """What has happened so far; `stop` ends all clients after what they have in flight."""

    profile: Profile
    answers: list[Answer] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)
    reopened: int = 0
    stop: asyncio.Event = field(default_factory=asyncio.Event)
    stopped: str = "asked"
    heard: set[int] = field(default_factory=set)
    everyone: asyncio.Event = field(default_factory=asyncio.Event)

    def end(self, why: str) -> None:
        """End the load; the first reason counts."""
        if not self.stop.is_set():
            self.stopped = why
            self.stop.set()

    async def attempt(
        self, client: int, kind: str, send: Callable[[], Awaitable[str]], *, longer: float = 0.0
    ) -> bool:
        """Do one request, which returns the answering release; whether it was answered."""
        sent = time.monotonic()
        release, reason = "", ""
        try:
            async with asyncio.timeout(self.profile.timeout + longer):
                release = await send()
        except Lost as lost:
            reason = str(lost)
        except TimeoutError:
            reason = "timed out"
        ended = time.monotonic()
        if reason:
            self.failures.append(Failure(kind, sent, ended, reason))
        else:
            self.answers.append(Answer(kind, sent, ended, release))
        self.heard.add(client)
        if len(self.heard) == self.profile.clients:
            self.everyone.set()
        if len(self.answers) + len(self.failures) >= self.profile.max_requests:
            self.end("count")
        return not reason

    async def rest(self, seconds: float) -> None:
        """Wait, or less when the load ends."""
        if seconds <= 0:
            return
        try:
            async with asyncio.timeout(seconds):
                await self.stop.wait()
        except TimeoutError:
            return

    def result(self) -> Result:
        """Everything so far, as a value."""
        return Result(tuple(self.answers), tuple(self.failures), self.reopened, self.stopped)


async def kept_alive(log: Log, client: int, kind: str, method: str) -> None:
    """Requests on one connection for as long as it lasts."""
    profile = log.profile
    connection: Connection | None = None
    serial = 0
    while not log.stop.is_set():
        serial += 1
        await log.rest(random.uniform(0, profile.think))
        if connection is not None and not connection.usable:
            log.reopened += 1
            await connection.close()
            connection = None
        token = f"{kind}-{client}-{serial}".replace(" ", "-")

        async def send(token: str = token) -> str:
            nonlocal connection
            if connection is None:
                connection = await Connection.open(profile.address, profile.port)
            # From here on this client sends, whatever the other side does meanwhile.
            await asyncio.sleep(profile.distance)
            return await _echoed(connection, profile.host, method, token)

        if not await log.attempt(client, kind, send):
            if connection is not None:
                await connection.close()
            connection = None
            await log.rest(AFTER_LOSS)
    if connection is not None:
        await connection.close()


async def newcomer(log: Log, client: int) -> None:
    """A connection for each request."""
    profile = log.profile
    serial = 0
    while not log.stop.is_set():
        serial += 1
        await log.rest(random.uniform(0, profile.think))
        token = f"new-{client}-{serial}"

        async def send(token: str = token) -> str:
            connection = await Connection.open(profile.address, profile.port)
            try:
                return await _echoed(connection, profile.host, "GET", token)
            finally:
                await connection.close()

        if not await log.attempt(client, "new connection", send):
            await log.rest(AFTER_LOSS)


async def slow_poster(log: Log, client: int) -> None:
    """Bodies that take seconds to arrive, one after another, each on its own connection."""
    profile = log.profile
    # Begun at different times, so that they don't all end at the same moment.
    await log.rest(profile.slow_seconds * client / max(1, profile.slow_posters))
    while not log.stop.is_set():

        async def send() -> str:
            connection = await Connection.open(profile.address, profile.port)
            try:
                pieces = _pieces(profile.slow_seconds)
                size = PIECES * PIECE
                response = await connection.drip(profile.host, "/slow", pieces, size)
                return _judged(response, b"x" * size)
            finally:
                await connection.close()

        if not await log.attempt(client, "slow post", send, longer=profile.slow_seconds):
            await log.rest(AFTER_LOSS)


async def socket(log: Log, client: int) -> None:
    """A WebSocket that echoes for a while, closes properly, and comes again."""
    profile = log.profile
    while not log.stop.is_set():
        connection: Connection | None = None

        async def enter() -> str:
            nonlocal connection
            connection = await Connection.open(profile.address, profile.port)
            return await connection.upgrade(profile.host, "/socket")

        well = await log.attempt(client, "websocket", enter)
        # A lifetime of its own for each, so that they don't all close at the same moment.
        until = time.monotonic() + profile.socket_seconds * random.uniform(0.5, 1)
        while well and time.monotonic() < until and not log.stop.is_set():
            well = await _echo(log, client, connection)
            await log.rest(BETWEEN_ECHOES)
        if well:
            well = await _leave(log, connection)
        if connection is not None:
            await connection.close()
        if not well:
            await log.rest(AFTER_LOSS)


async def _echo(log: Log, client: int, connection: Connection | None) -> bool:
    async def send() -> str:
        assert connection is not None
        token = f"{client}-{random.getrandbits(32):08x}"
        release, _, said = (await connection.say(token)).partition(" ")
        if said != token:
            raise Lost(f"another's answer: {said[:60]!r}")
        return release

    return await log.attempt(client, "websocket", send)


async def _leave(log: Log, connection: Connection | None) -> bool:
    """The closing handshake; one that is not answered was lost as well."""
    assert connection is not None
    sent = time.monotonic()
    try:
        async with asyncio.timeout(log.profile.timeout):
            await connection.bye()
    except (Lost, TimeoutError) as error:
        reason = f"close: {error or 'timed out'}"
        log.failures.append(Failure("websocket", sent, time.monotonic(), reason))
        return False
    return True


async def _echoed(connection: Connection, host: str, method: str, token: str) -> str:
    path = f"/{token}"
    body = token.encode() if method == "POST" else None
    response = await connection.request(method, host, path, body)
    return _judged(response, path.encode() if body is None else body)


def _judged(response: Response, expected: bytes) -> str:
    """The release that answered; an answer that is not ours is a lost request."""
    if response.status != 200:
        raise Lost(f"status {response.status}")
    if response.body != expected:
        raise Lost(f"another's answer: {response.body[:60]!r}")
    return response.release


async def _pieces(seconds: float) -> AsyncIterator[bytes]:
    for _ in range(PIECES):
        await asyncio.sleep(seconds / PIECES)
        yield b"x" * PIECE
