"""Secrets: read at the last moment, kept as files that only a release's containers see.

A release's secrets lie in ``<state>/secrets/<stack>/<service>/<release>/`` (the
folders above are 0700) and are bound read-only to /run/secrets. They outlive a
reboot, since the engine starts containers again without asking cdeploy; the
reasons are in docs/decisions/secrets.md.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from containerdeploy.errors import BadInput, Problem
from containerdeploy.files import private_folder, write_atomically
from containerdeploy.release import fingerprint

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from containerdeploy.host import Host
    from containerdeploy.release import Release
    from containerdeploy.stack import Secret, Service, Stack

Values = dict[str, bytes]
"""A service's secrets: name -> value."""


def read_secrets(stack: Stack, env: Mapping[str, str]) -> dict[str, Values]:
    """The values of all secrets of a stack, by service and name.

    Raises:
        BadInput: naming every secret that is missing or blank.
    """
    problems: list[Problem] = []
    found: dict[str, Values] = {}
    for service in stack.services:
        found[service.name] = {}
        for secret in service.secrets:
            value, cure = _read(secret, env)
            if value.strip():
                found[service.name][secret.name] = value
                continue
            problems.append(_missing(service, secret, cure))
    if problems:
        raise BadInput("secrets are missing or blank", problems=tuple(problems))
    return found


def _read(secret: Secret, env: Mapping[str, str]) -> tuple[bytes, str]:
    if not secret.file:
        name = secret.env or secret.name
        return env.get(name, "").encode(), f"set {name} in the environment of cdeploy"
    path = Path(secret.file)
    try:
        return path.read_bytes().rstrip(b"\r\n"), f"write its value to {path}"
    except OSError as error:
        return b"", f"write its value to {path} ({error.strerror})"


def _missing(service: Service, secret: Secret, cure: str) -> Problem:
    return Problem(
        file=service.file,
        line=service.line,
        key=f"service.{service.name}.secrets.{secret.name}",
        message="is missing or blank",
        hint=cure,
    )


def fingerprints(stack: str, service: str, values: Values) -> dict[str, str]:
    """The fingerprints of a service's secrets (see `release.fingerprint`)."""
    return {name: fingerprint(stack, service, name, value) for name, value in values.items()}


def secrets_folder(host: Host, release: Release) -> Path:
    """Where a release's secret files lie on this host."""
    return host.secrets / release.stack / release.service / release.id


def keep_secrets(host: Host, release: Release, values: Values) -> str:
    """Write a release's secret files unless they are there; the folder's path.

    The files are readable by any user inside the container (its user may be a
    name that the host doesn't know); on the host the folders above keep all
    others out.
    """
    folder = secrets_folder(host, release)
    if not release.runtime.secrets:
        return ""
    names = [name for name, _ in release.runtime.secrets]
    if all((folder / name).is_file() for name in names):
        return str(folder)
    missing = [name for name in names if name not in values]
    if missing:
        raise BadInput(
            f"the secrets {', '.join(missing)} of release {release.id} are no longer on this host",
            hint="deploy the stack file again with `cdeploy up`",
        )
    private_folder(folder.parent)
    folder.mkdir(mode=0o755, exist_ok=True)
    folder.chmod(0o755)  # the umask must not hide it from the container's user
    for name in names:
        write_atomically(folder / name, values[name], mode=0o444)
    return str(folder)


def drop_secrets(host: Host, stack: str, service: str, release: str) -> None:
    """Remove the secret files of a release; harmless when there are none."""
    folder = host.secrets / stack / service / release
    if folder.is_dir():
        shutil.rmtree(folder)


def drop_other_secrets(host: Host, stack: str, releases: Collection[tuple[str, str]]) -> None:
    """Remove the secret files of all releases of a stack but these (service, release id)."""
    for folder in (host.secrets / stack).glob("*/*"):
        if (folder.parent.name, folder.name) not in releases:
            shutil.rmtree(folder)
