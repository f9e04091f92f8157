"""`cdeploy up`: from a stack file to a switched, served stack."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from containerdeploy.cli import options, plan, target, times
from containerdeploy.cli.command import session_of
from containerdeploy.events import Event

if TYPE_CHECKING:
    from containerdeploy.cli.session import Session
    from containerdeploy.report.reporter import Reporter


def up(
    ctx: typer.Context,
    stack: options.StackFile = "",
    env: options.Environment = "",
    wait: options.Wait = "",
    build: Annotated[bool, typer.Option("--build", help="Build also what is built.")] = False,
    test_again: Annotated[
        bool, typer.Option("--test-again", help="Run also checks that are known to be green.")
    ] = False,
    bootstrap: Annotated[
        bool, typer.Option("--bootstrap", help="Make this host ready first, if it is not.")
    ] = False,
    show_answer: Annotated[
        bool,
        typer.Option("--show-answer", help="Ask the first URL afterwards, and show its answer."),
    ] = False,
    dry_run: options.DryRun = False,
) -> None:
    """Build, test, start beside, switch, drain, retire: deploy a stack.

    What served before serves until the new is tested and ready. With nothing to
    do, nothing is done.

    \b
    Example:
      cdeploy up shop/stack.toml --env production --wait 5m
    """
    session = session_of(ctx)
    if dry_run:
        plan.show_plan(session, stack, env)
        return
    loaded = session.load(target.stack_file(stack), env)
    patience = times.seconds(wait, "--wait")
    services = tuple(service.name for service in loaded.services)
    with session.reporter(loaded.name, services) as reporter:
        if bootstrap:
            make_ready(session, reporter)
        from containerdeploy import deploy

        result = deploy.up(
            session.site,
            loaded,
            session.env,
            reporter,
            wait=patience,
            rebuild=build,
            test_again=test_again,
        )
        if show_answer:
            show(session, reporter, result.urls)


def make_ready(session: Session, reporter: Reporter) -> None:
    """Make this host ready; its settings may be others afterwards."""
    from containerdeploy import bootstrap

    report = bootstrap.bootstrap(session.host, reporter)
    session.settle(report.host)


def show(session: Session, reporter: Reporter, urls: tuple[str, ...]) -> None:
    """Ask the first URL through the edge."""
    if not urls:
        text = "no service has an http route: there is no URL to ask"
        reporter(Event("note", {"text": text}))
        return
    from containerdeploy.cli.answer import ask

    answer: dict[str, Any] = ask(session.host, urls[0])
    reporter(Event("answer", answer))
