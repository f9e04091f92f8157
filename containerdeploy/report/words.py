"""How times, sizes and names are said."""

from __future__ import annotations

import time

MINUTE, HOUR, DAY = 60.0, 3600.0, 86400.0


def duration(seconds: float) -> str:
    """A span of time: ``1.7 ms``, ``350 ms``, ``4.2 s``, ``2 min 5 s``."""
    if seconds < 0.01:
        return f"{seconds * 1000:.1f} ms"
    if seconds < 0.9995:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 59.95:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if rest else f"{minutes} min"


def age(seconds: float) -> str:
    """How long ago, coarsely: ``42 s``, ``5 min``, ``3 h``, ``9 d``."""
    for unit, name in ((DAY, "d"), (HOUR, "h"), (MINUTE, "min")):
        if seconds >= unit:
            return f"{int(seconds // unit)} {name}"
    return f"{max(0, int(seconds))} s"


def moment(at: float) -> str:
    """A moment (seconds since the epoch) in this host's time: ``2026-01-31 14:05:09``."""
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(at))


def size(count: int) -> str:
    """Bytes, in units of 1000 as `docker images` counts: ``124 MB``."""
    value = float(count)
    for unit in ("B", "kB", "MB"):
        if value < 999.5:
            return f"{value:.0f} {unit}" if value >= 10 or unit == "B" else f"{value:.1f} {unit}"
        value /= 1000
    return f"{value:.1f} GB"


def counted(count: int, noun: str, plural: str = "") -> str:
    """A number and its noun: ``1 service``, ``3 services``."""
    return f"{count} {noun if count == 1 else plural or noun + 's'}"


def listed(names: tuple[str, ...] | list[str]) -> str:
    """Names as a sentence has them: ``web, db and cache``."""
    if len(names) < 2:
        return "".join(names)
    return f"{', '.join(names[:-1])} and {names[-1]}"


def shortened(text: str, width: int) -> str:
    """At most `width` characters of one line, with an ellipsis where some are left out."""
    if len(text) <= width:
        return text
    return text[: max(0, width - 1)] + "…"


def printable(text: str) -> str:
    """A line of foreign text without control characters: it can't move the cursor."""
    return "".join(c if c.isprintable() else " " for c in text).strip()
