"""A release: one service at one image with one runtime configuration; immutable."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from containerdeploy.stack import Limits, Volume

if TYPE_CHECKING:
    from collections.abc import Mapping

    from containerdeploy.stack import Service

ID_LENGTH = 12


def fingerprint(stack: str, service: str, name: str, value: bytes) -> str:
    """A secret's fingerprint: the same on every machine, and slow to guess.

    The release id must be the same everywhere, so the salt is made of names and
    not of a key of this host; scrypt makes guessing a short secret from a
    release id expensive (RFC 7914). See docs/decisions/secrets.md.
    """
    salt = f"cdeploy:{stack}:{service}:{name}".encode()
    return hashlib.scrypt(value, salt=salt, n=2**13, r=8, p=1, dklen=16).hex()


@dataclass(frozen=True, slots=True)
class Runtime:
    """Everything that shapes a container apart from its image, and nothing else.

    Routes, replicas and health settings are not here: changing them makes no
    new release. `secrets` holds fingerprints by name, never values.
    """

    command: tuple[str, ...] | None = None
    entrypoint: tuple[str, ...] | None = None
    port: int | None = None
    env: tuple[tuple[str, str], ...] = ()
    secrets: tuple[tuple[str, str], ...] = ()
    volumes: tuple[Volume, ...] = ()
    tmpfs: tuple[str, ...] = ()
    user: str = ""
    workdir: str = ""
    read_only: bool = False
    capabilities: tuple[str, ...] = ()
    limits: Limits = Limits()
    uses: tuple[str, ...] = ()
    stop_signal: str = ""
    stop_timeout: float = 10.0
    restart: str = "unless-stopped"
    labels: tuple[tuple[str, str], ...] = ()

    def to_json(self) -> dict[str, Any]:
        """A plain description, in a stable order of keys."""
        return dataclasses.asdict(self)

    def digestible(self) -> dict[str, Any]:
        """The description with host paths replaced by what the user wrote."""
        plain = self.to_json()
        for volume in plain["volumes"]:
            volume["source"] = volume.pop("written") or volume["source"]
        plain["env"] = sorted(plain["env"])
        plain["labels"] = sorted(plain["labels"])
        plain["uses"] = sorted(plain["uses"])
        return plain


@dataclass(frozen=True, slots=True)
class Release:
    """One service at one image with one runtime configuration.

    Attributes:
        id: twelve hex digits over image id and runtime: the same on every machine.
    """

    stack: str
    service: str
    image: str
    runtime: Runtime

    id: str = field(init=False)

    def __post_init__(self) -> None:
        # Made once: a planner asks for it dozens of times.
        content = {"image": self.image, "runtime": self.runtime.digestible()}
        text = json.dumps(content, sort_keys=True, separators=(",", ":"))
        made = hashlib.sha256(text.encode()).hexdigest()[:ID_LENGTH]
        object.__setattr__(self, "id", made)


def release_of(stack: str, service: Service, image: str, secrets: Mapping[str, str]) -> Release:
    """The release that `service` at `image` (an image id) makes.

    Args:
        secrets: fingerprints by secret name (see `fingerprint`).
    """
    runtime = Runtime(
        command=service.command,
        entrypoint=service.entrypoint,
        port=service.port,
        env=tuple(sorted(service.env)),
        secrets=tuple((secret.name, secrets[secret.name]) for secret in service.secrets),
        volumes=service.volumes,
        tmpfs=service.tmpfs,
        user=service.user,
        workdir=service.workdir,
        read_only=service.read_only,
        capabilities=tuple(sorted(service.capabilities)),
        limits=service.limits,
        uses=service.uses,
        stop_signal=service.stop_signal,
        stop_timeout=service.stop_timeout,
        restart=service.restart,
        labels=tuple(sorted(service.labels)),
    )
    return Release(stack=stack, service=service.name, image=image, runtime=runtime)
