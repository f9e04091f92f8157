"""Where the container engine is, as docker-py finds it: DOCKER_HOST, or the CLI's context.

The order is the docker CLI's own: ``DOCKER_HOST`` beats ``DOCKER_CONTEXT``, which beats
``currentContext`` of the CLI's configuration (docs.docker.com/engine/manage-resources/contexts).
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from containerdeploy.errors import HostNotReady

if TYPE_CHECKING:
    from docker.tls import TLSConfig

USUAL = "unix:///var/run/docker.sock"


@dataclass(frozen=True, slots=True)
class Address:
    """An engine's address.

    Attributes:
        url: ``unix:///path``, ``tcp://host:port`` or ``ssh://[user@]host[:port]``.
        tls: docker-py's certificates; None for no TLS.
        named: what chose it, for messages.
    """

    url: str
    tls: TLSConfig | None = None
    named: str = ""

    @property
    def local(self) -> bool:
        """Whether the engine is behind a Unix socket of this machine."""
        return self.url.startswith("unix://")

    def __str__(self) -> str:
        return f"{self.url} ({self.named})" if self.named else self.url


def address() -> Address:
    """The engine that the docker CLI would talk to.

    Raises:
        HostNotReady: the chosen context does not exist or can't be read, or the
            certificates that are asked for are not there.
    """
    from docker.errors import DockerException
    from docker.utils import kwargs_from_env

    if not os.environ.get("DOCKER_HOST"):
        return _of_context()
    try:
        found = kwargs_from_env()
    except DockerException as error:
        raise HostNotReady(
            f"the engine at DOCKER_HOST={os.environ['DOCKER_HOST']} can't be used: {error}",
            hint="correct DOCKER_CERT_PATH, or unset it and DOCKER_TLS_VERIFY",
        ) from error
    return Address(found["base_url"], found.get("tls"), named="DOCKER_HOST")


def _of_context() -> Address:
    from docker.context import ContextAPI
    from docker.context.config import get_current_context_name

    name = os.environ.get("DOCKER_CONTEXT") or get_current_context_name()
    try:
        found = ContextAPI.get_context(name)
    except Exception as error:
        # docker-py raises a bare Exception for a context whose file is no JSON, and a
        # KeyError for one without endpoints; anything else is nothing that we know.
        if type(error) not in (Exception, KeyError):
            raise
        raise _unusable(name, str(error)) from error
    if found is None:  # docker-py would then talk to this machine's engine: the wrong one
        raise _unusable(name, "there is none of that name")
    if not found.Host:
        raise _unusable(name, "it names no engine")
    named = "" if name == "default" else f"docker context {name}"
    return Address(found.Host, found.TLSConfig, named=named)


def _unusable(name: str, why: str) -> HostNotReady:
    return HostNotReady(
        f"the docker context {name!r} can't be used: {why}",
        hint="`docker context ls` lists them; `docker context use default` goes back",
    )
