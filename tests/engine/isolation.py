"""An instance of cdeploy for one test: names, pool, ports and state of its own."""

from __future__ import annotations

import random
import shutil
import socket
import subprocess
import tempfile
import uuid
from contextlib import ExitStack, contextmanager
from ipaddress import IPv4Network
from pathlib import Path
from typing import TYPE_CHECKING

from containerdeploy.events import quiet
from containerdeploy.host import Host
from containerdeploy.images.build import build_image
from containerdeploy.images.names import BUILDER
from containerdeploy.stack import Build

if TYPE_CHECKING:
    from collections.abc import Iterator

    from containerdeploy.engines.base import Engine

PREFIX = "cdt"
LABEL = "cdeploy.instance"
DEFAULT_POOL = IPv4Network("10.213.0.0/16")

made: set[str] = set()
"""Every instance of this session; `leftovers` looks for what is left of them."""


@contextmanager
def isolated_host(engine: Engine, *, tcp: int = 2, **changes: object) -> Iterator[Host]:
    """A host that no other test or user shares; all that it made is removed at the end.

    Args:
        tcp: how many free ports for TCP routes it gets.
        changes: further fields of `Host`.
    """
    instance = new_instance()
    # Not pytest's tmp_path: a Unix socket's path has 107 bytes at most (unix(7)).
    folder = Path(tempfile.mkdtemp(prefix=f"{instance}-"))
    http, *ports = free_ports(1 + tcp)
    fields = {
        "file": folder / "host.toml",
        "state": folder / "state",
        "instance": instance,
        "http": http,
        "tcp": tuple(ports),
        "pool": free_pool(engine),
    }
    try:
        yield Host(**{**fields, **changes})  # type: ignore[arg-type]
    finally:
        remove_all(engine, instance)
        shutil.rmtree(folder)


def new_instance() -> str:
    """A name that is nobody's yet; what carries it is watched over to the session's end."""
    instance = f"{PREFIX}{uuid.uuid4().hex[:8]}"
    made.add(instance)
    return instance


def free_ports(count: int) -> list[int]:
    """Ports of 127.0.0.1 at which nobody listens."""
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]


def free_pool(engine: Engine) -> str:
    """A /20 that no network of this engine overlaps; random, so sessions don't meet."""
    used = [IPv4Network(subnet) for subnet in engine.all_subnets() if ":" not in subnet]
    used.append(DEFAULT_POOL)
    pools = [pool for n in range(200, 250) for pool in IPv4Network(f"10.{n}.0.0/16").subnets(4)]
    return str(random.choice([p for p in pools if not any(p.overlaps(net) for net in used)]))


def build(folder: Path, ref: str, instance: str) -> None:
    """Build a folder's Dockerfile for an instance, with the builder's cache."""
    build_image(
        Build(context=str(folder), dockerfile=str(folder / "Dockerfile")),
        service=ref,
        tags=(ref,),
        labels={LABEL: instance},
        emit=quiet,
    )


def remove_all(engine: Engine, instance: str) -> None:
    """Remove every container, network, volume and image of an instance."""
    for container in engine.containers(instance):
        engine.remove(container.id)
    for network in engine.networks(instance):
        engine.remove_network(network.name)
    for volume in engine.volumes(instance):
        engine.remove_volume(volume)
    for label in (LABEL, BUILDER):
        for image in engine.images(f"{label}={instance}"):
            for ref in (*image.tags, image.id):
                engine.remove_image(ref)


def leftovers() -> list[str]:
    """What is left of this session's instances, found by label and by name, with the
    engine's own CLI and not with the code under test."""
    found = []
    for instance in sorted(made):
        label = f"label={LABEL}={instance}"
        name = f"name={instance}"
        for what, argv in (
            ("container", ("ps", "-aq")),
            ("network", ("network", "ls", "-q")),
            ("volume", ("volume", "ls", "-q")),
        ):
            for chosen in (label, name):
                ids = _docker(*argv, "--filter", chosen)
                found += [f"{what} {one} of {instance}" for one in ids]
        for label in (LABEL, BUILDER):
            ids = _docker("images", "-q", "--no-trunc", "--filter", f"label={label}={instance}")
            found += [f"image {one} of {instance}" for one in ids]
    if made:
        names = _docker("images", "--format", "{{.Repository}}:{{.Tag}}")
        found += [f"image {ref}" for ref in names if any(one in ref for one in made)]
    return list(dict.fromkeys(found))


def _docker(*argv: str) -> list[str]:
    ended = subprocess.run(
        ("docker", *argv), capture_output=True, text=True, timeout=60, check=True
    )
    return ended.stdout.split()
