"""A docker CLI that can build with BuildKit."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from containerdeploy.bootstrap.apt import Apt
from containerdeploy.bootstrap.base import Finding
from containerdeploy.errors import CdeployError, HostNotReady
from containerdeploy.events import Event

if TYPE_CHECKING:
    from collections.abc import Callable

    from containerdeploy.events import Emit

WHY = "images are built with BuildKit (RUN --mount and other of today's instructions)"
PACKAGES = (("docker-buildx-plugin",), ("docker-cli", "docker-buildx"))
"""What brings the plugin: from Docker's own archive where that is set up, else Debian's."""


@dataclass(slots=True)
class BuilderPiece:
    """The builder.

    Attributes:
        find: gives a builder or raises `HostNotReady`.
    """

    find: Callable[[], object]
    apt: Apt = field(default_factory=Apt)
    name: str = "builder"

    def check(self) -> Finding:
        """Whether one of the docker CLIs on PATH can."""
        try:
            found = self.find()
        except HostNotReady as error:
            return Finding(False, error.message, WHY, error.hint)
        return Finding(True, str(found))

    def mend(self, emit: Emit) -> str:
        """Install the CLI's plugin; the engine itself is left as it is.

        Raises:
            HostNotReady: not root, no such package, or it did not help.
        """
        try:
            self.find()
        except HostNotReady as error:
            wanted = error
        else:
            return "one is here now"  # it came with the engine
        if not (self.apt.root and self.apt.there()):
            raise wanted
        self.apt.update()
        for packages in PACKAGES:
            known = [package for package in packages if self.apt.known(package)]
            if known:
                text = f"installing {', '.join(known)}: {wanted.message}"
                emit(Event("bootstrap", {"item": self.name, "state": "doing", "what": text}))
                self.apt.install(*known)
                break
        try:
            self.find()
        except CdeployError as error:
            raise wanted from error
        return f"installed {', '.join(known)}"
