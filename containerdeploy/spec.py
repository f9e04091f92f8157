"""From a release to the container that runs it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from containerdeploy.engines.base import ContainerSpec, Mount
from containerdeploy.engines.labels import labels_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from containerdeploy.host import Host
    from containerdeploy.release import Release

SECRETS_TARGET = "/run/secrets"


def _own_env(release: Release) -> tuple[tuple[str, str], ...]:
    """What a container may want to say of itself; no part of the release id."""
    return (
        ("CDEPLOY_STACK", release.stack),
        ("CDEPLOY_SERVICE", release.service),
        ("CDEPLOY_RELEASE", release.id),
    )


def container_spec(
    release: Release,
    host: Host,
    *,
    name: str,
    network: str,
    address: str,
    role: str,
    replica: int = 0,
    rollout: str = "",
    hosts: Mapping[str, str],
    secrets_dir: str = "",
    volumes: Mapping[str, str] | None = None,
    command: tuple[str, ...] | None = None,
) -> ContainerSpec:
    """The container that runs a release.

    Args:
        hosts: name -> address of each service that it uses.
        secrets_dir: the host folder with this release's secret files.
        volumes: the volume's name in the stack -> its name in the engine.
        command: run this instead, once (a `before_switch` job): no restart, no entrypoint.
    """
    runtime = release.runtime
    job = command is not None
    mounts = [
        Mount(
            kind="bind" if volume.bind else "volume",
            source=volume.source if volume.bind else (volumes or {})[volume.source],
            target=volume.target,
            read_only=volume.read_only,
        )
        for volume in runtime.volumes
    ]
    if runtime.secrets:
        mounts.append(Mount("bind", secrets_dir, SECRETS_TARGET, read_only=True))
    own = labels_of(
        instance=host.instance,
        role=role,
        stack=release.stack,
        service=release.service,
        release=release.id,
        replica=replica,
        address=address,
        port=runtime.port,
        rollout=rollout,
    )
    return ContainerSpec(
        name=name,
        image=release.image,
        network=network,
        address=address,
        labels={**dict(runtime.labels), **own},
        command=command if job else runtime.command,
        entrypoint=() if job else runtime.entrypoint,
        env=(*_own_env(release), *runtime.env),
        mounts=tuple(mounts),
        tmpfs=runtime.tmpfs,
        hosts=dict(hosts),
        user=runtime.user,
        workdir=runtime.workdir,
        read_only=runtime.read_only,
        capabilities=runtime.capabilities,
        memory=runtime.limits.memory,
        cpus=runtime.limits.cpus,
        pids=runtime.limits.pids,
        restart="no" if job or role == "test" else runtime.restart,
        stop_signal=runtime.stop_signal,
        stop_timeout=runtime.stop_timeout,
        healthcheck=not job,
    )
