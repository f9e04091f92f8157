"""Networks and volumes through docker-py."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

from docker.errors import APIError
from docker.errors import NotFound as Missing
from docker.types import IPAMConfig, IPAMPool

from containerdeploy.engines.failures import shown, words
from containerdeploy.engines.labels import INSTANCE, STACK
from containerdeploy.errors import EngineError, NotFound
from containerdeploy.observed import Network

if TYPE_CHECKING:
    from collections.abc import Mapping

    from containerdeploy.engines.link import Link


class Networks:
    """The part of the driver that is about networks and volumes."""

    _link: Link

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
            said = ""
            with self._link.asking() as api:
                try:
                    api.create_network(
                        name,
                        driver="bridge",
                        ipam=IPAMConfig(pool_configs=[IPAMPool(subnet=subnet, gateway=gateway)]),
                        check_duplicate=True,  # before API 1.44 names were not unique without it
                        internal=internal,
                        labels=dict(labels),
                    )
                except APIError as error:
                    if error.status_code not in (400, 403, 409):
                        raise
                    said = words(error)
            there = self._named(name)
            if said and there is None:
                raise EngineError(
                    f"the network {name} ({subnet}) can't be made: {said}",
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
        with self._link.asking() as api, suppress(Missing):
            try:
                api.remove_network(name)
            except APIError as error:
                if error.status_code not in (403, 409):
                    raise
                raise EngineError(
                    f"the network {name} can't be removed: {words(error)}",
                    hint="remove or disconnect its containers first",
                ) from error

    def connect(self, network: str, container: str, *, address: str) -> None:
        """See `Engine.connect`; raises `EngineError` when it is there at another address."""
        with self._link.asking() as api:
            try:
                api.connect_container_to_network(container, network, ipv4_address=address or None)
            except APIError as error:
                if error.status_code not in (400, 403, 409, 500):
                    raise
                said = words(error)
            else:
                return
        there = self._address(network, container)
        if there is None:
            raise EngineError(f"{shown(container)} can't join the network {network}: {said}")
        if address and there != address:
            raise EngineError(
                f"{shown(container)} is on the network {network} at {there}, not at {address}",
                hint=f"`docker network disconnect {network} {shown(container)}`, then try again",
            )

    def disconnect(self, network: str, container: str) -> None:
        """See `Engine.disconnect`."""
        with self._link.asking() as api:
            try:
                api.disconnect_container_from_network(container, network, force=True)
            except APIError as error:
                if error.status_code not in (403, 404, 409, 500):
                    raise
                status, said = error.status_code, words(error)
            else:
                return
        if status == 500 and self._address(network, container) is not None:
            raise EngineError(f"{shown(container)} can't leave the network {network}: {said}")

    def create_volume(self, name: str, labels: Mapping[str, str]) -> None:
        """See `Engine.create_volume`."""
        with self._link.asking() as api:
            api.create_volume(name, labels=dict(labels))

    def volumes(self, instance: str, stack: str = "") -> tuple[str, ...]:
        """See `Engine.volumes`."""
        labels = [f"{INSTANCE}={instance}"] + ([f"{STACK}={stack}"] if stack else [])
        with self._link.asking() as api:
            raw = api.volumes(filters={"label": labels})
        return tuple(sorted(one["Name"] for one in raw["Volumes"] or ()))

    def remove_volume(self, name: str) -> None:
        """See `Engine.remove_volume`; raises `EngineError` while a container uses it."""
        with self._link.asking() as api, suppress(Missing):
            try:
                api.remove_volume(name)
            except APIError as error:
                if error.status_code != 409:
                    raise
                raise EngineError(
                    f"the volume {name} can't be removed: {words(error)}",
                    hint="remove the containers that use it first, stopped ones too",
                ) from error

    def _networks(self, filters: dict[str, list[str]]) -> list[Any]:
        with self._link.asking() as api:
            found: list[Any] = api.networks(filters=filters)
        return sorted(found, key=lambda one: str(one["Name"]))

    def _named(self, name: str) -> Any | None:
        """By exact name: the engine's own filter also finds parts of names."""
        return next((one for one in self._networks({"name": [name]}) if one["Name"] == name), None)

    def _address(self, network: str, container: str) -> str | None:
        """The address at which a container is on a network ("" while stopped without a fixed
        one), or None when it is not on it."""
        try:
            with self._link.asking() as api:
                raw = api.inspect_container(container)
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
