"""The use cases up, plan and test. Each reads as a story: lock, look, decide, act, remember."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from containerdeploy.changes import changes
from containerdeploy.checks.removals import Removals
from containerdeploy.errors import ChecksRed
from containerdeploy.events import Emit, Event
from containerdeploy.observe import observe
from containerdeploy.release import release_of
from containerdeploy.rolling import (
    Prepared,
    Result,
    locked,
    red,
    roll,
    secrets_of_containers_only,
)
from containerdeploy.rollout import Desired, plan_rollout
from containerdeploy.secrets import fingerprints, keep_secrets, read_secrets

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from containerdeploy.check import CheckResult
    from containerdeploy.plan import Plan
    from containerdeploy.site import Site
    from containerdeploy.stack import Stack


def up(
    site: Site,
    stack: Stack,
    env: Mapping[str, str],
    emit: Emit,
    *,
    wait: float = 0.0,
    rebuild: bool = False,
    test_again: bool = False,
) -> Result:
    """Build, test, plan, start beside, probe, smoke, switch, drain, retire.

    Args:
        env: the environment of cdeploy, for secrets.
        wait: seconds to wait for another rollout of this stack.
        rebuild: build even where the image is here.
        test_again: run checks even where they are known to be green.

    Raises:
        CdeployError: on any failure before the switch; what served before still serves.
    """
    begun = time.monotonic()
    with locked(site, stack.name, "up", wait, emit):
        prepared = prepare(site, stack, env, emit, force=rebuild)
        plan = decide(site, prepared)
        emit(Event("plan", {"stack": stack.name, "steps": [str(step) for step in plan]}))
        # What the tests made is removed while the rollout goes on.
        with secrets_of_containers_only(site, stack.name), Removals(emit) as removals:
            try:
                _check(site, prepared, emit, removals, again=test_again)
            except ChecksRed as error:
                red(site, prepared, plan, "up", error)
                raise
            return roll(site, prepared, plan, "up", emit, begun)


def plan(site: Site, stack: Stack, env: Mapping[str, str], emit: Emit) -> Plan:
    """What `up` would do now. Builds images that are not here; starts nothing."""
    return decide(site, prepare(site, stack, env, emit))


def prepare(
    site: Site,
    stack: Stack,
    env: Mapping[str, str],
    emit: Emit,
    *,
    force: bool = False,
    only: Collection[str] = (),
) -> Prepared:
    """Read the secrets, have the images here, and know the releases."""
    from containerdeploy.images.resolve import resolve_images

    values = read_secrets(stack, env)
    # A fingerprint takes 20 ms of a core on purpose: all at once, beside the images.
    with ThreadPoolExecutor(max(1, len(stack.services))) as pool:
        prints = {
            name: pool.submit(fingerprints, stack.name, name, known)
            for name, known in values.items()
        }
        resolved = resolve_images(stack, site.engine, site.host, emit, force=force, only=only)
        images = {name: image.image for name, image in resolved.items()}
        releases = {
            service.name: release_of(
                stack.name, service, images[service.name].id, prints[service.name].result()
            )
            for service in stack.services
            if service.name in images
        }
    return Prepared(stack=stack, releases=releases, images=images, values=values)


def decide(site: Site, prepared: Prepared) -> Plan:
    """Look, and decide: the plan from what is observed to what is prepared."""
    name = prepared.stack.name
    observed = observe(site.engine, site.edge, site.host, name)
    why = changes(prepared.releases, observed, site.ledger)
    return plan_rollout(Desired(prepared.stack, prepared.releases, why), observed, site.host)


def _check(
    site: Site, prepared: Prepared, emit: Emit, removals: Removals, *, again: bool = False
) -> None:
    """Run the checks that are not known to be green; raises `ChecksRed`."""
    results = examine(site, prepared, emit, again=again, removals=removals)
    if any(result.red for result in results):
        from containerdeploy.checks.failure import checks_red

        raise checks_red(prepared.stack, results)


def examine(
    site: Site,
    prepared: Prepared,
    emit: Emit,
    *,
    only: Collection[str] = (),
    again: bool = False,
    removals: Removals | None = None,
) -> tuple[CheckResult, ...]:
    """Run the checks of a stack on its images, each in a disposable environment.

    Args:
        removals: removes what the tests made; its `close` is then the caller's.
    """
    if not any(service.checks for service in prepared.stack.services):
        return ()
    from containerdeploy.checks.run import run_checks

    folders = {
        name: keep_secrets(site.host, release, prepared.values[name])
        for name, release in prepared.releases.items()
    }
    return run_checks(
        prepared.stack,
        prepared.releases,
        prepared.images,
        site.engine,
        site.host,
        site.ledger,
        emit,
        only=only,
        again=again,
        secrets_dirs=folders,
        removals=removals,
    )
