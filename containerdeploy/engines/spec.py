"""What the Engine API is asked for when a container is created (POST /containers/create).

Field names and defaults: docs.docker.com/reference/api/engine, versions 1.41 to 1.47.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from containerdeploy.engines.base import ContainerSpec, Mount

TMPFS = "size=64m,mode=1777"
"""Put before a tmpfs's own options; the engine adds rw, noexec, nosuid and nodev."""
LOG_FILES = 3


def request(spec: ContainerSpec) -> dict[str, Any]:
    """The request's body: image and process, limits, and the one network.

    No field depends on the engine's version: a container on several networks is
    connected to the others after it was created.
    """
    config: dict[str, Any] = {
        "Image": spec.image,
        "Labels": dict(spec.labels),
        "Env": [f"{name}={value}" for name, value in spec.env],
        "Cmd": None if spec.command is None else list(spec.command),
        "User": spec.user,
        "WorkingDir": spec.workdir,
        "StopTimeout": math.ceil(spec.stop_timeout),
        "HostConfig": _host(spec),
    }
    if spec.entrypoint is not None:
        config["Entrypoint"] = list(spec.entrypoint) or [""]  # [""] clears the image's own
    if spec.stop_signal:
        config["StopSignal"] = spec.stop_signal
    if not spec.healthcheck:
        config["Healthcheck"] = {"Test": ["NONE"]}
    if spec.ports:
        config["ExposedPorts"] = {f"{inside}/tcp": {} for _, _, inside in spec.ports}
    if not spec.network.startswith("container:") and spec.network not in ("none", "host"):
        endpoint: dict[str, Any] = {"Aliases": list(spec.aliases)}
        if spec.address:
            endpoint["IPAMConfig"] = {"IPv4Address": spec.address}
        config["NetworkingConfig"] = {"EndpointsConfig": {spec.network: endpoint}}
    return config


def _host(spec: ContainerSpec) -> dict[str, Any]:
    host: dict[str, Any] = {
        "NetworkMode": spec.network,
        "SecurityOpt": ["no-new-privileges"],
        "CapDrop": ["ALL"],
        "CapAdd": list(spec.capabilities),
        "ReadonlyRootfs": spec.read_only,
        "RestartPolicy": {"Name": spec.restart},
        "LogConfig": {
            "Type": "json-file",
            "Config": {"max-size": str(spec.log_max), "max-file": str(LOG_FILES)},
        },
        "Mounts": [_mount(mount) for mount in spec.mounts],
        "Tmpfs": dict(_tmpfs(text) for text in spec.tmpfs),
        "ExtraHosts": [f"{name}:{address}" for name, address in (spec.hosts or {}).items()],
        "Sysctls": dict(spec.sysctls or {}),
        "PortBindings": _bindings(spec.ports),
        "Init": spec.init,
    }
    if spec.memory:
        host["Memory"] = host["MemorySwap"] = spec.memory
    if spec.cpus:
        host["NanoCpus"] = round(spec.cpus * 1e9)
    if spec.pids:
        host["PidsLimit"] = spec.pids
    return host


def _mount(mount: Mount) -> dict[str, Any]:
    """Through Mounts and not Binds: a bind whose source is missing is then an error, not
    a new empty folder that belongs to root."""
    return {
        "Type": mount.kind,
        "Source": mount.source,
        "Target": mount.target,
        "ReadOnly": mount.read_only,
    }


def _tmpfs(text: str) -> tuple[str, str]:
    path, _, options = text.partition(":")
    return path, f"{TMPFS},{options}" if options else TMPFS


def _bindings(ports: tuple[tuple[str, int, int], ...]) -> dict[str, list[dict[str, str]]]:
    bindings: dict[str, list[dict[str, str]]] = {}
    for address, outside, inside in ports:
        binding = {"HostIp": address, "HostPort": str(outside)}
        bindings.setdefault(f"{inside}/tcp", []).append(binding)
    return bindings
