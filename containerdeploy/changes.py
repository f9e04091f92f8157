"""What changed between the release that serves and the one that is desired, in words."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from containerdeploy.ledger import Ledger
    from containerdeploy.observed import Observed
    from containerdeploy.release import Release

NAMED = ("env", "secrets", "labels")
"""Parts of a runtime that are pairs: their names are said, their values never."""


def changes(releases: Mapping[str, Release], observed: Observed, ledger: Ledger) -> dict[str, str]:
    """For each service whose release differs from the live one: what differs.

    A service whose live release the ledger doesn't know has no entry: the plan
    does without the words.
    """
    said: dict[str, str] = {}
    for name, release in releases.items():
        live = live_release(observed, name)
        if not live or live == release.id:
            continue
        known = ledger.release(release.stack, name, live)
        if known is not None:
            said[name] = difference(known, release)
    return said


def live_release(observed: Observed, service: str) -> str:
    """The release that serves now; "" when none does, or its callers are held."""
    entry = observed.table.entries.get(f"{observed.stack}/{service}")
    if entry is not None:
        return entry.releases[entry.live_colour] if entry.live_colour is not None else ""
    running = [c for c in observed.of(service) if c.running]
    return running[-1].release if running else ""


def difference(known: Mapping[str, Any], release: Release) -> str:
    """What differs between a remembered release and this one, such as ``image, env A``."""
    parts = [] if known["image"] == release.image else ["image"]
    before, after = known["runtime"], _plain(release.runtime.to_json())
    for key in sorted(after):
        if before.get(key) == after[key]:
            continue
        if key in NAMED:
            names = _names(before.get(key, []), after[key])
            parts.append(f"{key} {', '.join(names)}")
        else:
            parts.append(key.replace("_", " "))
    return ", ".join(parts)


def _plain(runtime: dict[str, Any]) -> dict[str, Any]:
    plain: dict[str, Any] = json.loads(json.dumps(runtime))
    return plain


def _names(before: list[list[str]], after: list[list[str]]) -> list[str]:
    old = {name: value for name, value in before}
    new = {name: value for name, value in after}
    return sorted(name for name in old.keys() | new.keys() if old.get(name) != new.get(name))
