"""`cdeploy test`: the checks of a stack, on its images, and nothing else."""

from __future__ import annotations

import time

import typer

from containerdeploy.cli import options, target
from containerdeploy.cli.command import session_of
from containerdeploy.events import Event


def test(
    ctx: typer.Context,
    stack: options.StackFile = "",  # noqa: PT028  a command, no test
    env: options.Environment = "",  # noqa: PT028  a command, no test
    service: options.Services = [],  # noqa: B006, PT028  typer copies it
    again: options.Again = False,  # noqa: PT028  a command, no test
) -> None:
    """Build a stack and run its checks on the images, in containers that are thrown away.

    What is known to be green is not run twice, unless --again. Exits with 3 when a
    check is red.

    \b
    Example:
      cdeploy test shop/stack.toml --service web --again
    """
    session = session_of(ctx)
    loaded = session.load(target.stack_file(stack), env)
    chosen = target.known_services(service, loaded)
    begun = time.monotonic()
    from containerdeploy import deploy
    from containerdeploy.checks.failure import checks_red

    with session.reporter(loaded.name, chosen) as reporter:
        prepared = deploy.prepare(session.site, loaded, session.env, reporter)
        results = deploy.examine(session.site, prepared, reporter, only=tuple(service), again=again)
        if any(result.red for result in results):
            raise checks_red(loaded, results)
        data = {
            "result": "green",
            "checks": len(results),
            "known": reporter.story.known,
            "seconds": round(time.monotonic() - begun, 3),
        }
        reporter(Event("done", data))
