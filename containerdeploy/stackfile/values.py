"""The values of a stack file's keys: from what is written to what is meant.

Each function takes what tomllib gave and returns the value, or raises `Wrong`
with what it should be. Numbers and switches may be written as strings, so that
``${NAME}`` can fill them.
"""

from __future__ import annotations

import math
import re
from datetime import date, time
from typing import TYPE_CHECKING, Any, TypeVar

from containerdeploy.stackfile.problems import Wrong, nearest
from containerdeploy.stackfile.words import CAPABILITIES, SIGNALS

if TYPE_CHECKING:
    from collections.abc import Callable

_T = TypeVar("_T")

_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
_DURATION = re.compile(r"(?:\d+(?:\.\d+)?(?:ms|s|m|h))+")
_DURATION_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h)")
_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([KMGT])(?:i?B)?", re.IGNORECASE)
_SIZE_UNITS = {"K": 2**10, "M": 2**20, "G": 2**30, "T": 2**40}
_NAME = re.compile(r"[a-z][a-z0-9-]*")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
# The grammar of github.com/distribution/reference, without its length limits.
_COMPONENT = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_IMAGE = re.compile(
    rf"(?:(?:[A-Za-z0-9.-]+|\[[0-9a-fA-F:]+\])(?::\d+)?/)?{_COMPONENT}(?:/{_COMPONENT})*"
    r"(?::[A-Za-z0-9_][A-Za-z0-9_.-]{0,127})?(?:@sha256:[0-9a-f]{64})?"
    r"|sha256:[0-9a-f]{64}"
)
NAME_LENGTH = 40
MAX_SECONDS = 7 * 24 * 3600.0
MEMORY_FLOOR = 6 * 2**20
RESERVED_LABELS = "cdeploy."


def text(value: Any) -> str:
    """A string that is not empty."""
    if not isinstance(value, str):
        raise Wrong("should be a string")
    if not value.strip():
        raise Wrong("should not be empty", hint="leave the key out")
    return str(value)


def whole(value: Any, least: int, most: int) -> int:
    """A whole number between bounds, or a string that holds one."""
    wrong = Wrong(f"should be a whole number from {least} to {most}")
    if isinstance(value, str) and re.fullmatch(r"\d{1,18}", value, re.ASCII):
        value = int(value)
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
        raise wrong
    return value


def port(value: Any) -> int:
    """A TCP port."""
    return whole(value, 1, 65535)


def replicas(value: Any) -> int:
    """A number of containers."""
    return whole(value, 1, 100)


def keep(value: Any) -> int:
    """A number of retired releases."""
    return whole(value, 0, 50)


def status(value: Any) -> int:
    """An HTTP status."""
    return whole(value, 100, 599)


def pids(value: Any) -> int:
    """A number of processes."""
    return whole(value, 1, 4_194_304)  # the kernel's own bound, proc(5): pid_max


def cpus(value: Any) -> float:
    """A number of processors; the engine's floor is 0.01."""
    if isinstance(value, str) and re.fullmatch(r"\d{1,4}(\.\d{1,9})?", value, re.ASCII):
        value = float(value)
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if not number or not 0.01 <= value <= 1024:
        raise Wrong("should be a number of processors from 0.01 to 1024, such as 0.5")
    return float(value)


def switch(value: Any) -> bool:
    """True or false, or a string that says so."""
    if isinstance(value, str) and value in ("true", "false"):
        return value == "true"
    if not isinstance(value, bool):
        raise Wrong("should be true or false")
    return value


def seconds(value: Any) -> float:
    """A time such as ``"30s"``, ``"1m30s"`` or ``"500ms"``, or a number of seconds."""
    wrong = Wrong('should be a time such as "30s", "5m" or "500ms"')
    if isinstance(value, bool):
        raise wrong
    if isinstance(value, str):
        if not _DURATION.fullmatch(value):
            raise wrong
        # Rounded to the millisecond: "500ms" is 0.5, not 500 * 0.001.
        parts = _DURATION_PART.findall(value)
        value = round(sum(float(number) * _UNITS[unit] for number, unit in parts), 3)
    if not isinstance(value, int | float) or not math.isfinite(value) or value < 0:
        raise wrong
    if value > MAX_SECONDS:
        raise Wrong("should be at most 7 days")
    return float(value)


def seconds_or_none(value: Any) -> float:
    """A time, or ``"none"`` for no time at all."""
    try:
        return 0.0 if value == "none" else seconds(value)
    except Wrong as wrong:
        raise Wrong(f'{wrong.message}, or "none"') from wrong


def some_seconds(value: Any) -> float:
    """A time that is not zero; at least 10 ms."""
    found = seconds(value)
    if found < 0.01:
        raise Wrong("should be at least 10ms")
    return found


def memory(value: Any) -> int:
    """A size such as ``"256M"``, in bytes; units are powers of 1024."""
    found = _SIZE.fullmatch(value) if isinstance(value, str) else None
    if not found or len(found[1]) > 15:
        raise Wrong('should be a size with its unit, such as "256M" or "1.5G"')
    size = int(float(found[1]) * _SIZE_UNITS[found[2].upper()])
    if size < MEMORY_FLOOR:
        raise Wrong("should be at least 6M: the engine refuses less")
    if size > 2**50:
        raise Wrong("should be at most 1024T")
    return size


def words(value: Any) -> tuple[str, ...]:
    """The words of a command; may be empty."""
    if not isinstance(value, list):
        hint = "no shell is involved" if isinstance(value, str) else ""
        raise Wrong('should be a list of words such as ["python3", "app.py"]', hint=hint)
    each(value, _string)
    return tuple(str(word) for word in value)


def program(value: Any) -> tuple[str, ...]:
    """The words of a command, of which the first is a program."""
    found = words(value)
    if not found or not found[0]:
        raise Wrong('should name a program, such as ["python3", "app.py"]')
    return found


def strings(value: Any) -> tuple[str, ...]:
    """A string, or a list of strings."""
    if isinstance(value, str):
        return (text(value),)
    if not isinstance(value, list):
        raise Wrong("should be a string or a list of strings")
    return unique(each(value, text))


def name(value: Any) -> str:
    """The name of a stack or service; it becomes part of container and host names."""
    if not isinstance(value, str) or not _NAME.fullmatch(value) or len(value) > NAME_LENGTH:
        raise Wrong(
            "should be a name of small letters, digits and hyphens that starts with a letter, "
            f"of at most {NAME_LENGTH} characters"
        )
    return str(value)


def service_name(value: Any) -> str:
    """The name of a service; it becomes a host name in the containers that use it."""
    found = name(value)
    if found == "localhost":
        raise Wrong("can't be localhost: in a container that is the container itself")
    return found


def service_names(value: Any) -> tuple[str, ...]:
    """Names of services."""
    if not isinstance(value, list):
        raise Wrong('should be a list of services such as ["db"]')
    return unique(each(value, text))


def variable(value: Any) -> str:
    """The name of an environment variable or of a secret."""
    if not isinstance(value, str) or not _VARIABLE.fullmatch(value):
        raise Wrong("needs a name of letters, digits and underscores, such as SESSION_KEY")
    return str(value)


def variables(value: list[Any]) -> tuple[str, ...]:
    """Names of environment variables or secrets."""
    return unique(each(value, variable))


def plain(value: Any) -> str:
    """A string, number or switch, as text: ``true`` stays ``true``."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if not isinstance(value, str | int | float) or isinstance(value, date | time):
        raise Wrong("should be a string, a number, true or false")
    if isinstance(value, int) and abs(value) >= 2**63:
        raise Wrong("should be a number that fits in 64 bits", hint="write it as a string")
    return str(value)


def environment(value: Any) -> dict[str, str]:
    """Environment variables, or arguments of a build."""
    if not isinstance(value, dict):
        raise Wrong('should be a table such as { LOG_LEVEL = "info" }')
    return each_of(value, variable, plain)


def labels(value: Any) -> dict[str, str]:
    """Labels of containers; those that start with ``cdeploy.`` are cdeploy's own."""
    if not isinstance(value, dict):
        raise Wrong('should be a table such as { team = "shop" }')
    return each_of(value, _label, plain)


def _label(key: str) -> str:
    if key.startswith(RESERVED_LABELS):
        raise Wrong(f'labels that start with "{RESERVED_LABELS}" are reserved')
    if not key or "=" in key or not key.isprintable():
        raise Wrong("is no name for a label")
    return key


def capabilities(value: Any) -> tuple[str, ...]:
    """Linux capabilities, in capitals and without CAP_."""
    if not isinstance(value, list):
        raise Wrong('should be a list of capabilities such as ["NET_BIND_SERVICE"]')
    return unique(each(value, capability))


def capability(value: Any) -> str:
    """One Linux capability."""
    found = text(value)
    if found in CAPABILITIES:
        return found
    if found == "ALL":
        raise Wrong("should name the capabilities one by one")
    bare = found.upper().removeprefix("CAP_")
    hint = f'write "{bare}"' if bare in CAPABILITIES else nearest(bare, CAPABILITIES)
    raise Wrong("should be a capability of Linux without CAP_, such as NET_BIND_SERVICE", hint=hint)


def signal(value: Any) -> str:
    """A signal's name, with SIG."""
    found = text(value)
    full = found if found.startswith("SIG") else f"SIG{found}"
    if full not in SIGNALS:
        raise Wrong('should be a signal such as "SIGTERM"', hint=nearest(full.upper(), SIGNALS))
    return full


def image(value: Any) -> str:
    """The name of an image."""
    found = text(value)
    if not _IMAGE.fullmatch(found):
        hint = "its name has small letters only" if _IMAGE.fullmatch(found.lower()) else ""
        raise Wrong('should be an image such as "debian:trixie-slim"', hint=hint)
    return found


def _string(value: Any) -> str:
    if not isinstance(value, str):
        raise Wrong("should be a string")
    return str(value)


def each_of(
    table: dict[str, Any], name: Callable[[str], str], parse: Callable[[Any], _T]
) -> dict[str, _T]:
    """Every key and value of a table; all that are wrong are told."""
    found: dict[str, _T] = {}
    wrongs: list[Wrong] = []
    for key, item in table.items():
        try:
            name(key)
            found[key] = parse(item)
        except Wrong as wrong:
            wrongs.append(wrong.below(key))
    if wrongs:
        raise Wrong.all_of(wrongs)
    return found


def each(items: list[Any], parse: Callable[[Any], _T]) -> tuple[_T, ...]:
    """Every item of a list; all that are wrong are told."""
    found: list[_T] = []
    wrongs: list[Wrong] = []
    for index, item in enumerate(items):
        try:
            found.append(parse(item))
        except Wrong as wrong:
            wrongs.append(wrong.below(index))
    if wrongs:
        raise Wrong.all_of(wrongs)
    return tuple(found)


def unique(items: tuple[str, ...]) -> tuple[str, ...]:
    """The items, of which none may be there twice."""
    for index, item in enumerate(items):
        if item in items[:index]:
            raise Wrong("is named twice", at=(index,))
    return items
