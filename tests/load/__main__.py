"""`python -m tests.load PROFILE`: run a load until standard input ends; print its result.

Prints "ready" when every client has had its first answer (or loss), and the
result as one line of JSON at the end. A process of its own, because the test's
process is busy with the rollout under test; it ends when its parent does.
"""

from __future__ import annotations

import asyncio
import os
import sys
from typing import TYPE_CHECKING

from tests.load import clients
from tests.load.profile import Profile

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from tests.load.result import Result


async def run(profile: Profile) -> Result:
    """Run the load until standard input ends or a bound is reached."""
    log = clients.Log(profile)
    loop = asyncio.get_running_loop()
    loop.add_reader(sys.stdin.fileno(), _read, log)
    bound = loop.call_later(profile.max_seconds, log.end, "time")
    ready = asyncio.create_task(_say_ready(log))
    try:
        async with asyncio.TaskGroup() as group:
            for one in _clients(log):
                group.create_task(one)
    finally:
        bound.cancel()
        log.everyone.set()  # it may have ended before all were heard
        await ready
        loop.remove_reader(sys.stdin.fileno())
    return log.result()


def _clients(log: clients.Log) -> list[Coroutine[None, None, None]]:
    """One coroutine for each client, numbered."""
    profile = log.profile
    made: list[Coroutine[None, None, None]] = []
    for number in range(profile.slow_posters):  # first: their number sets when they begin
        made.append(clients.slow_poster(log, number))
    for _ in range(profile.getters):
        made.append(clients.kept_alive(log, len(made), "get", "GET"))
    for _ in range(profile.posters):
        made.append(clients.kept_alive(log, len(made), "post", "POST"))
    for _ in range(profile.sockets):
        made.append(clients.socket(log, len(made)))
    for _ in range(profile.newcomers):
        made.append(clients.newcomer(log, len(made)))
    return made


def _read(log: clients.Log) -> None:
    # The parent writes nothing: what can be read is the end of its pipe.
    if not os.read(sys.stdin.fileno(), 1024):
        asyncio.get_running_loop().remove_reader(sys.stdin.fileno())
        log.end("asked")


async def _say_ready(log: clients.Log) -> None:
    await log.everyone.wait()
    sys.stdout.write("ready\n")
    sys.stdout.flush()


def main() -> None:
    """Read the profile from the argument, run, and print."""
    result = asyncio.run(run(Profile.from_json(sys.argv[1])))
    sys.stdout.write(result.to_json() + "\n")


if __name__ == "__main__":
    main()
