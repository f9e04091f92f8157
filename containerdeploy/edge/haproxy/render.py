"""The table and the host's settings as the text of haproxy.cfg. Pure; see docs/edge.md.

Every timeout, option and header below is explained in docs/edge.md; the measurements
behind the structure are in the project's research notes.
"""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import TYPE_CHECKING

from containerdeploy.edge.haproxy.settings import KEEP_ALIVE
from containerdeploy.edge.haproxy.tablemap import backend_name
from containerdeploy.edge.table import COLOURS, HOLD
from containerdeploy.errors import EdgeError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from containerdeploy.edge.haproxy.settings import Settings
    from containerdeploy.edge.table import Entry, Table

PLACEHOLDER = "127.0.0.1"
"""The address of an empty slot; such a slot is always in maintenance."""

HOLD_RETRY = 0.2
"""Seconds between two looks of a held caller at whether the writer is back."""

FORGEABLE = (
    "^(x[-_]forwarded([-_].*)?|forwarded|x[-_]real[-_]ip|x[-_]request[-_]id"
    "|x[-_]cdeploy[-_].*|proxy)$"
)
"""Headers that outside clients may not send (names as regular expression; applications
of the CGI family read an underscore as a dash)."""


def config_text(table: Table, settings: Settings) -> str:
    """The whole haproxy.cfg: what is filled now is rendered in, so a restart comes up right.

    Raises:
        EdgeError: services of one stack share a port but not a protocol.
    """
    blank = replace(table, entries={key: _empty(entry) for key, entry in table.entries.items()})
    shape = "\n".join(_lines(blank, settings, ""))
    digest = hashlib.sha256(shape.encode()).hexdigest()[:16]
    return "\n".join(_lines(table, settings, digest)) + "\n"


def shape_of(config: str) -> str:
    """The digest of the shape that a rendered configuration has.

    It covers everything but the slots' addresses; the running proxy tells its own
    as `description` in `show info`, and where the two differ a reload is needed.
    """
    for line in config.splitlines():
        word, _, rest = line.strip().partition(" ")
        if word == "description":
            return rest
    return ""


def slot_name(index: int) -> str:
    """The server of a backend that holds slot `index` (from 0)."""
    return f"s{index + 1}"


def slots_of(entry: Entry, backend: str) -> tuple[str, ...]:
    """The addresses in every slot of a backend ("" is empty), `entry.slots` of them.

    The hold backend has the live colour's addresses, and none while callers are held:
    filling it is what lets held callers go on.
    """
    colour = entry.live_colour if backend == HOLD else None
    if backend == HOLD:
        filled = entry.servers[colour] if colour else ()
    else:
        filled = entry.servers[backend]  # type: ignore[index]
    return (*filled, *("" for _ in range(entry.slots - len(filled))))


def port_of(entry: Entry, backend: str) -> int:
    """The port at which the servers of a backend are dialled."""
    colour = entry.live_colour if backend == HOLD else backend
    return entry.dials(colour) if colour else entry.port  # type: ignore[arg-type]


def backends_of(entry: Entry) -> tuple[str, ...]:
    """The backends of a service: its colours, and "hold" where callers can be held."""
    return (*COLOURS, HOLD) if entry.holds else COLOURS


def _empty(entry: Entry) -> Entry:
    return replace(entry, servers={"blue": (), "green": ()}, live="")


def _lines(table: Table, settings: Settings, digest: str) -> Iterator[str]:
    yield from _global(settings, digest)
    yield from _defaults(settings)
    yield from _outside(settings)
    yield from _preview(settings)
    for port in settings.tcp:
        yield from _outside_tcp(port, settings)
    yield from _inside(table, settings)
    for key in sorted(table.entries):
        yield from _backends(table.entries[key])


def _global(settings: Settings, digest: str) -> Iterator[str]:
    yield "# Written by cdeploy from table.json; changes made here are lost."
    yield "global"
    yield f"    description {digest or 'shape'}"
    yield "    log stdout format raw local0 info"
    yield f"    stats socket {settings.run_dir}/admin.sock mode 600 level admin expose-fd listeners"
    yield "    stats timeout 1m"
    yield f"    maxconn {settings.maxconn}"
    yield "    no strict-limits"
    yield "    thread-hard-limit 8"
    yield f"    hard-stop-after {settings.hard_stop}s"
    yield "    tune.pool-low-fd-ratio 20"
    yield ""


def _defaults(settings: Settings) -> Iterator[str]:
    yield "defaults"
    yield "    log global"
    yield "    option dontlognull"
    if not settings.access_log:
        yield "    option dontlog-normal"
    yield "    timeout connect 2s"
    yield "    timeout client 10m"
    yield "    timeout server 10m"
    yield "    timeout client-fin 1m"
    yield "    timeout server-fin 1m"
    yield "    timeout tunnel 24h"
    yield "    timeout queue 10s"
    yield "    timeout http-request 15s"
    yield f"    timeout http-keep-alive {KEEP_ALIVE}s"
    yield "    option idle-close-on-response"
    yield "    option redispatch 1"
    yield "    option tcp-smart-connect"
    yield "    option clitcpka"
    yield "    option srvtcpka"
    yield "    retries 3"
    yield f"    maxconn {settings.maxconn}"
    yield ""


def _http_log() -> str:
    # The path without its query: queries hold tokens, and a log keeps them.
    return (
        '    log-format "%[var(txn.id)] %ci %{+Q}[var(txn.host)] %HM %HPO %ST %B %Ta ms'
        ' %b/%s %tsc %rc"'
    )


def _outside(settings: Settings) -> Iterator[str]:
    yield "frontend outside"
    yield "    mode http"
    yield f"    bind {settings.address}:80"
    yield _http_log()
    yield f"    http-request del-header {FORGEABLE} -m reg"
    yield "    http-request set-var(txn.id) uuid()"
    yield "    http-request set-var(txn.host) req.hdr(host),host_only,lower,rtrim(.)"
    yield "    http-request set-header X-Request-Id %[var(txn.id)]"
    yield "    http-request set-header X-Forwarded-For %[src]"
    yield "    http-request set-header X-Real-IP %[src]"
    yield "    http-request set-header X-Forwarded-Proto http"
    yield "    http-request set-header X-Forwarded-Host %[req.hdr(host)]"
    yield '    http-request set-var-fmt(txn.route) "r:%[var(txn.host)]%[path]/"'
    yield f"    http-request set-var(txn.service) var(txn.route),map_beg({settings.map})"
    yield _plain(
        404,
        "No stack on this host claims %[var(txn.host)]%[path].",
        "if !{ var(txn.service) -m found }",
    )
    yield from _choose(settings)
    yield "    http-after-response set-header X-Request-Id %[var(txn.id)]"
    yield ""


def _plain(status: int, text: str, condition: str, *, hdr: str = "") -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return (
        f"    http-request return status {status} content-type text/plain"
        f' lf-string "{escaped}\\n" hdr X-Content-Type-Options nosniff'
        f"{' ' + hdr if hdr else ''} {condition}"
    )


def _choose(settings: Settings) -> Iterator[str]:
    yield (
        f"    http-request set-var(txn.backend) str(s:),concat(,txn.service),map({settings.map})"
    )
    yield _plain(
        503,
        "Nothing of %[var(txn.service)] is live yet. Try again soon.",
        "if !{ var(txn.backend) -m found }",
        hdr="hdr Retry-After 2",
    )
    yield "    use_backend %[var(txn.backend)]"


def _preview(settings: Settings) -> Iterator[str]:
    yield "frontend preview"
    yield "    mode http"
    yield f"    bind unix@{settings.run_dir}/preview.sock mode 600"
    yield "    option dontlog-normal"
    yield "    http-request set-var(txn.backend) req.hdr(x-cdeploy-backend)"
    yield "    http-request del-header x-cdeploy-backend"
    yield "    http-request set-header X-Request-Id %[uuid()]"
    yield "    http-request set-header X-Forwarded-Proto http"
    yield "    http-request set-header X-Forwarded-Host %[req.hdr(host)]"
    yield "    use_backend %[var(txn.backend)]"
    yield "    default_backend none"
    yield ""
    yield "backend none"
    yield "    mode http"
    yield _plain(404, "The edge knows no such backend.", "").rstrip()
    yield ""


def _outside_tcp(port: int, settings: Settings) -> Iterator[str]:
    yield f"frontend tcp.{port}"
    yield "    mode tcp"
    yield f"    bind {settings.address}:{port}"
    yield '    log-format "%ci:%cp %ft %B %Tt ms %b/%s %ts %rc"'
    yield (f"    tcp-request content set-var(txn.service) str(r:tcp:{port}),map({settings.map})")
    yield from _choose_tcp(settings)


def _choose_tcp(settings: Settings) -> Iterator[str]:
    yield (
        "    tcp-request content set-var(txn.backend)"
        f" str(s:),concat(,txn.service),map({settings.map})"
    )
    yield "    tcp-request content reject if !{ var(txn.backend) -m found }"
    yield "    use_backend %[var(txn.backend)]"
    yield ""


def _inside(table: Table, settings: Settings) -> Iterator[str]:
    """One frontend for each stack and each port that a service of it listens at."""
    ports: dict[tuple[str, int], list[Entry]] = {}
    for key in sorted(table.entries):
        entry = table.entries[key]
        for port in entry.listens:
            ports.setdefault((entry.stack, port), []).append(entry)
    for (stack, port), entries in sorted(ports.items()):
        member = table.members.get(stack)
        if member is None:
            continue
        if len({entry.protocol for entry in entries}) > 1:
            raise EdgeError(
                f"{' and '.join(e.key for e in entries)} all listen at port {port}, "
                "some with http and some with plain tcp: inside the stack they can't be told apart",
                hint="give one of them another port in stack.toml",
            )
        yield f"frontend inside.{stack}.{port}"
        yield f"    mode {entries[0].protocol}"
        yield f"    bind {member.address}:{port}"
        if entries[0].protocol == "http":
            yield from _inside_http(port, settings)
        else:
            yield '    log-format "%ci:%cp %ft %B %Tt ms %b/%s %ts %rc"'
            yield f'    tcp-request content set-var-fmt(txn.caller) "c:%[src]:{port}"'
            yield (
                f"    tcp-request content set-var(txn.service) var(txn.caller),map({settings.map})"
            )
            yield from _choose_tcp(settings)


def _inside_http(port: int, settings: Settings) -> Iterator[str]:
    yield _http_log()
    yield "    http-request set-var(txn.host) req.hdr(host),host_only,lower,rtrim(.)"
    yield _unless_there("X-Request-Id", "%[uuid()]")
    yield "    http-request set-var(txn.id) req.hdr(x-request-id)"
    yield "    http-request add-header X-Forwarded-For %[src]"
    yield _unless_there("X-Forwarded-Proto", "http")
    yield _unless_there("X-Forwarded-Host", "%[req.hdr(host)]")
    yield f'    http-request set-var-fmt(txn.caller) "c:%[src]:{port}"'
    yield f"    http-request set-var(txn.service) var(txn.caller),map({settings.map})"
    yield (
        "    http-request set-var(txn.service)"
        f" var(txn.caller),concat(/,txn.host),map({settings.map})"
        " if !{ var(txn.service) -m found }"
    )
    yield _plain(
        403,
        f"%[var(txn.host)] at port {port} is not among the uses of the container at %[src]."
        " Name it in uses of the calling service in stack.toml.",
        "if !{ var(txn.service) -m found }",
    )
    yield from _choose(settings)
    yield ""


def _unless_there(header: str, value: str) -> str:
    name = header.lower()
    return f"    http-request set-header {header} {value} if !{{ req.hdr({name}) -m found }}"


def _backends(entry: Entry) -> Iterator[str]:
    for colour in COLOURS:
        yield f"backend {backend_name(entry, colour)}"
        yield f"    mode {entry.protocol}"
        if entry.protocol == "http":
            yield "    balance roundrobin"
            yield "    retry-on conn-failure empty-response"
            yield "    http-request disable-l7-retry if !METH_GET"
            yield _unready(f"{entry.key} has no ready replica. Try again soon.")
        else:
            yield "    balance leastconn"
        yield from _servers(entry, colour)
        yield ""
    if entry.holds:
        yield from _hold(entry)


def _unready(text: str) -> str:
    return (
        "    http-error status 503 content-type text/plain"
        f' string "{text}\\n" hdr Retry-After 2 hdr X-Content-Type-Options nosniff'
    )


def _hold(entry: Entry) -> Iterator[str]:
    """Callers wait here while the one writer is replaced: no server answers, the gate
    (always refused) makes them look again, and filling the slots lets them go on."""
    yield f"backend {backend_name(entry, HOLD)}"
    yield f"    mode {entry.protocol}"
    yield "    balance roundrobin"
    yield f"    timeout connect {int(HOLD_RETRY * 1000)}ms"
    yield f"    retries {max(1, round(entry.hold_seconds / HOLD_RETRY))}"
    yield "    option redispatch 1"
    yield "    option abortonclose"
    if entry.protocol == "http":
        yield _unready(f"{entry.key} is being replaced and was not back in time. Try again soon.")
    yield from _servers(entry, HOLD)
    yield "    server gate 127.0.0.1:1 backup"
    yield ""


def _servers(entry: Entry, backend: str) -> Iterator[str]:
    for index, address in enumerate(slots_of(entry, backend)):
        disabled = "" if address else " disabled"
        where = f"{address or PLACEHOLDER}:{port_of(entry, backend)}"
        yield f"    server {slot_name(index)} {where}{disabled}"
