"""The engine's multiplexed output: frames of stdout and stderr, and lines made of them.

A frame is one byte of stream (1 stdout, 2 stderr), three zeros, four bytes of length
(big endian), and the content: Engine API, "Attach to a container", stream format.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from containerdeploy.engines.base import LogLine

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

HEADER = 8
STREAMS = {0: "stdout", 1: "stdout", 2: "stderr"}
LONGEST = 1_000_000
"""Bytes of one log line; a longer one is cut into several."""

_STAMP = re.compile(rb"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?(Z|[+-]\d\d:\d\d) ")


class Demultiplexer:
    """Takes bytes as they come; gives whole frames.

    What does not look like a frame is the runtime's own words, written to the raw
    connection when a command could not be started: all that follows is "stderr".
    """

    def __init__(self) -> None:
        self._rest = b""
        self._raw = False

    def feed(self, data: bytes) -> list[tuple[str, bytes]]:
        """The frames that are complete now, as (stream, content)."""
        self._rest += data
        frames = []
        while not self._raw and len(self._rest) >= HEADER:
            if self._rest[0] not in STREAMS or self._rest[1:4] != b"\0\0\0":
                self._raw = True
                break
            end = HEADER + int.from_bytes(self._rest[4:HEADER], "big")
            if len(self._rest) < end:
                break
            frames.append((STREAMS[self._rest[0]], self._rest[HEADER:end]))
            self._rest = self._rest[end:]
        if self._raw:
            frames.append(("stderr", self._rest))
            self._rest = b""
        return frames

    def finish(self) -> list[tuple[str, bytes]]:
        """What is left when the stream has ended in the middle of a frame."""
        rest, self._rest = self._rest, b""
        return [("stderr", rest)] if rest and rest[0] not in STREAMS else []


def lines(frames: Iterable[tuple[str, bytes]]) -> Iterator[LogLine]:
    """Log lines from time-stamped frames.

    The engine stamps each frame, also the parts of a line longer than 16 KiB, so
    parts are joined by stream until the line's end; bytes that are no UTF-8 become U+FFFD.
    """
    parts: dict[str, tuple[float, bytes]] = {}
    for stream, content in frames:
        at, text = _stamped(content)
        first, before = parts.pop(stream, (at, b""))
        text = before + text
        if not text.endswith(b"\n") and len(text) < LONGEST:
            parts[stream] = (first, text)
            continue
        yield _line(first, stream, text)
    for stream, (at, text) in sorted(parts.items(), key=lambda part: part[1][0]):
        yield _line(at, stream, text)


def seconds(text: str) -> float:
    """An RFC 3339 time of the engine in seconds since the epoch; 0.0 for "never" (year 1)."""
    if not text or text.startswith("0001-"):
        return 0.0
    return _stamped(text.encode() + b" ")[0]


def _line(at: float, stream: str, text: bytes) -> LogLine:
    return LogLine(at=at, stream=stream, text=text.rstrip(b"\r\n").decode(errors="replace"))


def _stamped(content: bytes) -> tuple[float, bytes]:
    match = _STAMP.match(content)
    if match is None:
        return 0.0, content
    whole, fraction, zone = (part.decode() if part else "" for part in match.groups())
    moment = datetime.fromisoformat(whole + ("+00:00" if zone == "Z" else zone))
    nanoseconds = float(f"0.{fraction}") if fraction else 0.0
    return moment.astimezone(UTC).timestamp() + nanoseconds, content[match.end() :]
