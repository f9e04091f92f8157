"""Removing for good what is kept: stopped releases, their images, secrets and logs."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from containerdeploy.edge.table import COLOURS
from containerdeploy.events import Event
from containerdeploy.observe import observe
from containerdeploy.rolling import locked
from containerdeploy.secrets import drop_secrets

if TYPE_CHECKING:
    from containerdeploy.events import Emit
    from containerdeploy.observed import Container, Observed
    from containerdeploy.site import Site


def prune(
    site: Site, stack: str, emit: Emit, *, keep: int | None = None, dry_run: bool = False
) -> tuple[str, ...]:
    """Remove kept releases beyond `keep`, and image names that nothing uses.

    Args:
        stack: a stack's name; "" for all stacks on this host.
        keep: how many stopped releases of each service stay; none when it is None.
        dry_run: only say what would be removed.

    Returns:
        What was removed, in words.
    """
    from containerdeploy.images.names import image_name

    removed: list[str] = []
    for name in [stack] if stack else _stacks(site):
        with locked(site, name, "prune", 0.0, emit, routed=False):
            observed = observe(site.engine, site.edge, site.host, name)
            for service, release, containers in surplus(observed, keep or 0):
                removed.append(f"{name}/{service} release {release}")
                if dry_run:
                    continue
                for container in containers:
                    site.engine.remove(container.name)
                site.engine.remove_image(image_name(site.host, name, service, release))
                drop_secrets(site.host, name, service, release)
    removed += _unused_images(site, stack, dry_run=dry_run)
    emit(Event("prune", {"removed": removed, "dry_run": dry_run}))
    return tuple(removed)


def _stacks(site: Site) -> list[str]:
    return sorted({c.stack for c in site.engine.containers(site.host.instance) if c.stack})


def _unused_images(site: Site, stack: str, *, dry_run: bool) -> list[str]:
    """Names of images that cdeploy built and no container runs, of stacks that are gone too."""
    from containerdeploy.images.names import BUILDER, repository

    used = {c.image for c in site.engine.containers(site.host.instance)}
    prefix = repository(site.host, stack, "") if stack else repository(site.host, "", "")[:-1]
    names = [
        name
        for image in site.engine.images(f"{BUILDER}={site.host.instance}")
        if image.id not in used
        for name in image.tags
        if name.startswith(prefix)
    ]
    for name in () if dry_run else names:
        site.engine.remove_image(name)
    return [f"image {name}" for name in names]


def surplus(observed: Observed, keep: int) -> list[tuple[str, str, list[Container]]]:
    """The kept releases that are too many: (service, release, containers), oldest last stopped."""
    # A live release whose containers have all ended is mended by the next `up`, and while
    # callers are held the one that stopped may be the only one there is.
    needed = {
        (entry.service, entry.releases[colour])
        for entry in observed.table.entries.values()
        if entry.stack == observed.stack and entry.live
        for colour in (COLOURS if entry.live_colour is None else (entry.live_colour,))
    }
    by_release: dict[tuple[str, str], list[Container]] = defaultdict(list)
    for container in observed.containers:
        kept = (container.service, container.release) not in needed
        if container.role == "service" and kept:
            by_release[container.service, container.release].append(container)
    stopped: dict[str, list[tuple[float, str]]] = defaultdict(list)
    for (service, release), containers in by_release.items():
        if not any(c.running for c in containers):
            latest = max(c.finished for c in containers)
            stopped[service].append((latest, release))
    return [
        (service, release, by_release[service, release])
        for service, releases in sorted(stopped.items())
        for _, release in sorted(releases, reverse=True)[keep:]
    ]
