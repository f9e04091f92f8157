"""The images, networks and volumes of the fake engine."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

from containerdeploy.check import ImageInfo
from containerdeploy.engines.fake_state import FakeState
from containerdeploy.engines.labels import INSTANCE, STACK
from containerdeploy.errors import EngineError, ImageUnavailable, NotFound
from containerdeploy.observed import Network

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from containerdeploy.engines.fake_state import Behaviour


class FakeStore(FakeState):
    """The part of the fake that is about images, networks and volumes."""

    def add_image(self, *refs: str, behaviour: Behaviour | None = None, **fields: Any) -> ImageInfo:
        """An image that is here; its id is made of its first name and `fields` unless given."""
        seed = repr((refs[:1], sorted(fields.items())))
        fields.setdefault("id", "sha256:" + hashlib.sha256(seed.encode()).hexdigest())
        image = ImageInfo(tags=tuple(refs), **fields)
        with self._changed:
            for ref in refs:
                self._untag(ref)
            self._images[image.id] = image
            if behaviour is not None:
                self.behaviours[image.id] = behaviour
        return image

    # -- images ------------------------------------------------------------------

    def image(self, ref: str) -> ImageInfo | None:
        """See `Engine.image`."""
        with self._called("image", ref):
            return self._image(ref)

    def images(self, label: str) -> tuple[ImageInfo, ...]:
        """See `Engine.images`."""
        with self._called("images", label):
            key, equals, value = label.partition("=")
            return tuple(
                image
                for image in reversed(self._images.values())
                if key in (labels := dict(image.labels)) and (not equals or labels[key] == value)
            )

    def pull(self, ref: str, progress: Callable[[str], None]) -> ImageInfo:
        """See `Engine.pull`: what is in `registry` can be pulled."""
        with self._called("pull", ref):
            image = self.registry.get(ref)
            if image is None:
                raise ImageUnavailable(
                    f"the image {ref} is not here and can't be pulled: not found",
                    hint="check the name",
                )
            self._images[image.id] = image
            self._tag(image.id, ref)
            pulled = self._images[image.id]
        progress(f"pulled {ref}")
        return pulled

    def tag(self, image: str, ref: str) -> None:
        """See `Engine.tag`."""
        with self._called("tag", image):
            found = self._image(image)
            if found is None:
                raise NotFound(f"there is no image {image}")
            self._tag(found.id, ref)

    def remove_image(self, ref: str) -> None:
        """See `Engine.remove_image`; the last name takes the image with it."""
        with self._called("remove_image", ref):
            image = self._image(ref)
            if image is None:
                return
            used = any(made.spec.image == image.id for made in self._made.values())
            if ref == image.id:
                if not used and len(image.tags) <= 1:
                    del self._images[image.id]
                return
            self._untag(ref)
            if not self._images[image.id].tags and not used:
                del self._images[image.id]

    def import_image(
        self, tar: str, ref: str, *, command: tuple[str, ...], label: str
    ) -> ImageInfo:
        """See `Engine.import_image`; the tar is not read."""
        with self._called("import_image", ref):
            key, _, value = label.partition("=")
            labels = ((key, value),) if label else ()
            return self.add_image(ref, command=command, labels=labels)

    # -- networks and volumes -------------------------------------------------------

    def networks(self, instance: str) -> tuple[Network, ...]:
        """See `Engine.networks`."""
        with self._called("networks", instance):
            return tuple(
                network
                for _, (network, labels) in sorted(self._networks.items())
                if labels.get(INSTANCE) == instance
            )

    def all_subnets(self) -> tuple[str, ...]:
        """See `Engine.all_subnets`."""
        with self._called("all_subnets"):
            return tuple(network.subnet for _, (network, _) in sorted(self._networks.items()))

    def create_network(
        self,
        name: str,
        *,
        subnet: str,
        gateway: str,
        labels: Mapping[str, str],
        internal: bool = False,
    ) -> Network:
        """See `Engine.create_network`."""
        with self._called("create_network", name):
            if name in self._networks:
                network = self._networks[name][0]
                if network.subnet != subnet:
                    raise EngineError(f"the network {name} is there with {network.subnet}")
                return network
            if any(network.subnet == subnet for network, _ in self._networks.values()):
                raise EngineError(f"the network {name} ({subnet}) can't be made: pool overlaps")
            id = hashlib.sha256(name.encode()).hexdigest()
            network = Network(id, name, subnet, gateway, labels.get(STACK, ""))
            self._networks[name] = (network, dict(labels))
            return network

    def remove_network(self, name: str) -> None:
        """See `Engine.remove_network`."""
        with self._called("remove_network", name):
            users = [
                made.spec.name
                for made in self._made.values()
                if name in made.networks and made.state.status == "running"
            ]
            if users:
                raise EngineError(f"the network {name} can't be removed: {', '.join(users)}")
            self._networks.pop(name, None)

    def connect(self, network: str, container: str, *, address: str) -> None:
        """See `Engine.connect`."""
        with self._called("connect", network):
            if network not in self._networks:
                raise NotFound(f"network {network} not found")
            made = self._get(container)
            there = made.networks.get(network)
            if there is not None and address and there != address:
                raise EngineError(f"{container} is on the network {network} at {there}")
            made.networks[network] = there or address

    def disconnect(self, network: str, container: str) -> None:
        """See `Engine.disconnect`."""
        with self._called("disconnect", network):
            made = self._find(container)
            if made is not None:
                made.networks.pop(network, None)

    def create_volume(self, name: str, labels: Mapping[str, str]) -> None:
        """See `Engine.create_volume`."""
        with self._called("create_volume", name):
            self._volumes.setdefault(name, dict(labels))

    def volumes(self, instance: str, stack: str = "") -> tuple[str, ...]:
        """See `Engine.volumes`."""
        with self._called("volumes", instance):
            return tuple(
                name
                for name, labels in sorted(self._volumes.items())
                if labels.get(INSTANCE) == instance and (not stack or labels.get(STACK) == stack)
            )

    def remove_volume(self, name: str) -> None:
        """See `Engine.remove_volume`."""
        with self._called("remove_volume", name):
            if any(m.source == name for made in self._made.values() for m in made.spec.mounts):
                raise EngineError(f"the volume {name} can't be removed: volume is in use")
            self._volumes.pop(name, None)
