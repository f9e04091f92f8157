"""The Docker Engine as `Engine`, through docker-py: one noun a file, put together here."""

from __future__ import annotations

from typing import TYPE_CHECKING

from containerdeploy.engines.address import address
from containerdeploy.engines.base import EngineInfo
from containerdeploy.engines.commands import Commands
from containerdeploy.engines.containers import Containers
from containerdeploy.engines.files import Files
from containerdeploy.engines.link import Link
from containerdeploy.engines.logs import Logs
from containerdeploy.engines.networks import Networks
from containerdeploy.engines.store import Images

if TYPE_CHECKING:
    from containerdeploy.engines.address import Address


class DockerEngine(Containers, Logs, Commands, Files, Images, Networks):
    """A Docker Engine, 20.10 or newer. Making one opens no connection.

    Args:
        where: the engine's address; by default the one that the docker CLI would use.
    """

    def __init__(self, where: Address | None = None) -> None:
        super().__init__(Link(where or address()))

    def close(self) -> None:
        """Close the idle connections."""
        self._link.close()

    def info(self) -> EngineInfo:
        """See `Engine.info`."""
        with self._link.asking() as api:
            raw = api.info()
        rootless = any("rootless" in option for option in raw.get("SecurityOptions") or ())
        desktop = "Docker Desktop" in str(raw.get("OperatingSystem", ""))
        return EngineInfo(
            version=raw["ServerVersion"],
            storage=raw["Driver"],
            architecture=raw["Architecture"],
            reachable=self._link.address.local and not rootless and not desktop,
            rootless=rootless,
        )
