"""The edge's pod: a holder that owns ports and networks, and HAProxy inside its network.

The holder only sleeps, so HAProxy can crash, be replaced or restarted while published
ports, networks and addresses stay where they are.
"""

from __future__ import annotations

import hashlib
import json
import re
import time
from dataclasses import asdict, replace
from ipaddress import IPv4Network
from typing import TYPE_CHECKING

from containerdeploy.addresses import edge_address, edge_subnet, gateway_of
from containerdeploy.edge.files import EdgeFiles
from containerdeploy.edge.haproxy import DOCKERFILE_DIR
from containerdeploy.edge.haproxy.driver import HAProxyEdge, settings_of
from containerdeploy.edge.haproxy.render import config_text
from containerdeploy.edge.haproxy.settings import CONFIG_DIR, RUN_DIR
from containerdeploy.edge.haproxy.tablemap import map_entries, map_text
from containerdeploy.engines.base import ContainerSpec, Mount
from containerdeploy.errors import EdgeError, EngineError, HostNotReady, NotFound
from containerdeploy.events import note
from containerdeploy.observed import LABEL

if TYPE_CHECKING:
    from containerdeploy.edge.table import Member
    from containerdeploy.engines.base import Engine
    from containerdeploy.events import Emit
    from containerdeploy.host import Host

START_TIMEOUT = 20.0
POLL = 0.02
MEMORY = 512 * 1024 * 1024
PIDS = 200
HOLDER_MEMORY = 32 * 1024 * 1024
EDGE_LABEL = f"{LABEL}.edge"

_TAKEN = re.compile(r"port is already allocated|address already in use|Ports are not available")

__all__ = ["DOCKERFILE_DIR", "ensure_edge", "join_network", "remove_edge"]


def ensure_edge(engine: Engine, host: Host, image: str, emit: Emit) -> bool:
    """Make the edge stand: its network, its holder, HAProxy, and the table that is on disk.

    Args:
        image: the id of the edge's image.
        emit: told what is done and why; nothing when nothing is to be done.

    Returns:
        Whether anything was done.

    Raises:
        HostNotReady: a port or the address pool is somebody else's; names which, and the cure.
        EdgeError: HAProxy does not come up; with its last log lines.
    """
    files = EdgeFiles(host.edge_state)
    files.prepare()
    done = _network(engine, host, emit)
    done = _holder(engine, host, image, emit) or done
    if not _proxy_runs(engine, host):
        with files.lock():
            table = files.table()
            config = config_text(table, settings_of(host))
            files.write(table, config, map_text(map_entries(table)))
    done = _proxy(engine, host, image, emit) or done
    _wait(engine, host, files)
    return HAProxyEdge(host, engine).settle() or done


def remove_edge(engine: Engine, host: Host) -> None:
    """Take the edge away: HAProxy, the holder, its network. The table on disk stays."""
    engine.remove(host.edge)
    engine.remove(host.holder)
    engine.remove_network(host.edge_network)


def join_network(engine: Engine, host: Host, member: Member) -> None:
    """Put the edge on a stack's network at its fixed address; harmless when it is there."""
    engine.connect(member.network, host.holder, address=member.address)


def _network(engine: Engine, host: Host, emit: Emit) -> bool:
    if any(network.name == host.edge_network for network in engine.networks(host.instance)):
        return False
    subnet = edge_subnet(host.pool)
    for used in engine.all_subnets():
        if ":" not in used and IPv4Network(used, strict=False).overlaps(IPv4Network(subnet)):
            raise HostNotReady(
                f"the address pool {host.pool} collides with {used}, which another network "
                "of this engine has",
                hint=f'set another `pool`, such as "10.77.0.0/16", in {host.file}',
            )
    note(emit, f"making the edge's network {host.edge_network} ({subnet})")
    labels = {f"{LABEL}.instance": host.instance, f"{LABEL}.role": "edge"}
    engine.create_network(
        host.edge_network, subnet=subnet, gateway=gateway_of(subnet), labels=labels
    )
    return True


def _holder(engine: Engine, host: Host, image: str, emit: Emit) -> bool:
    spec = _labelled(
        ContainerSpec(
            name=host.holder,
            image=image,
            network=host.edge_network,
            address=edge_address(edge_subnet(host.pool)),
            labels={},
            entrypoint=("sleep",),
            command=("infinity",),
            ports=(
                (host.bind, host.http, 80),
                *((host.bind, port, port) for port in host.tcp),
            ),
            # An address whose network is gone for a while must not keep HAProxy from starting.
            sysctls={"net.ipv4.ip_nonlocal_bind": "1"},
            user="65534:65534",
            read_only=True,
            memory=HOLDER_MEMORY,
            pids=16,
            restart="always",
            init=True,
            healthcheck=False,
        ),
        host,
        "holder",
        ignoring_image=True,
    )
    if _stands(engine, spec):
        return False
    _replace(engine, spec, emit, "it owns the published ports and the networks")
    for stack, member in EdgeFiles(host.edge_state).table().members.items():
        try:
            join_network(engine, host, member)
        except EngineError as error:
            note(emit, f"the edge can't join the network of {stack}: {error.message}")
    return True


def _proxy(engine: Engine, host: Host, image: str, emit: Emit) -> bool:
    files = EdgeFiles(host.edge_state)
    user = "0:0" if engine.info().rootless else f"{files.uid}:{files.uid}"
    spec = _labelled(
        ContainerSpec(
            name=host.edge,
            image=image,
            network=f"container:{host.holder}",
            labels={},
            entrypoint=("haproxy",),
            command=(
                "-W",
                "-db",
                "-S",
                f"{RUN_DIR}/master.sock,mode,600",
                "-f",
                f"{CONFIG_DIR}/{files.config.name}",
            ),
            mounts=(
                Mount("bind", str(files.conf), CONFIG_DIR, read_only=True),
                Mount("bind", str(files.run), RUN_DIR),
            ),
            user=user,
            read_only=True,
            memory=MEMORY,
            pids=PIDS,
            restart="always",
            stop_signal="SIGUSR1",
            healthcheck=False,
        ),
        host,
        "edge",
    )
    if not _stands(engine, spec):
        _replace(engine, spec, emit, "HAProxy takes the requests")
        return True
    holder, proxy = engine.state(host.holder), engine.state(host.edge)
    if holder.started <= proxy.started:
        return False
    # A holder that was restarted has a new network namespace; HAProxy runs on in the dead one.
    note(emit, f"restarting {host.edge}: {host.holder} was restarted after it")
    engine.stop(host.edge, timeout=2.0)
    engine.start(host.edge)
    return True


def _proxy_runs(engine: Engine, host: Host) -> bool:
    """Whether HAProxy's container runs; one that does not gets its files written anew first."""
    return any(
        container.name == host.edge and container.state == "running"
        for container in engine.containers(host.instance)
    )


def _labelled(
    spec: ContainerSpec, host: Host, role: str, *, ignoring_image: bool = False
) -> ContainerSpec:
    """With the labels by which it is found, and the digest of everything that shaped it.

    A holder is what it is whatever image it sleeps in: replacing it would take the
    published ports away, so an update of the image is no reason.
    """
    shaped = asdict(spec) | ({"image": ""} if ignoring_image else {})
    digest = hashlib.sha256(json.dumps(shaped, sort_keys=True).encode()).hexdigest()[:16]
    labels = {f"{LABEL}.instance": host.instance, f"{LABEL}.role": role, EDGE_LABEL: digest}
    return replace(spec, labels=labels)


def _stands(engine: Engine, spec: ContainerSpec) -> bool:
    """Whether this very container is there and runs."""
    instance = spec.labels[f"{LABEL}.instance"]
    for container in engine.containers(instance):
        if container.name == spec.name:
            same = dict(container.labels).get(EDGE_LABEL) == spec.labels[EDGE_LABEL]
            return same and container.state == "running"
    return False


def _replace(engine: Engine, spec: ContainerSpec, emit: Emit, why: str) -> None:
    """Create and start it; one of that name with another shape goes first."""
    known = {c.name: c for c in engine.containers(spec.labels[f"{LABEL}.instance"])}
    found = known.get(spec.name)
    if found is not None and dict(found.labels).get(EDGE_LABEL) != spec.labels[EDGE_LABEL]:
        note(emit, f"replacing {spec.name}: its settings have changed")
        engine.stop(spec.name, timeout=5.0)
        engine.remove(spec.name)
    note(emit, f"starting {spec.name}: {why}")
    engine.create(spec)
    try:
        engine.start(spec.name)
    except EngineError as error:
        words = f"{error.message} {error.detail}"
        if not _TAKEN.search(words):
            raise
        engine.remove(spec.name)
        port = re.search(r":(\d+)(?: failed|: bind|/tcp|\D*$)", words)
        wanted = sorted({published for _, published, _ in spec.ports})
        named = int(port.group(1)) if port and int(port.group(1)) in wanted else wanted[0]
        raise HostNotReady(
            f"port {named} of this host is taken by another program",
            hint="free it, or set another in host.toml, such as `http = 8090` "
            "(`tcp = [...]` for the ports of tcp routes)",
            detail=words.strip(),
        ) from error


def _wait(engine: Engine, host: Host, files: EdgeFiles) -> None:
    """Until the proxy answers; raises `EdgeError` with its last log lines after a deadline."""
    edge = HAProxyEdge(host, engine)
    deadline = time.monotonic() + START_TIMEOUT
    while True:
        try:
            if edge.answers():
                return
            last = ""
        except (EdgeError, HostNotReady) as error:
            last = error.message
        if time.monotonic() >= deadline:
            try:
                lines = [line.text for line in engine.logs(host.edge, tail=20)]
            except NotFound:
                lines = []
            raise EdgeError(
                f"the edge {host.edge} does not answer after {START_TIMEOUT:g} s: {last}",
                hint=f"its last log lines are below; its configuration is {files.config}",
                detail="\n".join(lines),
            )
        time.sleep(POLL)
