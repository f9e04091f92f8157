"""One rollout, from its lock to its last record; every command that changes things rolls."""

from __future__ import annotations

import getpass
import os
import secrets as random
import subprocess
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from containerdeploy.errors import CdeployError, ChecksRed, Interrupted
from containerdeploy.events import Emit, Event
from containerdeploy.ledger import Rollout
from containerdeploy.lock import stack_lock
from containerdeploy.stored import stack_to_json

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from containerdeploy.actions import RolloutActions
    from containerdeploy.check import ImageInfo
    from containerdeploy.execute import Walk
    from containerdeploy.plan import Plan
    from containerdeploy.release import Release
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


@contextmanager
def locked(
    site: Site, stack: str, doing: str, wait: float, emit: Emit, *, routed: bool = True
) -> Iterator[None]:
    """Hold the stack's lock on a host that answers, with the proxy as the disk says.

    Args:
        routed: whether the edge has to be there; a prune does without.
    """

    from containerdeploy.checks.claim import sweep_if_killed

    def waiting(text: str) -> None:
        emit(Event("note", {"text": text}))

    site.engine.networks(site.host.instance)  # a host without an engine is said first
    with stack_lock(site.host.locks, stack, doing=doing, wait=wait, waiting=waiting):
        if routed:
            site.edge.settle()
        sweep_if_killed(site.engine, site.host, emit)
        yield


def roll(
    site: Site,
    prepared: Prepared,
    plan: Plan,
    command: str,
    emit: Emit,
    begun: float,
    came_to: str = "switched",
) -> Result:
    """Walk a plan through the ledger.

    Args:
        begun: `time.monotonic()` when the command began.
        came_to: the result of a plan that went through.

    Raises:
        CdeployError: what failed before the switch; the plan was undone.
    """
    if not plan:
        result = _result(site, prepared, plan, "unchanged", begun)
        emit(result.event())
        return result
    # Loaded here, because most runs find nothing to do (20 ms, measured).
    from containerdeploy.execute import Executor

    site.ledger.bury(prepared.stack.name)
    rollout = _begin(site, prepared, plan, command)
    emit(Event("rollout", {"rollout": rollout, "stack": prepared.stack.name}))
    actions = _actions(site, prepared, rollout, emit)
    walk = Executor(actions, site.ledger, rollout, emit).walk(plan)
    if walk.error is not None:
        _failed(site, rollout, walk)
        raise walk.error
    # A plan without a switch only tidied up: what serves is what served before.
    came_to = came_to if plan.switch or came_to == "removed" else "unchanged"
    warnings = tuple(str(error) for error in (*walk.later, *_tidied(site, prepared)))
    try:
        site.ledger.end(rollout, came_to, "; ".join(warnings))
    except CdeployError as error:
        warnings += (str(error),)
    result = _result(
        site,
        prepared,
        plan,
        came_to,
        begun,
        rollout=rollout,
        switch_seconds=actions.switch_seconds,
        warnings=warnings,
    )
    emit(result.event())
    return result


def _tidied(site: Site, prepared: Prepared) -> list[CdeployError]:
    """Tidy up after a rollout that went through; what fails doesn't make it a failed one."""
    errors = []
    try:
        _forget_sources(site, prepared)
        forget_secrets(site, prepared.stack.name)
    except CdeployError as error:
        errors.append(error)
    return errors


def _forget_sources(site: Site, prepared: Prepared) -> None:
    """Built images that no container runs lose their names, so the disk does not fill."""
    from containerdeploy.images.resolve import prune_sources

    name = prepared.stack.name
    if not prepared.images:
        return
    used = {c.image for c in site.engine.containers(site.host.instance, name)}
    used |= {image.id for image in prepared.images.values()}
    prune_sources(site.engine, site.host, name, prepared.images, used=used)


def forget_secrets(site: Site, stack: str) -> None:
    """Secret files go with the last container of their release, and with a release that
    got none because its checks were red or its rollout failed."""
    from containerdeploy.secrets import drop_other_secrets

    containers = site.engine.containers(site.host.instance, stack)
    drop_other_secrets(site.host, stack, {(c.service, c.release) for c in containers})


@contextmanager
def secrets_of_containers_only(site: Site, stack: str) -> Iterator[None]:
    """What fails leaves no secret files of a release that got no container."""
    try:
        yield
    except BaseException:
        # The engine may be what failed: then the next rollout forgets them.
        with suppress(CdeployError):
            forget_secrets(site, stack)
        raise


def _actions(site: Site, prepared: Prepared, rollout: str, emit: Emit) -> RolloutActions:
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


def red(site: Site, prepared: Prepared, plan: Plan, command: str, error: ChecksRed) -> None:
    """Remember a rollout that its checks stopped before anything was started."""
    rollout = _new_id()
    site.ledger.begin(_record(rollout, prepared, plan, command))
    site.ledger.end(rollout, "red", str(error))


def _begin(site: Site, prepared: Prepared, plan: Plan, command: str) -> str:
    """Remember intent, and give the images their releases' names."""
    from containerdeploy.images.names import tag_release

    for name, release in prepared.releases.items():
        if plan.outcomes.get(name) != "unchanged":
            site.ledger.remember(release)
            tag_release(site.engine, site.host, release.stack, name, release.id, release.image)
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
    # A full disk must not take the place of the error: the next run marks it as died.
    with suppress(CdeployError):
        site.ledger.end(rollout, outcome, str(walk.error))


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
