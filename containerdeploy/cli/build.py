"""`cdeploy build`: the images of a stack, and nothing else."""

from __future__ import annotations

import time

import typer

from containerdeploy.cli import options, target
from containerdeploy.cli.command import session_of
from containerdeploy.events import Event


def build(
    ctx: typer.Context,
    stack: options.StackFile = "",
    env: options.Environment = "",
    service: options.Services = [],  # noqa: B006  typer copies it
    again: options.Again = False,
) -> None:
    """Have the images of a stack here: build or pull what is not.

    Needs no secrets, starts nothing.

    \b
    Example:
      cdeploy build shop/stack.toml --service web
    """
    session = session_of(ctx)
    loaded = session.load(target.stack_file(stack), env)
    chosen = target.known_services(service, loaded)
    begun = time.monotonic()
    from containerdeploy.images.resolve import resolve_images

    with session.reporter(loaded.name, chosen) as reporter:
        images = resolve_images(
            loaded, session.site.engine, session.host, reporter, force=again, only=chosen
        )
        services = {
            name: {
                "image": known.image.id,
                "size": known.image.size,
                "outcome": "built" if known.built else "unchanged",
            }
            for name, known in images.items()
        }
        data = {
            "result": "built" if any(k.built for k in images.values()) else "unchanged",
            "services": services,
            "seconds": round(time.monotonic() - begun, 3),
        }
        reporter(Event("done", data))
