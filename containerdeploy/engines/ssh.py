"""The engine of another host, over ssh: ``ssh HOST docker system dial-stdio``.

That command is what the docker CLI itself uses for ``DOCKER_HOST=ssh://...``; it joins
its standard streams with the engine's socket. docker-py starts the same program, but with
pipes, which know no deadline and no close from another thread, anew for every request, and
only where paramiko is installed, which it then does not use.
"""

from __future__ import annotations

import socket
import subprocess
import threading
from urllib.parse import urlsplit

from containerdeploy.errors import HostNotReady

CONNECT = 10
_dialled: list[subprocess.Popen[bytes]] = []
_lock = threading.Lock()


def dial(url: str) -> socket.socket:
    """A socket to the engine behind ``ssh://[user@]host[:port]``; closing it ends ssh.

    Raises:
        HostNotReady: there is no ssh on this machine.
    """
    ours, theirs = socket.socketpair()
    with theirs:
        try:
            process = subprocess.Popen(
                arguments(url), stdin=theirs.fileno(), stdout=theirs.fileno()
            )
        except FileNotFoundError as error:
            ours.close()
            raise HostNotReady(
                f"{url} needs the program ssh, which is not here", hint="install openssh-client"
            ) from error
    with _lock:  # those that have ended are reaped, so none stays a zombie
        _dialled[:] = [*(p for p in _dialled if p.poll() is None), process]
    return ours


def arguments(url: str) -> list[str]:
    """The ssh command; it never asks for a password, since nobody could answer."""
    parts = urlsplit(url)
    command = ["ssh", "-T", "-o", f"ConnectTimeout={CONNECT}", "-o", "BatchMode=yes"]
    if parts.username:
        command += ["-l", parts.username]
    if parts.port:
        command += ["-p", str(parts.port)]
    return [*command, "--", parts.hostname or "", "docker", "system", "dial-stdio"]
