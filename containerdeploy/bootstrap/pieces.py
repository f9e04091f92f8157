"""The pieces of a real host, put together with their drivers, in the order of their needs."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from containerdeploy.bootstrap.apt import Apt
from containerdeploy.bootstrap.base_image import BaseImagePiece
from containerdeploy.bootstrap.builder import BuilderPiece
from containerdeploy.bootstrap.edge import EdgePiece
from containerdeploy.bootstrap.edge_image import EdgeImagePiece
from containerdeploy.bootstrap.engine import EnginePiece
from containerdeploy.bootstrap.room import PortPiece, RoomPiece
from containerdeploy.bootstrap.settings import SettingsPiece
from containerdeploy.bootstrap.state import StatePiece
from containerdeploy.errors import BadInput

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator
    from pathlib import Path

    from containerdeploy.bootstrap.base import Piece
    from containerdeploy.engines.base import Engine
    from containerdeploy.events import Emit
    from containerdeploy.host import Host

NAMES = (
    "host settings",
    "state folder",
    "engine",
    "builder",
    "base image",
    "edge image",
    "edge",
)


def pieces_for(
    connect: Callable[[], Engine],
    now: Host,
    settled: Host,
    *,
    production: bool = False,
    only: Collection[str] = (),
) -> tuple[Piece, ...]:
    """Everything that a rollout needs of this host; each piece needs those before it.

    Args:
        connect: gives the engine's driver.
        now: the settings as they were read.
        settled: the settings as they should be.
        production: whether host.toml must say so.
        only: names out of `NAMES`, a dash for a blank allowed; empty for all.

    Raises:
        BadInput: a name in `only` is none of ours.
    """
    chosen = {name.replace("-", " ") for name in only} or set(NAMES)
    if unknown := chosen - set(NAMES):
        raise BadInput(
            f"no such piece of a host: {', '.join(sorted(unknown))}",
            hint=f"there are {', '.join(name.replace(' ', '-') for name in NAMES)}",
        )
    apt = Apt()
    image = EdgeImagePiece(connect, _build)
    every: list[Piece] = [
        *([SettingsPiece(now, settled, _write_host)] if production else []),
        StatePiece(settled.state),
        EnginePiece(connect, settled.state / "dockerd.log", apt=apt),
        BuilderPiece(_find_builder, apt=apt),
        BaseImagePiece(connect, apt=apt),
        image,
        EdgePiece(connect, settled, image.id, _ensure_edge),
    ]
    return tuple(piece for piece in every if piece.name in chosen)


def further_pieces(connect: Callable[[], Engine], host: Host) -> tuple[Piece, ...]:
    """What `doctor` looks at beyond what a rollout needs."""
    return (RoomPiece(host.state), PortPiece(connect, host))


def edge_image_id(engine: Engine, emit: Emit) -> str:
    """The id of the edge's image on this engine; built when it is not here.

    Raises:
        HostNotReady: the base image is missing, or no builder.
        BuildFailed: the build failed.
    """
    piece = EdgeImagePiece(lambda: engine, _build)
    if not piece.check().ok:
        piece.mend(emit)
    return piece.id()


@contextmanager
def connected() -> Iterator[Callable[[], Engine]]:
    """Gives the engine's driver to those who ask: one for all, closed at the end."""
    from containerdeploy.engines.docker import DockerEngine

    made: list[DockerEngine] = []

    def connect() -> Engine:
        if not made:
            made.append(DockerEngine())
        return made[0]

    try:
        yield connect
    finally:
        for engine in made:
            engine.close()


def _find_builder() -> str:
    """The builder's name; looked for anew, since a package may just have been installed."""
    from containerdeploy.images.builder import find_builder

    find_builder.cache_clear()
    return find_builder().name


def _build(folder: Path, ref: str, emit: Emit) -> None:
    from containerdeploy.images.build import build_image
    from containerdeploy.stack import Build

    build = Build(context=str(folder), dockerfile=str(folder / "Dockerfile"))
    build_image(build, service="edge", tags=(ref,), labels={}, emit=emit)


def _ensure_edge(engine: Engine, host: Host, image: str, emit: Emit) -> None:
    from containerdeploy.edge.pod import ensure_edge

    ensure_edge(engine, host, image, emit)


def _write_host(host: Host) -> None:
    from containerdeploy.stackfile import write_host

    write_host(host)
