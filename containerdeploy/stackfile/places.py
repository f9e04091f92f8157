"""Places, as a stack file writes them: paths, mounts, hosts and routes.

As in `values`, each function returns the value or raises `Wrong`.
"""

from __future__ import annotations

import re
from typing import Any

from containerdeploy.stackfile.problems import Wrong
from containerdeploy.stackfile.values import each, text, unique

_VOLUME = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]*")
_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?")
_SEGMENTS = re.compile(r"/(?:[A-Za-z0-9._~@%+-]+/)*")


def absolute(value: Any) -> str:
    """An absolute path in the container."""
    found = text(value)
    if not found.startswith("/"):
        raise Wrong('should be an absolute path in the container, such as "/data"')
    return found


def mount_points(value: Any) -> tuple[str, ...]:
    """Absolute paths in the container."""
    if not isinstance(value, list):
        raise Wrong('should be a list of paths such as ["/tmp"]')
    return unique(each(value, mount_point))


def mount_point(value: Any) -> str:
    """An absolute path in the container that something can be mounted on."""
    found = absolute(value)
    parts = found.strip("/").split("/")
    if found.strip("/") == "" or ".." in parts or "." in parts or ":" in found:
        raise Wrong('should be a plain absolute path below "/", such as "/data"')
    return "/" + "/".join(part for part in parts if part)


def url_path(value: Any) -> str:
    """The path of a request."""
    found = text(value)
    if not found.startswith("/") or not found.isprintable() or " " in found:
        raise Wrong('should be a path that starts with "/", such as "/healthz"')
    return found


def host(value: Any) -> str:
    """A host name, in small letters (RFC 1123)."""
    found = text(value).lower()
    if "://" in found:
        raise Wrong('should be a host without a scheme, such as "shop.localhost"')
    if ":" in found:
        raise Wrong(
            "should be a host without a port", hint="the edge's port is in the host settings"
        )
    parts = found.split(".")
    if len(found) > 253 or any(len(p) > 63 or not _LABEL.fullmatch(p) for p in parts):
        raise Wrong('should be a host such as "shop.localhost"')
    return found


def route_path(value: Any) -> str:
    """The path of a route: everything below it is the service's; ends with a slash."""
    found = text(value)
    found = found if found.endswith("/") else f"{found}/"
    if not _SEGMENTS.fullmatch(found) or any(p in (".", "..") for p in found.split("/")):
        raise Wrong('should be a path such as "/api"')
    return found


def volume_parts(value: Any) -> tuple[str, str, bool]:
    """``source:/target[:ro]`` as source, target and whether it is read-only."""
    wrong = Wrong('should be "name:/path" or "./folder:/path", with ":ro" to only read')
    parts = text(value).split(":")
    if len(parts) not in (2, 3) or not parts[0]:
        raise wrong
    source, target = parts[0], parts[1]
    if len(parts) == 3 and parts[2] not in ("ro", "rw"):
        raise wrong
    if source.startswith("~"):
        raise Wrong('"~" is not expanded', hint="write ${HOME}")
    if not is_bind(source) and not _VOLUME.fullmatch(source):
        raise Wrong(
            "the volume's name should be of letters, digits, hyphens, dots and underscores",
            hint="a folder beside the stack file starts with ./",
        )
    return source, mount_point(target), parts[2:] == ["ro"]


def volumes(value: Any) -> tuple[tuple[str, str, bool], ...]:
    """Volumes and binds."""
    if not isinstance(value, list):
        raise Wrong('should be a list such as ["data:/var/lib/data"]')
    return each(value, volume_parts)


def is_bind(source: str) -> bool:
    """Whether a volume's source is a folder on the host."""
    return source in (".", "..") or source.startswith(("./", "../", "/"))
