"""What every `Engine` does, run on the fake (tests/unit/engines) and on Docker (tests/engine).

A subclass gives the fixture `bench`: an engine, an image whose containers sleep, and a
prefix for names.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import pytest

from containerdeploy.engines.base import ContainerSpec
from containerdeploy.engines.labels import labels_of
from containerdeploy.errors import EngineError, NotFound, StepTimeout

if TYPE_CHECKING:
    from containerdeploy.engines.base import Engine

SUBNET = "10.199.77.0/24"
GATEWAY = "10.199.77.1"


@dataclass
class Bench:
    """What a test works with. `image` is an id; its containers keep running."""

    engine: Engine
    image: str
    prefix: str
    command: tuple[str, ...] = ("sleep", "600")

    def network(self) -> str:
        name = f"{self.prefix}-net"
        labels = {"cdeploy.instance": self.prefix, "cdeploy.stack": "shop"}
        self.engine.create_network(name, subnet=SUBNET, gateway=GATEWAY, labels=labels)
        return name

    def spec(self, name: str = "web", *, address: str = "", **changes: object) -> ContainerSpec:
        labels = labels_of(
            instance=self.prefix,
            role="service",
            stack="shop",
            service=name,
            release="aaaa11112222",
            replica=1,
            address=address,
            port=8000,
            rollout="r1",
        )
        spec = ContainerSpec(
            name=f"{self.prefix}-{name}",
            image=self.image,
            network="none",
            labels=labels,
            address=address,
            command=self.command,
            init=True,
        )
        return replace(spec, **changes)  # type: ignore[arg-type]


class EngineContract:
    """The suite; collected through subclasses only."""

    def test_a_container_goes_from_created_to_running_to_exited(self, bench: Bench) -> None:
        """create, start and stop are seen in state and in the list."""
        container = bench.engine.create(bench.spec())
        assert bench.engine.state(container).status == "created"
        bench.engine.start(container)
        state = bench.engine.state(container)
        assert (state.status, state.died, state.started > 0) == ("running", False, True)
        bench.engine.stop(container, timeout=1)
        state = bench.engine.state(container)
        assert (state.status, state.died) == ("exited", True)
        (listed,) = bench.engine.containers(bench.prefix)
        assert listed.finished == state.finished > 0

    def test_the_labels_are_read_back(self, bench: Bench) -> None:
        """What `containers` tells comes from the labels, for its instance and stack only."""
        network = bench.network()
        spec = bench.spec(address="10.199.77.9", network=network)
        container = bench.engine.create(spec)
        (listed,) = bench.engine.containers(bench.prefix, "shop")
        assert listed.id == container
        assert listed.name == spec.name
        assert listed.image == bench.image
        assert (listed.stack, listed.service, listed.release) == ("shop", "web", "aaaa11112222")
        assert (listed.replica, listed.port, listed.role) == (1, 8000, "service")
        assert (listed.address, listed.rollout) == ("10.199.77.9", "r1")
        assert bench.engine.containers(bench.prefix, "other") == ()
        assert bench.engine.containers(f"{bench.prefix}-other") == ()

    def test_creating_twice_gives_the_same(self, bench: Bench) -> None:
        """A repeated create with the same labels is harmless; with others it is refused."""
        spec = bench.spec()
        assert bench.engine.create(spec) == bench.engine.create(spec)
        other = replace(spec, labels={**spec.labels, "cdeploy.release": "bbbb"})
        with pytest.raises(EngineError, match="taken"):
            bench.engine.create(other)

    def test_creating_from_a_missing_image(self, bench: Bench) -> None:
        """An image id that is not here is `NotFound`."""
        with pytest.raises(NotFound):
            bench.engine.create(bench.spec(image="sha256:" + "0" * 64))

    def test_start_stop_and_remove_can_be_repeated(self, bench: Bench) -> None:
        """Repeating a step harms nothing, also when the container is gone."""
        container = bench.engine.create(bench.spec())
        bench.engine.start(container)
        bench.engine.start(container)
        bench.engine.stop(container, timeout=1)
        bench.engine.stop(container, timeout=1)
        bench.engine.remove(container)
        bench.engine.remove(container)
        bench.engine.stop(container, timeout=1)
        assert bench.engine.containers(bench.prefix) == ()

    def test_what_is_not_there_is_not_found(self, bench: Bench) -> None:
        """state, start, logs, wait and signal of an unknown container raise `NotFound`."""
        missing = f"{bench.prefix}-missing"
        for call in (
            lambda: bench.engine.state(missing),
            lambda: bench.engine.start(missing),
            lambda: list(bench.engine.logs(missing)),
            lambda: bench.engine.wait(missing, timeout=1),
            lambda: bench.engine.signal(missing, "SIGHUP"),
            lambda: bench.engine.run(missing, ("true",)),
            lambda: bench.engine.stat(missing, "/etc"),
        ):
            with pytest.raises(NotFound):
                call()

    def test_a_signal_needs_a_running_container(self, bench: Bench) -> None:
        """Signalling what does not run is an `EngineError`."""
        container = bench.engine.create(bench.spec())
        with pytest.raises(EngineError):
            bench.engine.signal(container, "SIGTERM")

    def test_waiting_ends_with_the_process(self, bench: Bench) -> None:
        """wait returns the exit code; while it runs, the deadline is kept."""
        container = bench.engine.create(bench.spec())
        bench.engine.start(container)
        with pytest.raises(StepTimeout):
            bench.engine.wait(container, timeout=0.2)
        killer = threading.Timer(0.2, bench.engine.signal, (container, "SIGKILL"))
        killer.start()
        assert bench.engine.wait(container, timeout=20) == 137
        killer.join()

    def test_two_containers_cannot_share_an_address(self, bench: Bench) -> None:
        """The second one with a fixed address that is in use can't be started."""
        network = bench.network()
        first = bench.engine.create(bench.spec("a", address="10.199.77.9", network=network))
        second = bench.engine.create(bench.spec("b", address="10.199.77.9", network=network))
        bench.engine.start(first)
        with pytest.raises(EngineError, match=r"[Aa]ddress"):
            bench.engine.start(second)

    def test_networks_by_name_and_subnet(self, bench: Bench) -> None:
        """The same network is made once; another subnet under its name is refused."""
        name = bench.network()
        assert bench.network() == name
        (network,) = bench.engine.networks(bench.prefix)
        assert (network.name, network.subnet, network.stack) == (name, SUBNET, "shop")
        assert network.gateway == GATEWAY
        assert SUBNET in bench.engine.all_subnets()
        with pytest.raises(EngineError):
            bench.engine.create_network(
                name, subnet="10.199.78.0/24", gateway="10.199.78.1", labels={}
            )
        with pytest.raises(EngineError):
            bench.engine.create_network(f"{name}-2", subnet=SUBNET, gateway=GATEWAY, labels={})
        bench.engine.remove_network(name)
        bench.engine.remove_network(name)
        assert bench.engine.networks(bench.prefix) == ()

    def test_a_network_in_use_stays(self, bench: Bench) -> None:
        """remove_network refuses while a running container is on it."""
        name = bench.network()
        container = bench.engine.create(bench.spec(network=name))
        bench.engine.start(container)
        with pytest.raises(EngineError, match="can't be removed"):
            bench.engine.remove_network(name)

    def test_connect_and_disconnect_can_be_repeated(self, bench: Bench) -> None:
        """A container joins a further network at an address, once; leaving twice is harmless."""
        first = bench.network()
        second = f"{bench.prefix}-net2"
        bench.engine.create_network(
            second,
            subnet="10.199.78.0/24",
            gateway="10.199.78.1",
            labels={"cdeploy.instance": bench.prefix},
        )
        container = bench.engine.create(bench.spec(network=first))
        bench.engine.start(container)
        bench.engine.connect(second, container, address="10.199.78.5")
        bench.engine.connect(second, container, address="10.199.78.5")
        with pytest.raises(EngineError, match=r"10\.199\.78\.5"):
            bench.engine.connect(second, container, address="10.199.78.6")
        bench.engine.disconnect(second, container)
        bench.engine.disconnect(second, container)
        with pytest.raises(NotFound):
            bench.engine.connect(f"{second}-missing", container, address="")

    def test_volumes(self, bench: Bench) -> None:
        """Volumes are made once, listed by label, kept while in use, and removed."""
        from containerdeploy.engines.base import Mount

        name = f"{bench.prefix}_data"
        labels = {"cdeploy.instance": bench.prefix, "cdeploy.stack": "shop"}
        bench.engine.create_volume(name, labels)
        bench.engine.create_volume(name, labels)
        assert bench.engine.volumes(bench.prefix, "shop") == (name,)
        assert bench.engine.volumes(bench.prefix, "other") == ()
        spec = bench.spec(mounts=(Mount("volume", name, "/data"),))
        container = bench.engine.create(spec)
        with pytest.raises(EngineError, match="in use"):
            bench.engine.remove_volume(name)
        bench.engine.remove(container)
        bench.engine.remove_volume(name)
        bench.engine.remove_volume(name)
        assert bench.engine.volumes(bench.prefix) == ()

    def test_images_by_id_and_tag(self, bench: Bench) -> None:
        """A tag is a further name; removing it leaves the image."""
        ref = f"{bench.prefix}/thing:one"
        bench.engine.tag(bench.image, ref)
        found = bench.engine.image(ref)
        assert found is not None
        assert found.id == bench.image
        assert ref in found.tags
        bench.engine.remove_image(ref)
        bench.engine.remove_image(ref)
        assert bench.engine.image(ref) is None
        assert bench.engine.image(bench.image) is not None

    def test_logs_hold_what_was_said_in_order(self, bench: Bench) -> None:
        """logs of a container that said nothing are empty; they end when it is stopped."""
        container = bench.engine.create(bench.spec())
        bench.engine.start(container)
        assert list(bench.engine.logs(container, tail=5)) == []
        stopper = threading.Timer(0.2, lambda: bench.engine.stop(container, timeout=1))
        stopper.start()
        assert list(bench.engine.logs(container, follow=True)) == []
        stopper.join()

    def test_a_command_needs_a_running_container(self, bench: Bench) -> None:
        """run in a created container is an `EngineError`, in a running one it runs."""
        container = bench.engine.create(bench.spec())
        with pytest.raises(EngineError):
            bench.engine.run(container, ("true",))
        bench.engine.start(container)
        assert bench.engine.run(container, ("true",)).exit_code == 0

    def test_a_missing_path(self, bench: Bench) -> None:
        """stat says None, read raises `NotFound`."""
        container = bench.engine.create(bench.spec())
        assert bench.engine.stat(container, "/no/such/path") is None
        with pytest.raises(NotFound):
            bench.engine.read(container, "/no/such/path")
