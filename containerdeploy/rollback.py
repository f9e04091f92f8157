"""Going back: a rollout of earlier releases, by the same path as going forward."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from containerdeploy.changes import live_release
from containerdeploy.deploy import decide
from containerdeploy.errors import BadInput, Failed
from containerdeploy.observe import observe
from containerdeploy.release import Release, release_of
from containerdeploy.rolling import Prepared, Result, locked, roll
from containerdeploy.stored import stack_from_json

if TYPE_CHECKING:
    from collections.abc import Sequence

    from containerdeploy.check import ImageInfo
    from containerdeploy.events import Emit
    from containerdeploy.ledger import Rollout
    from containerdeploy.site import Site
    from containerdeploy.stack import Service, Stack

LOOK_BACK = 200
"""Rollouts of a stack that are searched for one to go back to."""


def rollback(
    site: Site, stack: str, emit: Emit, *, to: str = "", service: str = "", wait: float = 0.0
) -> Result:
    """Bring back image, configuration and environment of an earlier rollout.

    Args:
        to: a rollout's id, or a release's id (then with its service alone); the
            rollout before the current one when empty.
        service: go back with this service only; the others stay as they are.

    Raises:
        BadInput: there is no such rollout, release or service.
        Failed: what it needs is no longer on this host.
    """
    begun = time.monotonic()
    with locked(site, stack, "rollback", wait, emit):
        known = site.ledger.rollouts(stack, LOOK_BACK)
        past = [one for one in known if one.outcome in ("switched", "removed")]
        if not past:
            raise BadInput(
                f"no rollout of stack {stack} is known on this host",
                hint="`cdeploy history` lists what is known",
            )
        # What is gone back from is what serves, whatever the ledger says came last: a
        # rollout that was killed after its switch serves, one killed before it does not.
        now = _serving(site, known)
        current = next((one for one in known if _ids(one) == now), past[0])
        target, service = _target(past, now, to, service)
        chosen = _mix(current, target, service) if service else target.description
        prepared = _prepared(site, stack, chosen)
        return roll(site, prepared, decide(site, prepared), "rollback", emit, begun)


def _serving(site: Site, known: Sequence[Rollout]) -> dict[str, str]:
    """The release of each service that serves now; services that hold or are down give ""."""
    observed = observe(site.engine, site.edge, site.host, known[0].stack)
    names = {c.service for c in observed.containers if c.role == "service"}
    live = {name: live_release(observed, name) for name in names}
    # A kept container of a service that is no longer in the stack is none that is down.
    newest = known[0].description["releases"]
    return {name: release for name, release in live.items() if release or name in newest}


def _target(
    past: Sequence[Rollout], now: dict[str, str], to: str, service: str
) -> tuple[Rollout, str]:
    stack = past[0].stack
    if not to:
        now = {name: release for name, release in now.items() if service in ("", name)}
        for one in past:
            before = _ids(one, service)
            if before and before != now:
                return one, service
        raise BadInput(
            f"stack {stack} has no earlier release{' of ' + service if service else ''}",
            hint=f"`cdeploy history {stack}` lists its rollouts",
        )
    for one in past:
        if one.id == to:
            return one, service
        for name, release in one.description["releases"].items():
            if release.startswith(to) and len(to) >= 4 and service in ("", name):
                return one, name
    raise BadInput(
        f"stack {stack} never had a rollout or release {to}",
        hint=f"`cdeploy history {stack}` lists its rollouts",
    )


def _ids(rollout: Rollout, service: str = "") -> dict[str, str]:
    releases: dict[str, str] = rollout.description["releases"]
    return {n: r for n, r in releases.items() if service in ("", n)}


def _mix(current: Rollout, target: Rollout, service: str) -> dict[str, Any]:
    """The current rollout with one service as it was."""
    now, then = current.description, target.description
    services = [
        next((old for old in then["stack"]["services"] if old["name"] == service), known)
        if known["name"] == service
        else known
        for known in now["stack"]["services"]
    ]
    return {
        "stack": {**now["stack"], "services": services},
        "releases": {**now["releases"], service: then["releases"][service]},
        "images": {**now["images"], service: then["images"][service]},
    }


def _prepared(site: Site, name: str, description: dict[str, Any]) -> Prepared:
    """What was, ready to be deployed: from the ledger's description and this host's files."""
    try:
        stack = stack_from_json(description["stack"])
    except (KeyError, TypeError) as error:
        raise Failed(
            f"the rollout was recorded by a cdeploy that wrote it otherwise ({error})",
            hint="deploy the stack file of that time with `cdeploy up`",
        ) from error
    images = {
        service.name: _image(site, service, description["images"][service.name])
        for service in stack.services
    }
    releases = {
        service.name: _release(site, stack, service, description) for service in stack.services
    }
    return Prepared(stack=stack, releases=releases, images=images)


def _image(site: Site, service: Service, image: str) -> ImageInfo:
    known = site.engine.image(image)
    if known is None:
        raise Failed(
            f"service {service.name}: its earlier image {image[:19]} is no longer on this host",
            hint=f"raise `keep` of {service.name} to keep more, or deploy that stack file again",
        )
    return known


def _release(site: Site, stack: Stack, service: Service, description: dict[str, Any]) -> Release:
    """The release as it was, with its secrets' fingerprints of that time."""
    id_ = description["releases"][service.name]
    known = site.ledger.release(stack.name, service.name, id_)
    prints = dict(known["runtime"]["secrets"]) if known else {}
    release = release_of(stack.name, service, description["images"][service.name], prints)
    if release.id != id_:
        raise Failed(
            f"service {service.name}: release {id_} can't be made again from its record",
            hint="deploy the stack file of that time with `cdeploy up`",
        )
    return release
