"""``[environment.NAME.service.X]`` laid over ``[service.X]``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from containerdeploy.stackfile.problems import Path


def merged(
    base: dict[str, Any], over: dict[str, Any], *, at: Path, written: Path
) -> tuple[dict[str, Any], dict[Path, Path]]:
    """One table over another: tables merge, everything else replaces.

    Args:
        at: the place of `base` in the document.
        written: the place of `over` in the document.

    Returns:
        the merged table, and for each value that came from `over`: its place in
        the merged document and the place where it is written.
    """
    result = dict(base)
    moved: dict[Path, Path] = {}
    for key, value in over.items():
        below = result.get(key)
        if isinstance(value, dict) and isinstance(below, dict):
            result[key], inner = merged(below, value, at=(*at, key), written=(*written, key))
            moved |= inner
        else:
            result[key] = value
            moved[*at, key] = (*written, key)
    return result, moved
