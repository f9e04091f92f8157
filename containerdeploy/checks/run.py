"""Run the checks of a stack's services: image first, then running, each in a world of its own."""

from __future__ import annotations

from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from contextlib import ExitStack
from dataclasses import replace
from typing import TYPE_CHECKING

from containerdeploy.check import CheckResult, Outcome, Phase, Verdict
from containerdeploy.checks.claim import Claim, sweep
from containerdeploy.checks.environment import Environment
from containerdeploy.checks.judging import event_of, judge
from containerdeploy.checks.known import checks_digest, runs
from containerdeploy.checks.removals import Removals
from containerdeploy.checks.world import World
from containerdeploy.errors import CandidateFailed, StepTimeout
from containerdeploy.events import Event

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from containerdeploy.check import Check, ImageInfo
    from containerdeploy.checks.known import Verdicts
    from containerdeploy.engines.base import Engine
    from containerdeploy.errors import Failed
    from containerdeploy.events import Emit
    from containerdeploy.host import Host
    from containerdeploy.release import Release
    from containerdeploy.stack import Service, Stack

AT_ONCE = 8
"""Services tested at once: they mostly wait, and the engine bears this many easily."""


def run_checks(
    stack: Stack,
    releases: Mapping[str, Release],
    images: Mapping[str, ImageInfo],
    engine: Engine,
    host: Host,
    verdicts: Verdicts,
    emit: Emit,
    *,
    only: Collection[str] = (),
    again: bool = False,
    secrets_dirs: Mapping[str, str],
    removals: Removals | None = None,
) -> tuple[CheckResult, ...]:
    """Test the services of a stack as images and as running containers.

    Args:
        releases, images: by service name; those of used services too.
        verdicts: knows what was green before, and keeps what is green now.
        emit: gets a ``check`` event per result; for a service that is known green
            one event with ``known`` true and the number of its `checks`.
        only: the services to test; all of them when empty.
        again: test what is known green, too.
        secrets_dirs: by service name, the host folder with its secret files.
        removals: removes what the tests made; its `close` is then the caller's.
            Without, everything is gone when this returns.

    Returns:
        The results of what was tested now, in the stack's order; nothing for
        services without checks or known green.

    Raises:
        HostNotReady: no engine, or no free subnet.
    """
    tested: list[tuple[Service, str]] = []
    for service in stack.services:
        if not service.checks or (only and service.name not in only):
            continue
        digest = checks_digest(stack, service, releases)
        if not again and verdicts.known(images[service.name].id, digest):
            emit(_known_green(service))
        else:
            tested.append((service, digest))
    if not tested:
        return ()
    with ExitStack() as cleanup:
        removals = cleanup.enter_context(Removals(emit)) if removals is None else removals
        claim = Claim(host)
        removals.at_last("the lock of the run", claim.release)
        removals.remove([("what a killed test run left behind", lambda: sweep(engine, host, emit))])
        world = World(
            stack,
            releases,
            images,
            secrets_dirs,
            engine=engine,
            host=host,
            claim=claim,
            removals=removals,
        )
        results = _run_all([service for service, _ in tested], world, emit)
        removals.nothing_more()
    for service, digest in tested:
        mine = results[service.name]
        if not any(result.red for result in mine):
            verdicts.record(images[service.name].id, digest, mine)
    return tuple(result for service, _ in tested for result in results[service.name])


def _run_all(
    services: list[Service], world: World, emit: Emit
) -> Mapping[str, tuple[CheckResult, ...]]:
    environments = [Environment(service, world, runs=runs(service)) for service in services]
    with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="cdeploy-checks") as pool:
        futures = {
            service.name: pool.submit(_run_one, service, environment, emit)
            for service, environment in zip(services, environments, strict=True)
        }
        finished = False
        try:
            done, _ = wait(futures.values(), return_when=FIRST_EXCEPTION)
            for future in done:
                future.result()  # a host that is not ready is not waited for any longer
            results = {name: future.result() for name, future in futures.items()}
            finished = True
            return results
        finally:
            if not finished:  # an interrupt, or the host is not ready
                for future in futures.values():
                    future.cancel()
                for environment in environments:
                    environment.stop()


def _run_one(service: Service, environment: Environment, emit: Emit) -> tuple[CheckResult, ...]:
    results: list[CheckResult] = []
    try:
        for result in _on_image(service, environment):
            emit(event_of(result))
            results.append(result)
        if not any(result.red for result in results):
            for result in _on_container(service, environment):
                emit(event_of(result))
                results.append(result)
    finally:
        environment.close()
    return tuple(results)


def _on_image(service: Service, environment: Environment) -> Iterator[CheckResult]:
    for check in _of_phase(service, Phase.IMAGE):
        yield judge(service.name, check, environment.unstarted)


def _on_container(service: Service, environment: Environment) -> Iterator[CheckResult]:
    checks = _of_phase(service, Phase.RUNTIME)
    failed: Failed | None = None
    if runs(service):
        try:
            environment.start()
        except (CandidateFailed, StepTimeout) as error:
            failed = error
    for check in checks:
        if failed is not None and not check.skip:
            verdict = Verdict(Outcome.ERROR, found=failed.message)
            yield CheckResult(service.name, check, verdict, log=failed.detail)
            continue
        subject = environment.started if runs(service) else environment.unstarted
        result = judge(service.name, check, subject)
        yield replace(result, log=environment.log()) if result.red else result


def _of_phase(service: Service, phase: Phase) -> list[Check]:
    return [check for check in service.checks if check.phase is phase]


def _known_green(service: Service) -> Event:
    data = {"service": service.name, "known": True, "checks": len(service.checks)}
    return Event("check", {**data, "outcome": Outcome.PASS.value, "text": "known green"})
