"""The use cases that change what runs: up, rollback, down, prune.

Each reads as a story: lock, look, decide, act, remember.
"""

from __future__ import annotations

import getpass
import os
import secrets as random
import subprocess
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from containerdeploy.changes import changes
from containerdeploy.errors import CdeployError, ChecksRed, Interrupted
from containerdeploy.events import Emit, Event
from containerdeploy.execute import Executor, Walk
from containerdeploy.ledger import Rollout
from containerdeploy.lock import stack_lock
from containerdeploy.observe import observe
from containerdeploy.release import Release, release_of
from containerdeploy.rollout import Desired, plan_rollout
from containerdeploy.secrets import fingerprints, keep_secrets, read_secrets
from containerdeploy.stored import stack_to_json

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from containerdeploy.check import CheckResult, ImageInfo
    from containerdeploy.plan import Plan
    from containerdeploy.secrets import Values
    from containerdeploy.site import Site
    from containerdeploy.stack import Stack


@dataclass(frozen=True, slots=True)
class Prepared:
    """A stack with its images and secrets: everything that a plan needs to know.

    Attributes:
        images: by service name.
        values: secrets by service and name; empty for what is only remembered.
    """

    stack: Stack
    releases: Mapping[str, Release]
    images: Mapping[str, ImageInfo]
    values: Mapping[str, Values] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Result:
    """What a command that changes things came to.

    Attributes:
        result: "switched", "unchanged", "failed", "red", "interrupted" or "removed".
        services: service -> {"release", "outcome"}.
        warnings: what went wrong after the switch; the new releases serve all the same.
    """

    result: str
    rollout: str = ""
    services: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    seconds: float = 0.0
    switch_seconds: float = 0.0
    urls: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()

    def event(self) -> Event:
        """The last event of a command."""
        data: dict[str, Any] = {
            "rollout": self.rollout,
            "result": self.result,
            "services": {name: dict(known) for name, known in self.services.items()},
            "seconds": round(self.seconds, 3),
            "switch_ms": round(self.switch_seconds * 1000, 3),
            "urls": list(self.urls),
        }
        return Event("done", data | ({"warnings": list(self.warnings)} if self.warnings else {}))


# -- up ------------------------------------------------------------------------


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
    with _locked(site, stack.name, "up", wait, emit):
        prepared = prepare(site, stack, env, emit, force=rebuild)
        plan = _plan(site, prepared)
        emit(Event("plan", {"stack": stack.name, "steps": [str(step) for step in plan]}))
        try:
            _check(site, prepared, emit, again=test_again)
        except ChecksRed as error:
            _remember_red(site, stack, prepared, plan, error)
            raise
        return _roll(site, prepared, plan, "up", emit, begun)


def plan(site: Site, stack: Stack, env: Mapping[str, str], emit: Emit) -> Plan:
    """What `up` would do now. Builds images that are not here; starts nothing."""
    return _plan(site, prepare(site, stack, env, emit))


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
    resolved = resolve_images(stack, site.engine, site.host, emit, force=force, only=only)
    images = {name: image.image for name, image in resolved.items()}
    releases = {
        service.name: release_of(
            stack.name,
            service,
            images[service.name].id,
            fingerprints(stack.name, service.name, values[service.name]),
        )
        for service in stack.services
        if service.name in images
    }
    return Prepared(stack=stack, releases=releases, images=images, values=values)


def _plan(site: Site, prepared: Prepared) -> Plan:
    """Look, and decide."""
    name = prepared.stack.name
    observed = observe(site.engine, site.edge, site.host, name)
    why = changes(prepared.releases, observed, site.ledger)
    return plan_rollout(Desired(prepared.stack, prepared.releases, why), observed, site.host)


def _check(site: Site, prepared: Prepared, emit: Emit, *, again: bool = False) -> None:
    """Run the checks that are not known to be green; raises `ChecksRed`."""
    results = examine(site, prepared, emit, again=again)
    red = [result for result in results if result.red]
    if red:
        from containerdeploy.checks.failure import red_text

        services = ", ".join(sorted({result.service for result in red}))
        raise ChecksRed(
            f"{len(red)} of {len(results)} checks are red ({services}); nothing was started",
            hint=f"run them again with `cdeploy test {prepared.stack.file}`",
            detail="\n".join(red_text(result) for result in red),
        )


def examine(
    site: Site,
    prepared: Prepared,
    emit: Emit,
    *,
    only: Collection[str] = (),
    again: bool = False,
) -> tuple[CheckResult, ...]:
    """Run the checks of a stack on its images, each in a disposable environment."""
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
    )


# -- one rollout -------------------------------------------------------------------


@contextmanager
def _locked(site: Site, stack: str, doing: str, wait: float, emit: Emit) -> Iterator[None]:
    def waiting(text: str) -> None:
        emit(Event("note", {"text": text}))

    site.engine.info()  # a host without an engine is said before anything is begun
    with stack_lock(site.host.locks, stack, doing=doing, wait=wait, waiting=waiting):
        site.edge.settle()
        yield


def _roll(
    site: Site, prepared: Prepared, plan: Plan, command: str, emit: Emit, begun: float
) -> Result:
    """Walk a plan through the ledger."""
    if not plan:
        result = _result(site, prepared, plan, "unchanged", begun)
        emit(result.event())
        return result
    rollout = _begin(site, prepared, plan, command)
    emit(Event("rollout", {"rollout": rollout, "stack": prepared.stack.name}))
    actions = _actions(site, prepared, rollout, emit)
    walk = Executor(actions, site.ledger, rollout, emit).walk(plan)
    if walk.error is not None:
        _failed(site, rollout, walk)
        raise walk.error
    warnings = tuple(str(error) for error in walk.later)
    site.ledger.end(rollout, "switched", "; ".join(warnings))
    result = _result(
        site,
        prepared,
        plan,
        "switched",
        begun,
        rollout=rollout,
        switch_seconds=actions.switch_seconds,
        warnings=warnings,
    )
    emit(result.event())
    return result


def _actions(site: Site, prepared: Prepared, rollout: str, emit: Emit) -> Any:
    from containerdeploy.actions import RolloutActions

    return RolloutActions(
        engine=site.engine,
        edge=site.edge,
        host=site.host,
        stack=prepared.stack,
        rollout=rollout,
        images={image.id: image for image in prepared.images.values()},
        secrets=prepared.values,
        emit=emit,
    )


def _begin(site: Site, prepared: Prepared, plan: Plan, command: str) -> str:
    """Remember intent, and give the images their releases' names."""
    from containerdeploy.images.naming import image_name

    for name, release in prepared.releases.items():
        if plan.outcomes.get(name) != "unchanged":
            site.ledger.remember(release)
            tag = image_name(site.host, release.stack, name, release.id)
            site.engine.tag(release.image, tag)
    rollout = _new_id()
    site.ledger.begin(_record(rollout, prepared, plan, command))
    return rollout


def _record(rollout: str, prepared: Prepared, plan: Plan, command: str) -> Rollout:
    return Rollout(
        id=rollout,
        stack=prepared.stack.name,
        command=command,
        started=time.time(),
        ended=None,
        outcome="begun",
        who=_who(),
        git_commit=_git_commit(prepared.stack.file),
        description={
            "stack": stack_to_json(prepared.stack),
            "releases": {name: release.id for name, release in prepared.releases.items()},
            "images": {name: image.id for name, image in prepared.images.items()},
            "outcomes": plan.outcomes,
        },
    )


def _failed(site: Site, rollout: str, walk: Walk) -> None:
    outcome = "failed"
    if isinstance(walk.error, Interrupted):
        outcome = "interrupted"
    elif isinstance(walk.error, ChecksRed):
        outcome = "red"
    site.ledger.end(rollout, outcome, str(walk.error))


def _remember_red(
    site: Site, stack: Stack, prepared: Prepared, plan: Plan, error: CdeployError
) -> None:
    rollout = _new_id()
    site.ledger.begin(_record(rollout, prepared, plan, "up"))
    site.ledger.end(rollout, "red", str(error))


def _result(
    site: Site,
    prepared: Prepared,
    plan: Plan,
    result: str,
    begun: float,
    *,
    rollout: str = "",
    switch_seconds: float = 0.0,
    warnings: tuple[str, ...] = (),
) -> Result:
    services = {
        name: {"outcome": outcome, "release": plan.releases.get(name, "")}
        for name, outcome in plan.outcomes.items()
    }
    urls = tuple(
        site.host.url(route.host, route.path)
        for service in prepared.stack.services
        for route in service.routes
        if route.host
    )
    return Result(
        result=result,
        rollout=rollout,
        services=services,
        seconds=time.monotonic() - begun,
        switch_seconds=switch_seconds,
        urls=urls,
        warnings=warnings,
    )


def _new_id() -> str:
    """A rollout's id: sorts by time, and two in one second differ."""
    return time.strftime("%Y%m%d-%H%M%S-", time.gmtime()) + random.token_hex(2)


def _who() -> str:
    return os.environ.get("SUDO_USER") or getpass.getuser()


def _git_commit(file: str) -> str:
    """The commit that the stack file stands at; "" outside of git."""
    folder = Path(file).resolve().parent if file else Path.cwd()
    try:
        ran = subprocess.run(
            ["git", "-C", str(folder), "rev-parse", "--short=12", "HEAD"],
            capture_output=True,
            text=True,
            timeout=5,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return ran.stdout.strip() if ran.returncode == 0 else ""
