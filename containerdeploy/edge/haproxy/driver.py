"""The edge as HAProxy: the table on disk first, then the running proxy, then verified."""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from typing import TYPE_CHECKING

from containerdeploy.addresses import edge_address, edge_subnet
from containerdeploy.edge.base import Applied, Figures
from containerdeploy.edge.files import EdgeFiles
from containerdeploy.edge.haproxy.follow import differences
from containerdeploy.edge.haproxy.preview import ask_http
from containerdeploy.edge.haproxy.render import PLACEHOLDER, backends_of, config_text, shape_of
from containerdeploy.edge.haproxy.runtime import Runtime
from containerdeploy.edge.haproxy.settings import CONFIG_DIR, Settings
from containerdeploy.edge.haproxy.tablemap import backend_name, map_entries, map_text
from containerdeploy.edge.haproxy.ways import ExecWay, SocketWay
from containerdeploy.edge.table import COLOURS, HOLD
from containerdeploy.errors import EdgeError, HostNotReady, NotFound

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from containerdeploy.check import Answer
    from containerdeploy.edge.haproxy.ways import Way
    from containerdeploy.edge.table import Colour, Entry, Table
    from containerdeploy.engines.base import Engine
    from containerdeploy.host import Host

CHECK_TIMEOUT = 30.0
POLL = 0.02


def settings_of(host: Host) -> Settings:
    """The host's part of the proxy's configuration."""
    return Settings(address=edge_address(edge_subnet(host.pool)), tcp=host.tcp)


class HAProxyEdge:
    """The HAProxy of this host. Making one does no I/O. Thread- and process-safe.

    Args:
        host: whose edge it is.
        engine: runs the proxy's checker, and carries commands where a Unix socket can't.
        way: how to reach the proxy; by default the sockets, or an exec where they don't answer.
    """

    def __init__(self, host: Host, engine: Engine, *, way: Way | None = None) -> None:
        self._host = host
        self._engine = engine
        self._files = EdgeFiles(host.edge_state)
        self._settings = settings_of(host)
        self._way = way

    def answers(self) -> bool:
        """Whether the proxy answers; raises `EdgeError` or `HostNotReady` saying why not."""
        return bool(self._runtime().shape())

    # -- the table -----------------------------------------------------------------

    def table(self) -> Table:
        """See `Edge.table`."""
        return self._files.table()

    def change(self, edit: Callable[[Table], Table]) -> Applied:
        """See `Edge.change`.

        A reload waits while a service holds its callers: those wait in the process
        that a reload would replace, where nothing could let them go on.
        """
        deadline: float | None = None
        while True:
            with self._files.lock():
                before = self._files.table()
                after = edit(before)
                if after == before:
                    return Applied(before)
                config = config_text(after, self._settings)
                runtime = self._runtime()
                reload = runtime.shape() != shape_of(config)
                held = [entry for entry in before.entries.values() if entry.live == HOLD]
                if not (reload and held):
                    return self._apply(runtime, before, after, config, reload=reload)
            now = time.monotonic()
            deadline = deadline or now + max(entry.hold_seconds for entry in held) + 5
            if now >= deadline:
                raise EdgeError(
                    f"{', '.join(entry.key for entry in held)} still holds its callers, and "
                    "a new service or port needs a reload, which would lose them",
                    hint="let that rollout end (`cdeploy up` it again if it died), then run this",
                )
            time.sleep(POLL)

    def settle(self) -> bool:
        """See `Edge.settle`."""
        with self._files.lock():
            table = self._files.table()
            config = config_text(table, self._settings)
            entries = map_entries(table)
            runtime = self._runtime()
            stale = self._files.texts() != (config, map_text(entries))
            if runtime.shape() != shape_of(config):
                self._apply(runtime, table, table, config, reload=True)
                return True
            if stale:
                self._files.write(table, config, map_text(entries))
            moved, _ = self._follow(runtime, table)
            return stale or moved

    def _apply(
        self, runtime: Runtime, before: Table, after: Table, config: str, *, reload: bool
    ) -> Applied:
        if reload:
            self._reload(runtime, before, after, config)
            return Applied(after, reloaded=True)
        self._files.write(after, config, map_text(map_entries(after)))
        _, seconds = self._follow(runtime, after)
        return Applied(after, switch_seconds=seconds)

    def _follow(self, runtime: Runtime, table: Table) -> tuple[bool, float]:
        """Make the running process have this table; whether it had to, and the switch's seconds."""
        wanted = differences(table, runtime.slots())
        runtime.tell(wanted.before)
        entries = map_entries(table)
        seconds = 0.0
        switched = runtime.entries() != entries
        if switched:
            begun = time.perf_counter()
            runtime.replace_map(entries)
            seconds = time.perf_counter() - begun
            if runtime.entries() != entries:
                raise EdgeError(
                    "the edge does not have the routes that it was given",
                    hint="run the command again: it settles the edge first",
                )
        runtime.tell(wanted.after)
        return bool(switched or wanted.before or wanted.after), seconds

    def _reload(self, runtime: Runtime, before: Table, after: Table, config: str) -> None:
        """Check a new configuration, take it over, and wait until it runs."""
        self._check(config)
        previous = self._files.texts()
        self._files.write(after, config, map_text(map_entries(after)))
        done, words = runtime.reload()
        if not done:
            self._files.write(before, *previous)
            raise EdgeError(
                "the edge did not take its new configuration; the one before still serves",
                hint="its own words are below",
                detail=words,
            )
        deadline = time.monotonic() + CHECK_TIMEOUT
        while runtime.shape() != shape_of(config):
            if time.monotonic() >= deadline:
                raise EdgeError("the edge has reloaded, but its old process still answers")
            time.sleep(POLL)
        self._follow(runtime, after)

    def _check(self, config: str) -> None:
        """Let the proxy's own checker read it first: nothing is changed when it refuses."""
        self._files.write_candidate(config)
        try:
            path = f"{CONFIG_DIR}/{self._files.candidate.name}"
            argv = ("haproxy", "-c", "-f", path)
            ran = self._engine.run(self._host.edge, argv, timeout=CHECK_TIMEOUT)
        except NotFound as error:
            raise HostNotReady("there is no edge on this host", hint="cdeploy bootstrap") from error
        finally:
            self._files.drop_candidate()
        if ran.exit_code != 0:
            raise EdgeError(
                "the edge's checker refuses the new configuration; nothing was changed",
                hint="its own words are below; `cdeploy doctor` says more",
                detail=(ran.stderr + ran.stdout).strip(),
            )

    # -- what goes on ----------------------------------------------------------------

    def figures(self) -> Mapping[tuple[str, Colour | str], Figures]:
        """See `Edge.figures`. What was let go on from the hold counts to its colour too."""
        table = self._files.table()
        runtime = self._runtime()
        rows: dict[str, dict[str, str]] = {}
        in_flight: dict[str, Counter[str]] = defaultdict(Counter)
        for row in runtime.stat():
            name, server = row["pxname"], row["svname"]
            if server == "BACKEND":
                rows[name] = row
            elif server not in ("FRONTEND", "gate"):
                address = row.get("addr", "").rpartition(":")[0]
                if address != PLACEHOLDER:
                    in_flight[name][address] += _number(row, "scur")
        queued: Counter[str] = Counter()
        for pid in runtime.old_pids():
            for stream in runtime.old_streams(pid):
                queued[stream.backend] += 1
                if stream.address:
                    in_flight[stream.backend][stream.address] += 1
        return {
            (entry.key, backend): _figures(entry, backend, rows, in_flight, queued)
            for entry in table.entries.values()
            for backend in backends_of(entry)
        }

    def lingering(self) -> bool:
        """See `Edge.lingering`: whether an old process could still take a new request.

        Its listening sockets are closed, so that needs an idle kept-alive connection:
        one without a stream. What it has in flight is counted by `figures`.
        """
        runtime = self._runtime()
        for pid in runtime.old_pids():
            connections = int(runtime.info(pid).get("CurrConns", "0"))
            if connections > len(runtime.old_streams(pid)):
                return True
        return False

    def close_sessions(self, key: str, colour: Colour) -> None:
        """See `Edge.close_sessions`."""
        entry = self._entry(key)
        runtime = self._runtime()
        slots = runtime.slots()
        ours = {
            slot.address for (name, _), slot in slots.items() if name == backend_name(entry, colour)
        }
        backends = {backend_name(entry, colour), backend_name(entry, HOLD)}
        runtime.tell(
            f"shutdown sessions server {backend}/{server}"
            for (backend, server), slot in slots.items()
            if backend in backends and server != "gate" and slot.address in ours
        )
        for pid in runtime.old_pids():
            for stream in runtime.old_streams(pid):
                if stream.backend in backends:
                    runtime.end_old(pid, stream)

    def request(
        self,
        key: str,
        colour: Colour,
        method: str,
        path: str,
        *,
        host: str = "",
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
        timeout: float = 10.0,
    ) -> Answer:
        """See `Edge.request`."""
        entry = self._entry(key)
        if entry.protocol != "http":
            raise EdgeError(
                f"{key} speaks plain tcp: it can't be asked by HTTP",
                hint="a check of kind http needs a service with an http route or a health path",
            )
        return ask_http(
            self._reach(),
            backend_name(entry, colour),
            method,
            path,
            host=host or entry.service,
            headers=headers or {},
            body=body,
            timeout=timeout,
        )

    # -- how to get there ----------------------------------------------------------------

    def _entry(self, key: str) -> Entry:
        entry = self._files.table().entries.get(key)
        if entry is None:
            raise EdgeError(f"the edge does not know {key}", hint="deploy it with `cdeploy up`")
        return entry

    def _runtime(self) -> Runtime:
        return Runtime(self._reach(), self._settings.map)

    def _reach(self) -> Way:
        """The sockets where they answer, else an exec in the proxy's running container."""
        if self._way is not None:
            return self._way
        sockets = SocketWay(self._files.run)
        if sockets.answers():
            return sockets
        try:
            status = self._engine.state(self._host.edge).status
        except NotFound as error:
            raise HostNotReady(
                "there is no edge on this host", hint="run `cdeploy bootstrap`"
            ) from error
        if status != "running":
            raise HostNotReady(
                f"the edge {self._host.edge} is {status}", hint="run `cdeploy bootstrap`"
            )
        return ExecWay(self._engine, self._host.edge)


def _figures(
    entry: Entry,
    backend: str,
    rows: Mapping[str, Mapping[str, str]],
    in_flight: Mapping[str, Counter[str]],
    old: Counter[str],
) -> Figures:
    name = backend_name(entry, backend)
    row = rows.get(name, {})
    by_address = Counter(in_flight.get(name, Counter()))
    current = _number(row, "scur") + old[name]
    if backend in COLOURS:
        # By address: a hold's slots follow the live colour, whose servers they are.
        let_go = in_flight.get(backend_name(entry, HOLD), Counter())
        for address, count in let_go.items():
            if address in by_address:
                by_address[address] += count
                current += count
    failed = ("hrsp_5xx",) if entry.protocol == "http" else ("econ", "eresp")
    return Figures(
        current=current,
        total=_number(row, "stot"),
        errors=sum(_number(row, column) for column in failed),
        by_address=dict(by_address),
    )


def _number(row: Mapping[str, str], column: str) -> int:
    return int(row.get(column) or 0)
