"""Where the container engine is: DOCKER_HOST, the docker CLI's context, or the usual socket.

The order is the docker CLI's own: ``DOCKER_HOST`` beats ``DOCKER_CONTEXT``, which beats
``currentContext`` of the CLI's configuration (docs.docker.com/engine/manage-resources/contexts).
"""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from containerdeploy.errors import HostNotReady

if TYPE_CHECKING:
    from collections.abc import Mapping

USUAL = "unix:///var/run/docker.sock"


@dataclass(frozen=True, slots=True)
class Address:
    """An engine's address.

    Attributes:
        url: ``unix:///path``, ``tcp://host:port`` or ``ssh://[user@]host[:port]``.
        certificates: folder of ca.pem, cert.pem and key.pem; empty for no TLS.
        verify: whether the engine's certificate is checked.
        named: what chose it, for messages.
    """

    url: str
    certificates: str = ""
    verify: bool = True
    named: str = ""

    @property
    def local(self) -> bool:
        """Whether the engine is behind a Unix socket of this machine."""
        return self.url.startswith("unix://")

    def __str__(self) -> str:
        return f"{self.url} ({self.named})" if self.named else self.url


def address(environ: Mapping[str, str] = os.environ) -> Address:
    """The engine that the docker CLI would talk to.

    Raises:
        HostNotReady: the chosen context does not exist or can't be read.
    """
    folder = Path(environ.get("DOCKER_CONFIG") or Path.home() / ".docker")
    if url := environ.get("DOCKER_HOST", ""):
        tls = bool(environ.get("DOCKER_TLS_VERIFY") or environ.get("DOCKER_TLS"))
        certificates = environ.get("DOCKER_CERT_PATH") or str(folder)
        return Address(
            url=url,
            certificates=certificates if tls else "",
            verify=bool(environ.get("DOCKER_TLS_VERIFY")),
            named="DOCKER_HOST",
        )
    name = environ.get("DOCKER_CONTEXT", "") or _current(folder)
    if not name or name == "default":
        return Address(url=USUAL)
    return _context(folder, name)


def _current(folder: Path) -> str:
    try:
        text = (folder / "config.json").read_text(encoding="utf-8")
    except (FileNotFoundError, NotADirectoryError, PermissionError):
        return ""
    try:
        return str(json.loads(text).get("currentContext") or "")
    except (ValueError, AttributeError) as error:
        raise HostNotReady(
            f"{folder / 'config.json'} is not the docker CLI's JSON: {error}",
            hint="mend the file, or set DOCKER_HOST",
        ) from error


def _context(folder: Path, name: str) -> Address:
    key = hashlib.sha256(name.encode()).hexdigest()
    meta = folder / "contexts" / "meta" / key / "meta.json"
    try:
        endpoint: dict[str, Any] = json.loads(meta.read_text(encoding="utf-8"))["Endpoints"][
            "docker"
        ]
        url = str(endpoint["Host"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise HostNotReady(
            f"the docker context {name!r} can't be read from {meta}: {error}",
            hint="`docker context ls` lists them; `docker context use default` goes back",
        ) from error
    tls = folder / "contexts" / "tls" / key / "docker"
    return Address(
        url=url,
        certificates=str(tls) if tls.is_dir() else "",
        verify=not endpoint.get("SkipTLSVerify", False),
        named=f"docker context {name}",
    )
