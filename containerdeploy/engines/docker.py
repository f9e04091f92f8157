"""The Docker Engine as `Engine`: one noun a file, put together here."""

from __future__ import annotations

from typing import TYPE_CHECKING

from containerdeploy.engines.address import address
from containerdeploy.engines.base import EngineInfo
from containerdeploy.engines.containers import Containers
from containerdeploy.engines.networks import Networks
from containerdeploy.engines.output import Output
from containerdeploy.engines.store import Images
from containerdeploy.engines.wire import Wire

if TYPE_CHECKING:
    from containerdeploy.engines.address import Address


class DockerEngine(Containers, Output, Images, Networks):
    """A Docker Engine, 20.10 or newer. Making one opens no connection.

    Args:
        where: the engine's address; by default the one that the docker CLI would use.
    """

    def __init__(self, where: Address | None = None) -> None:
        super().__init__(Wire(where or address()))

    def close(self) -> None:
        """Close the idle connections."""
        self._wire.close()

    def info(self) -> EngineInfo:
        """See `Engine.info`."""
        raw = self._wire.call("GET", "/info").json()
        rootless = any("rootless" in option for option in raw.get("SecurityOptions") or ())
        desktop = "Docker Desktop" in str(raw.get("OperatingSystem", ""))
        return EngineInfo(
            version=raw["ServerVersion"],
            storage=raw["Driver"],
            architecture=raw["Architecture"],
            reachable=self._wire.address.local and not rootless and not desktop,
            rootless=rootless,
        )
