"""host.toml of a production host: all addresses, port 80."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from containerdeploy.bootstrap.base import Finding
from containerdeploy.errors import HostNotReady

if TYPE_CHECKING:
    from collections.abc import Callable

    from containerdeploy.events import Emit
    from containerdeploy.host import Host

BIND = "0.0.0.0"  # noqa: S104 -- a production host serves the world, and was asked to
HTTP = 80
WHY = "a production host answers from everywhere, at the port that browsers use"


def production(host: Host) -> Host:
    """These settings, for a host that serves the world."""
    return replace(host, bind=BIND, http=HTTP)


@dataclass(slots=True)
class SettingsPiece:
    """host.toml as `bootstrap --production` wants it.

    Attributes:
        current: the settings as they were read.
        wanted: the settings as they should be.
        write: writes settings to their file.
    """

    current: Host
    wanted: Host
    write: Callable[[Host], object]
    name: str = "host settings"

    def check(self) -> Finding:
        """Whether the file says so already."""
        port = f"{self.wanted.bind}:{self.wanted.http}"
        if self.current == self.wanted and self.wanted.file.exists():
            return Finding(True, f"{self.wanted.file}: {port}")
        what = f"{self.wanted.file} does not say {port}"
        return Finding(False, what, WHY, "`cdeploy bootstrap --production`")

    def mend(self, emit: Emit) -> str:
        """Write it. Raises `HostNotReady`."""
        try:
            self.write(self.wanted)
        except OSError as error:
            raise HostNotReady(
                f"{self.wanted.file} can't be written: {error.strerror}",
                hint="run it as root, or give another file with --host-file",
            ) from error
        return f"wrote {self.wanted.file}"
