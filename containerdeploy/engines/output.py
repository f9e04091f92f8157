"""What comes out of containers: logs, commands that are run in them, and their files."""

from __future__ import annotations

import posixpath
import select
import socket
import time
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING, cast

from containerdeploy.check import PathInfo, Ran
from containerdeploy.engines.frames import Demultiplexer, lines
from containerdeploy.engines.wire import EngineSilentError, quoted, shown, translated
from containerdeploy.errors import EngineError, NotFound, StepTimeout

if TYPE_CHECKING:
    import http.client
    import tarfile
    from collections.abc import Iterator

    from containerdeploy.engines.base import LogLine
    from containerdeploy.engines.wire import Connection, Wire

CANNOT_RUN = (126, 127)
"""Exit codes that the runtime uses when it could not run a command."""
COARSE = 1e-6
"""Seconds by which a time may be off as a float; `since` is moved back by it, so that the line
of that very time is there."""
LARGEST = 64 * 1024 * 1024
"""Bytes of a file that `read` takes into memory."""
LINKS = 20


class LogStream:
    """A container's log lines; `close` (also from another thread) ends the iteration."""

    def __init__(
        self, wire: Wire, path: str, connection: Connection, response: http.client.HTTPResponse
    ) -> None:
        self._wire = wire
        self._path = path
        self._connection = connection
        self._response = response
        self._closed = False
        self._lines = lines(self._frames())

    def __iter__(self) -> Iterator[LogLine]:
        return self

    def __next__(self) -> LogLine:
        try:
            return next(self._lines)
        except BaseException:  # the end, an error, or Ctrl-C: nothing more is read
            self.close()
            raise

    def __del__(self) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection; harmless when it is closed."""
        self._closed = True
        self._connection.abort()

    def _frames(self) -> Iterator[tuple[str, bytes]]:
        parts = Demultiplexer()
        while True:
            try:
                with translated(self._wire.address, "GET", self._path, self._connection.timeout):
                    data = self._response.read1(65536)
            except (EngineError, ValueError, AttributeError):
                if self._closed:
                    return
                raise
            if not data:
                return
            yield from parts.feed(data)


class Output:
    """The part of the driver that looks into containers."""

    _wire: Wire

    def logs(
        self,
        container: str,
        *,
        tail: int | None = None,
        since: float = 0.0,
        follow: bool = False,
    ) -> Iterator[LogLine]:
        """See `Engine.logs`; the iterator has a `close`."""
        path = f"/containers/{quoted(container)}/logs"
        query = {
            "stdout": "1",
            "stderr": "1",
            "timestamps": "1",
            "tail": None if tail is None else tail,
            "since": f"{since - COARSE:.9f}" if since else None,
            "follow": "1" if follow else None,
        }
        connection, response = self._wire.open("GET", path, query=query)
        if follow:
            connection.deadline(None)  # a silent container is no error
        return LogStream(self._wire, path, connection, response)

    def run(
        self,
        container: str,
        argv: tuple[str, ...],
        *,
        user: str = "",
        timeout: float = 30.0,
        stdin: bytes = b"",
    ) -> Ran:
        """See `Engine.run`. A command that is given up on may still run in the container."""
        deadline = time.monotonic() + timeout
        asked = {
            "AttachStdin": bool(stdin),
            "AttachStdout": True,
            "AttachStderr": True,
            "Cmd": list(argv),
            "User": user,
        }
        path = f"/containers/{quoted(container)}/exec"
        made = self._wire.call("POST", path, data=asked, allow=(409,))
        if made.status == 409:
            raise EngineError(f"a command can't be run in {shown(container)}: {made.words}")
        run = str(made.json()["Id"])
        try:
            sock, rest = self._wire.hijack(
                f"/exec/{run}/start", {"Detach": False, "Tty": False}, timeout=timeout
            )
        except NotFound:
            raise
        except EngineError as error:  # 26 and newer answer so; 20.10 writes it into the stream
            if _could_not(error.message):
                return Ran(None, "", error.message)
            raise
        try:
            with translated(self._wire.address, "POST", f"/exec/{run}/start", timeout):
                stdout, stderr = _exchange(sock, rest, stdin, deadline)
            code = self._exit_code(run, deadline)
        except EngineSilentError as error:
            raise StepTimeout(
                f"{' '.join(argv)} in {shown(container)} took more than {timeout:g} s",
                hint="it may still run in there; give it more time, or find out what it waits for",
            ) from error
        finally:
            sock.close()
        if code in CANNOT_RUN and _could_not(stdout + stderr):
            return Ran(None, "", (stdout + stderr).strip())
        return Ran(code, stdout, stderr)

    def _exit_code(self, run: str, deadline: float) -> int:
        """The exit code; the engine learns it a moment after the output has ended."""
        while True:
            raw = self._wire.call("GET", f"/exec/{run}/json").json()
            if not raw["Running"] and raw["ExitCode"] is not None:
                return int(raw["ExitCode"])
            if time.monotonic() > deadline:
                raise EngineSilentError(f"the engine does not say how the command {run[:12]} ended")
            time.sleep(0.005)

    def stat(self, container: str, path: str) -> PathInfo | None:
        """See `Engine.stat`. A symbolic link is described itself, not what it points to."""
        with self._member(container, path) as found:
            if found is None:
                return None
            member, _ = found
            return PathInfo(
                path=path,
                type=_type(member),
                mode=member.mode & 0o7777,
                size=member.size,
                link_target=member.linkname if member.issym() else "",
                uid=member.uid,
                gid=member.gid,
            )

    def read(self, container: str, path: str) -> bytes:
        """See `Engine.read`; symbolic links are followed. Raises `NotFound` when nothing is
        there and `EngineError` for what is no regular file or is larger than 64 MiB."""
        asked = path
        for _ in range(LINKS):
            with self._member(container, path) as found:
                if found is None:
                    raise NotFound(f"{shown(container)} has no {asked}")
                member, tar = found
                if member.issym():
                    path = posixpath.join(posixpath.dirname(path), member.linkname)
                    continue
                if not member.isfile():
                    raise EngineError(
                        f"{asked} in {shown(container)} is a {_type(member)}, not a file"
                    )
                if member.size > LARGEST:
                    raise EngineError(
                        f"{asked} in {shown(container)} has more than {LARGEST} bytes"
                    )
                content = cast("IO[bytes]", tar.extractfile(member))
                with translated(self._wire.address, "GET", path, None):
                    return content.read()
        raise EngineError(f"{asked} in {shown(container)} is a circle of symbolic links")

    @contextmanager
    def _member(
        self, container: str, path: str
    ) -> Iterator[tuple[tarfile.TarInfo, tarfile.TarFile] | None]:
        """The first entry of a path's archive; None when the path is not there."""
        import tarfile  # here, since most commands never look into a container

        url = f"/containers/{quoted(container)}/archive"
        with self._wire.stream("GET", url, query={"path": path}, allow=(404,)) as response:
            if response.status == 404:
                words = response.read().decode(errors="replace")
                if "No such container" in words:
                    raise NotFound(f"the engine has no container {container}")
                yield None
                return
            with (
                translated(self._wire.address, "GET", url, None),
                tarfile.open(fileobj=response, mode="r|") as tar,
            ):
                member = tar.next()
                if member is None:
                    raise EngineError(
                        f"the engine's archive of {path} in {shown(container)} is empty"
                    )
                yield member, tar


def _could_not(words: str) -> bool:
    return "OCI runtime exec failed" in words or "executable file not found" in words


def _exchange(sock: socket.socket, rest: bytes, stdin: bytes, deadline: float) -> tuple[str, str]:
    """Send `stdin` and read what comes, at once; raises TimeoutError at the deadline."""
    parts = Demultiplexer()
    out = {"stdout": bytearray(), "stderr": bytearray()}
    for stream, content in parts.feed(rest):
        out[stream] += content
    unsent = memoryview(stdin)
    sock.setblocking(False)
    poll = select.poll()
    poll.register(sock, select.POLLIN | (select.POLLOUT if stdin else 0))
    while True:
        left = deadline - time.monotonic()
        if left <= 0 or not (ready := poll.poll(left * 1000)):
            raise TimeoutError
        happened = ready[0][1]
        if happened & select.POLLOUT and unsent:
            unsent = unsent[sock.send(unsent[:65536]) :]
            if not unsent:
                sock.shutdown(socket.SHUT_WR)  # the command sees the end of its input
                poll.modify(sock, select.POLLIN)
        if happened & (select.POLLIN | select.POLLHUP | select.POLLERR):
            data = sock.recv(65536)
            if not data:
                break
            for stream, content in parts.feed(data):
                out[stream] += content
    for stream, content in parts.finish():
        out[stream] += content
    return out["stdout"].decode(errors="replace"), out["stderr"].decode(errors="replace")


def _type(member: tarfile.TarInfo) -> str:
    if member.isdir():
        return "directory"
    if member.issym():
        return "link"
    return "file" if member.isfile() else "other"
