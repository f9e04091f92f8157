"""What the running proxy is told and asked: HAProxy's own command line, parsed.

Its replies have no status code: for most commands a blank reply is done and any text
is an error (HAProxy 3.0 management guide, section 9.3). Everything here was tried on 3.0.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from containerdeploy.errors import EdgeError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from containerdeploy.edge.haproxy.ways import Way

TIMEOUT = 10.0
RELOAD_TIMEOUT = 60.0
CHUNK = 10_000
"""Bytes in one batch of commands: the proxy takes a payload only as far as one of its
buffers (16 KB) goes."""

_FORCED_MAINT = 0x01
"""The bit of `srv_admin_state` (`show servers state`, management guide) that means
maintenance now; 0x04 only tells that the configuration once said `disabled`."""

_UNKNOWN_PID = b"Can't find the target PID"


@dataclass(frozen=True, slots=True)
class Slot:
    """A server of a backend as it is now."""

    address: str
    port: int
    maint: bool


@dataclass(frozen=True, slots=True)
class Stream:
    """A request or TCP session in flight in one process."""

    id: str
    backend: str
    address: str


class Runtime:
    """The client of one proxy's admin and master sockets."""

    def __init__(self, way: Way, map_path: str) -> None:
        self._way = way
        self._map = map_path

    # -- commands ----------------------------------------------------------------

    def ask(self, *commands: str) -> list[str]:
        """The reply to each command, all through one connection.

        Raises:
            EdgeError: the proxy did not answer every one of them.
        """
        text = "\n".join(("prompt", *commands, "quit", ""))
        raw = self._way.exchange("admin", text.encode(), timeout=TIMEOUT).decode(errors="replace")
        # Interactive mode ends each reply with "\n> " and echoes "+ " for a payload's lines;
        # what no prompt ends is not a whole reply.
        replies = raw.split("\n> ")[1:-1]
        if len(replies) != len(commands):
            raise EdgeError(
                f"the edge answered {len(replies)} of {len(commands)} commands",
                hint="`cdeploy doctor` says what is wrong with it",
                detail=raw[-2000:],
            )
        return [re.sub(r"^(\+ )+", "", reply).strip("\n") for reply in replies]

    def tell(self, commands: Iterable[str]) -> None:
        """Do all of this; raises `EdgeError` with the proxy's words at the first refusal."""
        batch: list[str] = []
        for command in commands:
            if batch and sum(map(len, batch)) + len(command) > CHUNK:
                self._tell(batch)
                batch = []
            batch.append(command)
        if batch:
            self._tell(batch)

    def _tell(self, commands: list[str]) -> None:
        for command, reply in zip(commands, self.ask(*commands), strict=True):
            if not _done(reply.strip()):
                first = command.splitlines()[0]
                raise EdgeError(f"the edge refused `{first}`: {reply.strip()}")

    # -- what is there -------------------------------------------------------------

    def info(self, pid: str = "") -> dict[str, str]:
        """`show info` of the current process, or of an old one by its pid."""
        text = self._old(pid, "show info") if pid else self.ask("show info")[0]
        pairs = (line.partition(": ") for line in text.splitlines())
        return {name: value for name, sep, value in pairs if sep}

    def shape(self) -> str:
        """The digest of the configuration's shape that runs (`render.shape_of`)."""
        return self.info().get("description", "")

    def slots(self) -> dict[tuple[str, str], Slot]:
        """Every server by (backend, server)."""
        lines = self.ask("show servers state")[0].splitlines()
        names = lines[1].removeprefix("# ").split() if len(lines) > 1 else []
        found: dict[tuple[str, str], Slot] = {}
        for line in lines[2:]:
            row = dict(zip(names, line.split(), strict=False))
            if "srv_name" not in row:
                continue
            admin = int(row["srv_admin_state"])
            found[row["be_name"], row["srv_name"]] = Slot(
                address=row["srv_addr"],
                port=int(row["srv_port"]),
                maint=bool(admin & _FORCED_MAINT),
            )
        return found

    def stat(self) -> list[dict[str, str]]:
        """`show stat`, a dictionary a row, by the names in its header line."""
        lines = self.ask("show stat")[0].splitlines()
        if not lines or not lines[0].startswith("# "):
            raise EdgeError("the edge's `show stat` has no header line", detail="\n".join(lines))
        names = lines[0].removeprefix("# ").split(",")
        return [dict(zip(names, line.split(","), strict=False)) for line in lines[1:] if line]

    def entries(self) -> dict[str, str]:
        """The map's entries in the proxy's memory."""
        reply = self.ask(f"show map {self._map}")[0]
        found: dict[str, str] = {}
        for line in reply.splitlines():
            if not line.strip():
                continue
            pointer, _, rest = line.partition(" ")
            if not pointer.startswith("0x"):
                raise EdgeError(f"the edge has no map {self._map}: {reply.strip()}")
            key, _, value = rest.partition(" ")
            found[key] = value
        return found

    # -- the switch ------------------------------------------------------------------

    def replace_map(self, entries: Mapping[str, str]) -> None:
        """Make these the map's entries, all at once.

        A version that was prepared and not committed is never looked at, and goes
        with the next commit.
        """
        reply = self.ask(f"prepare map {self._map}")[0]
        match = re.search(r"New version created: (\d+)", reply)
        if match is None:
            raise EdgeError(f"the edge refused a new version of its map: {reply.strip()}")
        version = match.group(1)
        self.tell(self._additions(version, entries))
        self.tell([f"commit map @{version} {self._map}"])

    def _additions(self, version: str, entries: Mapping[str, str]) -> Iterable[str]:
        lines: list[str] = []
        for key, value in entries.items():
            line = f"{key} {value}"
            if lines and sum(map(len, lines)) + len(lines) + len(line) > CHUNK:
                yield self._addition(version, lines)
                lines = []
            lines.append(line)
        if lines:
            yield self._addition(version, lines)

    def _addition(self, version: str, lines: list[str]) -> str:
        return "\n".join((f"add map @{version} {self._map} <<", *lines, ""))

    # -- processes -------------------------------------------------------------------

    def reload(self) -> tuple[bool, str]:
        """Take over the configuration on disk: whether it went through, and the proxy's words.

        The master answers when the new process serves (HAProxy 2.7 and newer).
        """
        raw = self._way.exchange("master", b"reload\n", timeout=RELOAD_TIMEOUT)
        text = raw.decode(errors="replace")
        return text.startswith("Success=1"), text.partition("--\n")[2].strip()

    def old_pids(self) -> tuple[str, ...]:
        """Processes from before a reload that still carry something."""
        text = self._master("show proc")
        _, found, rest = text.partition("# old workers")
        if not found:
            return ()
        section = rest.partition("# programs")[0]
        return tuple(re.findall(r"^(\d+)\s+worker", section, re.MULTILINE))

    def old_streams(self, pid: str) -> tuple[Stream, ...]:
        """What an old process has in flight. Its `show stat` is empty: its proxies are stopped."""
        found: list[Stream] = []
        for block in re.split(r"(?m)^(?=0x)", self._old(pid, "show sess all")):
            frontend = re.search(r"^\s*frontend=(\S+)", block, re.MULTILINE)
            if frontend is None or frontend.group(1) in ("GLOBAL", "MASTER"):
                continue
            backend = re.search(r"^\s*backend=(\S+)", block, re.MULTILINE)
            server = re.search(r"^\s*server=\S+ \(id=\d+\) addr=([0-9.]+):", block, re.MULTILINE)
            found.append(
                Stream(
                    id=block.partition(":")[0],
                    backend=backend.group(1) if backend else "",
                    address=server.group(1) if server else "",
                )
            )
        return tuple(found)

    def end_old(self, pid: str, stream: Stream) -> None:
        """End one stream of an old process; harmless when it is over."""
        self._old(pid, f"shutdown session {stream.id}")

    def _old(self, pid: str, command: str) -> str:
        """A command to an old process; its reply, or "" when it is gone."""
        reply = self._master(f"@!{pid} {command}")
        return "" if _UNKNOWN_PID.decode() in reply else reply

    def _master(self, command: str) -> str:
        raw = self._way.exchange(
            "master", f"{command}\nquit\n".encode(), timeout=TIMEOUT, until=_UNKNOWN_PID
        )
        return raw.decode(errors="replace")


def _done(reply: str) -> bool:
    """Whether a reply means done: nothing, or what `set server ... addr` says of its work."""
    return not reply or reply.startswith(("IP changed from", "port changed from", "no need to"))
