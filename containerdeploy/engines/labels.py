"""The labels that tell what a container is, and the container that they tell of.

Both the driver and the fake read containers from these, so observation means the
same on each.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from containerdeploy.errors import EngineError
from containerdeploy.observed import LABEL, Container

if TYPE_CHECKING:
    from collections.abc import Mapping

INSTANCE = f"{LABEL}.instance"
STACK = f"{LABEL}.stack"
SERVICE = f"{LABEL}.service"
RELEASE = f"{LABEL}.release"
REPLICA = f"{LABEL}.replica"
ADDRESS = f"{LABEL}.address"
PORT = f"{LABEL}.port"
ROLE = f"{LABEL}.role"
ROLLOUT = f"{LABEL}.rollout"


def labels_of(
    *,
    instance: str,
    role: str,
    stack: str = "",
    service: str = "",
    release: str = "",
    replica: int = 0,
    address: str = "",
    port: int | None = None,
    rollout: str = "",
) -> dict[str, str]:
    """The labels of a container; those that don't apply are left out."""
    every = {
        INSTANCE: instance,
        ROLE: role,
        STACK: stack,
        SERVICE: service,
        RELEASE: release,
        REPLICA: str(replica) if replica else "",
        ADDRESS: address,
        PORT: str(port) if port else "",
        ROLLOUT: rollout,
    }
    return {key: value for key, value in every.items() if value}


def container_from(
    labels: Mapping[str, str],
    *,
    id: str,
    name: str,
    state: str,
    image: str,
    created: float = 0.0,
    finished: float = 0.0,
) -> Container:
    """The container that these labels describe; raises `EngineError` on labels that lie."""
    return Container(
        id=id,
        name=name,
        state=state,
        role=labels.get(ROLE, ""),
        image=image,
        stack=labels.get(STACK, ""),
        service=labels.get(SERVICE, ""),
        release=labels.get(RELEASE, ""),
        replica=_number(name, labels, REPLICA),
        address=labels.get(ADDRESS, ""),
        port=_number(name, labels, PORT) or None,
        rollout=labels.get(ROLLOUT, ""),
        created=created,
        finished=finished,
        labels=tuple(sorted(labels.items())),
    )


def _number(name: str, labels: Mapping[str, str], key: str) -> int:
    text = labels.get(key, "0")
    if not text.isdecimal():
        raise EngineError(
            f"container {name} has the label {key}={text!r}, which is not a number",
            hint=f"it was not made by cdeploy: remove it with `docker rm -f {name}`",
        )
    return int(text)
