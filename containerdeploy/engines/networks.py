"""Networks and volumes through the Engine API."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from containerdeploy.engines.labels import INSTANCE, STACK
from containerdeploy.engines.wire import quoted, shown
from containerdeploy.errors import EngineError, NotFound
from containerdeploy.observed import Network

if TYPE_CHECKING:
    from collections.abc import Mapping

    from containerdeploy.engines.wire import Wire


class Networks:
    """The part of the driver that is about networks and volumes."""

    _wire: Wire

    def networks(self, instance: str) -> tuple[Network, ...]:
        """See `Engine.networks`."""
        return tuple(_network(one) for one in self._networks({"label": [f"{INSTANCE}={instance}"]}))

    def all_subnets(self) -> tuple[str, ...]:
        """See `Engine.all_subnets`."""
        return tuple(
            pool["Subnet"]
            for one in self._networks({})
            for pool in (one["IPAM"].get("Config") or ())
            if pool.get("Subnet")
        )

    def create_network(
        self,
        name: str,
        *,
        subnet: str,
        gateway: str,
        labels: Mapping[str, str],
        internal: bool = False,
    ) -> Network:
        """See `Engine.create_network`; raises `EngineError` when the name has another subnet."""
        there = self._named(name)
        if there is None:
            data = {
                "Name": name,
                "CheckDuplicate": True,  # before API 1.44 names were not unique without it
                "Driver": "bridge",
                "Internal": internal,
                "IPAM": {"Config": [{"Subnet": subnet, "Gateway": gateway}]},
                "Labels": dict(labels),
            }
            reply = self._wire.call("POST", "/networks/create", data=data, allow=(400, 403, 409))
            there = self._named(name)
            if reply.status >= 400 and there is None:
                raise EngineError(
                    f"the network {name} ({subnet}) can't be made: {reply.words}",
                    hint="another network has these addresses: choose another `pool` in host.toml",
                )
            if there is None:
                raise EngineError(f"the network {name} was removed while it was made")
        found = _network(there)
        if found.subnet != subnet:
            raise EngineError(
                f"the network {name} is there with {found.subnet}, not {subnet}",
                hint=f"remove it when nothing uses it: docker network rm {name}",
            )
        return found

    def remove_network(self, name: str) -> None:
        """See `Engine.remove_network`; raises `EngineError` while containers are on it."""
        reply = self._wire.call("DELETE", f"/networks/{quoted(name)}", allow=(403, 404, 409))
        if reply.status in (403, 409):
            raise EngineError(
                f"the network {name} can't be removed: {reply.words}",
                hint="remove or disconnect its containers first",
            )

    def connect(self, network: str, container: str, *, address: str) -> None:
        """See `Engine.connect`; raises `EngineError` when it is there at another address."""
        data = {
            "Container": container,
            "EndpointConfig": {"IPAMConfig": {"IPv4Address": address} if address else {}},
        }
        path = f"/networks/{quoted(network)}/connect"
        reply = self._wire.call("POST", path, data=data, allow=(400, 403, 409, 500))
        if reply.status < 400:
            return
        there = self._address(network, container)
        if there is None:
            raise EngineError(f"{shown(container)} can't join the network {network}: {reply.words}")
        if address and there != address:
            raise EngineError(
                f"{shown(container)} is on the network {network} at {there}, not at {address}",
                hint=f"`docker network disconnect {network} {shown(container)}`, then try again",
            )

    def disconnect(self, network: str, container: str) -> None:
        """See `Engine.disconnect`."""
        path = f"/networks/{quoted(network)}/disconnect"
        data = {"Container": container, "Force": True}
        reply = self._wire.call("POST", path, data=data, allow=(403, 404, 409, 500))
        if reply.status >= 500 and self._address(network, container) is not None:
            raise EngineError(
                f"{shown(container)} can't leave the network {network}: {reply.words}"
            )

    def create_volume(self, name: str, labels: Mapping[str, str]) -> None:
        """See `Engine.create_volume`."""
        self._wire.call("POST", "/volumes/create", data={"Name": name, "Labels": dict(labels)})

    def volumes(self, instance: str, stack: str = "") -> tuple[str, ...]:
        """See `Engine.volumes`."""
        labels = [f"{INSTANCE}={instance}"] + ([f"{STACK}={stack}"] if stack else [])
        raw = self._wire.call("GET", "/volumes", query={"filters": {"label": labels}}).json()
        return tuple(sorted(one["Name"] for one in raw["Volumes"] or ()))

    def remove_volume(self, name: str) -> None:
        """See `Engine.remove_volume`; raises `EngineError` while a container uses it."""
        reply = self._wire.call("DELETE", f"/volumes/{quoted(name)}", allow=(404, 409))
        if reply.status == 409:
            raise EngineError(
                f"the volume {name} can't be removed: {reply.words}",
                hint="remove the containers that use it first, stopped ones too",
            )

    def _networks(self, filters: dict[str, list[str]]) -> list[Any]:
        found: list[Any] = self._wire.call("GET", "/networks", query={"filters": filters}).json()
        return sorted(found, key=lambda one: str(one["Name"]))

    def _named(self, name: str) -> Any | None:
        """By exact name: the engine's own filter also finds parts of names."""
        return next((one for one in self._networks({"name": [name]}) if one["Name"] == name), None)

    def _address(self, network: str, container: str) -> str | None:
        """The address at which a container is on a network ("" while stopped without a fixed
        one), or None when it is not on it."""
        try:
            raw = self._wire.call("GET", f"/containers/{quoted(container)}/json").json()
        except NotFound:
            return None
        endpoint = (raw["NetworkSettings"]["Networks"] or {}).get(network)
        if endpoint is None:
            return None
        fixed = (endpoint.get("IPAMConfig") or {}).get("IPv4Address")
        return str(fixed or endpoint.get("IPAddress") or "")


def _network(raw: Any) -> Network:
    pools = raw["IPAM"].get("Config") or [{}]
    return Network(
        id=raw["Id"],
        name=raw["Name"],
        subnet=pools[0].get("Subnet", ""),
        gateway=pools[0].get("Gateway", ""),
        stack=(raw.get("Labels") or {}).get(STACK, ""),
    )
