"""What the edge costs a request: wrk through the edge and directly at the container."""

from __future__ import annotations

import re
from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING

from containerdeploy.addresses import edge_address, edge_subnet
from containerdeploy.engines.docker import DockerEngine
from tests.benchmarks.command import CommandFailed, run
from tests.benchmarks.table import Row

if TYPE_CHECKING:
    from collections.abc import Iterator

    from containerdeploy.host import Host
    from containerdeploy.observed import Container
    from tests.benchmarks.bench import Bench

DOCKERFILE = """\
FROM debian:trixie-slim
RUN apt-get update \\
 && apt-get install -y --no-install-recommends nginx-light wrk \\
 && rm -rf /var/lib/apt/lists/*
COPY nginx.conf /nginx.conf
USER 10001
EXPOSE 8000
CMD ["nginx", "-c", "/nginx.conf"]
"""
# As little as a server can do, so that what is between is seen.
NGINX = """\
daemon off;
worker_processes 1;
pid /tmp/nginx.pid;
error_log stderr;
events { worker_connections 1024; }
http {
  access_log off;
  keepalive_requests 100000000;
  client_body_temp_path /tmp/body;
  proxy_temp_path /tmp/proxy;
  fastcgi_temp_path /tmp/fastcgi;
  uwsgi_temp_path /tmp/uwsgi;
  scgi_temp_path /tmp/scgi;
  server { listen 8000; location / { return 200 "ok\\n"; } }
}
"""
SECONDS = 4
UNITS = {"us": 0.001, "ms": 1.0, "s": 1000.0}


@dataclass(frozen=True, slots=True)
class Seen:
    """What wrk saw: requests a second, and latencies in milliseconds."""

    rate: float
    p50: float
    p99: float


def through_the_edge(bench: Bench) -> Iterator[Row]:
    """Throughput with 50 connections, and latency with a single one."""
    name = f"{bench.cdeploy.host.instance}-through"
    folder = bench.folder / "through"
    (folder / "app").mkdir(parents=True)
    (folder / "app/Dockerfile").write_text(DOCKERFILE)
    (folder / "app/nginx.conf").write_text(NGINX)
    stack = folder / "stack.toml"
    stack.write_text(
        f'[stack]\nname = "{name}"\n[service.static]\nbuild = "app"\nport = 8000\n'
        f'route = "{name}.localhost"\nhealth = {{ path = "/" }}\n'
    )
    try:
        bench.cdeploy.up(stack)
        yield from _compared(bench, name)
    finally:
        bench.cdeploy("down", str(stack), "--yes")


def _compared(bench: Bench, name: str) -> Iterator[Row]:
    host = bench.cdeploy.host
    function, edge = _addresses(host, name)
    ways = {
        # As callers from outside come in: the kernel hands them to the edge's address.
        "through the edge": f"http://{edge}:80/",
        # From this machine to 127.0.0.1 the engine's own userland proxy is between.
        "through the edge and the engine's port": f"http://{host.bind}:{host.http}/",
        "directly": f"http://{function.address}:8000/",
    }
    for connections, words in ((50, "50 connections"), (1, "1 connection")):
        seen: dict[str, list[Seen]] = {way: [] for way in ways}
        for _ in range(max(1, bench.repeat // 2)):
            for way, url in ways.items():
                seen[way].append(_wrk(function.image, url, f"{name}.localhost", connections))
        bare = seen.pop("directly")
        for way, measured in seen.items():
            for what, unit in (("rate", "/s"), ("p50", "ms"), ("p99", "ms")):
                label = "requests" if what == "rate" else what
                ours, theirs = (median(getattr(s, what) for s in one) for one in (measured, bare))
                yield Row(f"{way}, {words}: {label}", ours, theirs, unit=unit, peer="directly")


def _addresses(host: Host, stack: str) -> tuple[Container, str]:
    """The container of the function, and the edge's own address."""
    engine = DockerEngine()
    try:
        (function,) = (
            one
            for one in engine.containers(host.instance, stack)
            if one.role == "service" and one.running
        )
    finally:
        engine.close()
    return function, edge_address(edge_subnet(host.pool))


def _wrk(image: str, url: str, host: str, connections: int) -> Seen:
    """Run wrk in a container on this machine's own network."""
    ended = run(
        (
            *("docker", "run", "--rm", "--network", "host", image),
            *("wrk", "-t1", f"-c{connections}", f"-d{SECONDS}s", "--latency"),
            *("-H", f"Host: {host}", url),
        ),
        timeout=SECONDS + 30,
    )
    if "Non-2xx" in ended.stdout or "Socket errors" in ended.stdout:
        raise CommandFailed(f"wrk at {url} saw errors:\n{ended.stdout}")
    return seen_by_wrk(ended.stdout)


def seen_by_wrk(text: str) -> Seen:
    """What wrk printed, as figures. Raises CommandFailed for anything else."""
    rate = re.search(r"^Requests/sec:\s+([\d.]+)", text, re.MULTILINE)
    waits = dict(re.findall(r"^\s+(50|99)%\s+([\d.]+(?:us|ms|s))", text, re.MULTILINE))
    if rate is None or set(waits) != {"50", "99"}:
        raise CommandFailed(f"this is not what wrk prints:\n{text}")
    return Seen(float(rate[1]), _milliseconds(waits["50"]), _milliseconds(waits["99"]))


def _milliseconds(text: str) -> float:
    unit = text.lstrip("0123456789.")
    return float(text.removesuffix(unit)) * UNITS[unit]
