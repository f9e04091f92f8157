"""Is a container ready? Asked of the container itself, until it is, dies, or time is up."""

from __future__ import annotations

import socket
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from containerdeploy.errors import CandidateFailed, CdeployError, NotFound

if TYPE_CHECKING:
    from collections.abc import Callable

    from containerdeploy.check import ImageInfo
    from containerdeploy.engines.base import Engine, State
    from containerdeploy.stack import Health, Service

LOG_TAIL = 20
CONNECT_TIMEOUT = 2.0
"""Seconds for one attempt; a hung health endpoint must not eat the whole deadline."""

PATH_SAFE = "/%?&=:@!$'()*+,;~"
"""What stays as it is in a health path; all else is percent-encoded (RFC 3986)."""

LISTEN = "0A"
"""The state of a listening socket in /proc/net/tcp (Linux include/net/tcp_states.h)."""
ENGINE_DNS = "0B00007F"
"""127.0.0.11, where the engine's own resolver listens inside every container."""


def wait_ready(
    engine: Engine,
    container: str,
    service: Service,
    image: ImageInfo,
    address: str,
    *,
    timeout: float,
    cancelled: threading.Event | None = None,
) -> float:
    """Wait until a started container is ready; the seconds that it took.

    By the health path where the service has one, else by the image's HEALTHCHECK,
    else by a TCP connection to the container's own address (a published port lies:
    the engine's proxy accepts for a port where nothing listens), else by staying
    up for `health.settle` seconds.

    Raises:
        CandidateFailed: at once when its process ends; at `timeout` otherwise. The
            message has exit code, OOM, the last answer and the ports that it does
            listen on; the detail has its last log lines.
    """
    begun = time.monotonic()
    health = service.health
    attempt, asked = _attempt(engine, container, service, image, address)
    pause = cancelled or threading.Event()
    last = "no answer yet"
    while True:
        state = engine.state(container)
        if state.died:
            raise _dead(engine, container, service, state)
        spent = time.monotonic() - begun
        if state.status == "running":
            last = attempt(state)
            if not last:
                return time.monotonic() - begun
        if spent >= timeout:
            raise _never_ready(engine, container, service, asked, last, timeout)
        # Quick at first, since most functions are up in well under a second.
        if pause.wait(min(health.interval, 0.02 + spent / 10)):
            raise CandidateFailed(f"{service.name}: the wait for it was given up")


def _attempt(
    engine: Engine, container: str, service: Service, image: ImageInfo, address: str
) -> tuple[Callable[[State], str], str]:
    """How to ask once ("" when ready, else why not), and the question in words."""
    health, port = service.health, service.port
    if health.path and port:
        return _http(address, port, health), f"GET {health.path} on port {port}"
    if image.has_healthcheck:
        return _healthcheck, "the image's HEALTHCHECK"
    if port:
        return _tcp(address, port), f"a TCP connection to port {port}"
    return _settled(health), f"staying up for {health.settle:g} s"


def _http(address: str, port: int, health: Health) -> Callable[[State], str]:
    # The standard library's client: the probe of thirty services at once must not
    # cost a certificate store each, as httpx's clients do (40 ms, measured).
    from http.client import HTTPConnection, HTTPException

    path = quote(health.path, safe=PATH_SAFE)
    headers = {"User-Agent": "cdeploy-probe", "Connection": "close"}

    def ask(_: State) -> str:
        connection = HTTPConnection(address, port, timeout=CONNECT_TIMEOUT)
        try:
            connection.request("GET", path, headers=headers)
            answer = connection.getresponse()
            body = answer.read(200)
        except ConnectionRefusedError:
            return "connection refused"
        except (OSError, HTTPException) as error:
            return f"no answer ({type(error).__name__})"
        finally:
            connection.close()
        good = answer.status == health.status if health.status else answer.status < 400
        return "" if good else f"HTTP {answer.status}: {body.decode(errors='replace').strip()}"

    return ask


def _healthcheck(state: State) -> str:
    return "" if state.health == "healthy" else f"its health is {state.health or 'unknown'}"


def _tcp(address: str, port: int) -> Callable[[State], str]:
    def ask(_: State) -> str:
        try:
            socket.create_connection((address, port), CONNECT_TIMEOUT).close()
        except OSError as error:
            return (error.strerror or str(error)).lower()
        return ""

    return ask


def _settled(health: Health) -> Callable[[State], str]:
    def ask(state: State) -> str:
        up = time.time() - state.started
        return "" if up >= health.settle else f"up for {up:.1f} s"

    return ask


def _dead(engine: Engine, container: str, service: Service, state: State) -> CandidateFailed:
    why = f"exit code {state.exit_code}"
    if state.oom_killed:
        why += ", killed for using more memory than its limit"
    if state.error:
        why += f": {state.error}"
    hint = (
        "raise limits.memory" if state.oom_killed else "its last lines, above, say what it lacked"
    )
    return CandidateFailed(
        f"{service.where}: service {service.name}: the new container ended before it was "
        f"ready ({why})",
        hint=hint,
        detail=last_lines(engine, container),
    )


def _never_ready(
    engine: Engine, container: str, service: Service, asked: str, last: str, timeout: float
) -> CandidateFailed:
    ports = listening(engine, container)
    heard = "it listens on " + ", ".join(map(str, ports)) if ports else "it listens on no port"
    hint = "raise health.timeout if it needs longer"
    if service.port and ports and service.port not in ports:
        hint = f"set port = {ports[0]}, or make it listen on {service.port}"
    elif service.port and service.port in ports and not service.health.path:
        hint = "it may listen on 127.0.0.1 only: make it listen on 0.0.0.0"
    return CandidateFailed(
        f"{service.where}: service {service.name}: not ready after {timeout:g} s: {asked}: "
        f"{last}; {heard}",
        hint=hint,
        detail=last_lines(engine, container),
    )


def last_lines(engine: Engine, container: str, count: int = LOG_TAIL) -> str:
    """A container's last log lines, or why they can't be had."""
    try:
        lines = [line.text for line in engine.logs(container, tail=count)]
    except CdeployError as error:
        return f"(its log can't be read: {error.message})"
    return "\n".join(lines) if lines else "(it wrote nothing)"


def listening(engine: Engine, container: str) -> tuple[int, ...]:
    """The TCP ports that a running container listens on, lowest first.

    Read from /proc/<pid>/net of this host, which needs no tool in the image;
    where the container's processes are not this host's, nothing can be said.
    """
    try:
        pid = engine.state(container).pid
    except NotFound:
        return ()
    ports: set[int] = set()
    for table in ("tcp", "tcp6"):
        try:
            rows = Path(f"/proc/{pid}/net/{table}").read_text().splitlines()[1:]
        except OSError:
            continue
        for row in rows:
            _, local, _, state, *_ = row.split()
            host, _, port = local.rpartition(":")
            if state == LISTEN and host != ENGINE_DNS:
                ports.add(int(port, 16))
    return tuple(sorted(ports))
