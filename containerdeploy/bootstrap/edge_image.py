"""The edge's image: built from the Dockerfile inside the package."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

from containerdeploy.bootstrap.base import Finding
from containerdeploy.bootstrap.base_image import REF
from containerdeploy.errors import HostNotReady, ImageUnavailable
from containerdeploy.events import Event

if TYPE_CHECKING:
    from collections.abc import Callable

    from containerdeploy.engines.base import Engine
    from containerdeploy.events import Emit

REPOSITORY = "cdeploy-edge"
WHY = "the reverse proxy is a container like any other"


def folder() -> Path:
    """The folder of the edge's Dockerfile."""
    return Path(str(files("containerdeploy.edge.haproxy")))


def edge_ref(engine: Engine, dockerfile: bytes) -> str:
    """The name of the edge's image, made of what it is built from.

    A digest over the Dockerfile and the base image: a new base image (with its
    security updates) makes a new edge, and nothing else does.

    Raises:
        HostNotReady: the base image is not here.
    """
    base = engine.image(REF)
    if base is None:
        raise HostNotReady(
            f"the edge's image can't be named without its base {REF}",
            hint="`cdeploy bootstrap` pulls it, or makes it",
        )
    digest = hashlib.sha256(base.id.encode() + b"\0" + dockerfile).hexdigest()
    return f"{REPOSITORY}:{digest[:12]}"


@dataclass(slots=True)
class EdgeImagePiece:
    """The image, by the digest of what it is made from.

    Attributes:
        build: builds a folder's Dockerfile under a name, and emits its steps.
    """

    connect: Callable[[], Engine]
    build: Callable[[Path, str, Emit], object]
    name: str = "edge image"

    def check(self) -> Finding:
        """Whether the engine has it. Raises `HostNotReady` when the base is not here."""
        ref = self.ref()
        if self.connect().image(ref) is None:
            return Finding(False, f"{ref} is not built yet", WHY, "`cdeploy bootstrap`")
        return Finding(True, ref)

    def mend(self, emit: Emit) -> str:
        """Build it. Raises `BuildFailed`."""
        ref = self.ref()

        text = f"building {ref}"
        emit(Event("bootstrap", {"item": self.name, "state": "doing", "what": text}))
        self.build(folder(), ref, emit)
        return f"built {ref}"

    def ref(self) -> str:
        """The image's name. Raises `HostNotReady` when the base is not here."""
        return edge_ref(self.connect(), (folder() / "Dockerfile").read_bytes())

    def id(self) -> str:
        """The image's id. Raises `ImageUnavailable` when it is not built."""
        ref = self.ref()
        image = self.connect().image(ref)
        if image is None:
            raise ImageUnavailable(f"{ref} is not built yet", hint="`cdeploy bootstrap` builds it")
        return image.id
