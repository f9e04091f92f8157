"""What goes wrong between us and the engine, as docker-py tells it, in cdeploy's errors."""

from __future__ import annotations

import http.client
import re
import socket
from contextlib import contextmanager
from typing import TYPE_CHECKING

import requests
import urllib3
from docker.errors import APIError, DockerException
from docker.errors import NotFound as Missing

from containerdeploy.errors import EngineError, HostNotReady, NotFound

if TYPE_CHECKING:
    from collections.abc import Iterator

    from containerdeploy.engines.address import Address


class EngineSilentError(EngineError):
    """The engine did not answer in time."""


def words(error: APIError) -> str:
    """The engine's own message about a failure."""
    explanation = error.explanation
    if isinstance(explanation, bytes):
        explanation = explanation.decode(errors="replace")
    return str(explanation or "").strip() or f"status {error.status_code}"


def shown(container: str) -> str:
    """A container in a message: its name, or the twelve digits of an id that docker shows."""
    return container[:12] if re.fullmatch(r"[0-9a-f]{64}", container) else container


@contextmanager
def translated(address: Address, seconds: float | None) -> Iterator[None]:
    """Turn the exceptions of docker-py, and of what it stands on, into cdeploy's.

    Args:
        seconds: how long the engine may be silent, for the message.

    Raises:
        NotFound, HostNotReady, EngineError (`EngineSilentError` when the time is up).
    """
    try:
        yield
    except Missing as error:
        raise NotFound(f"the engine says: {words(error)}") from error
    except APIError as error:
        raise EngineError(f"the engine says: {words(error)}") from error
    except requests.exceptions.InvalidJSONError as error:
        raise EngineError(
            f"the engine's answer is not JSON: {error}",
            hint="is something else listening at the engine's address?",
        ) from error
    except DockerException as error:
        raise EngineError(f"docker-py can't ask the engine at {address}: {error}") from error
    except (
        requests.RequestException,
        urllib3.exceptions.HTTPError,
        http.client.HTTPException,
        OSError,
    ) as error:
        raise _broken(address, seconds, error) from error


def _broken(
    address: Address, seconds: float | None, error: Exception
) -> EngineError | HostNotReady:
    """By the error at the bottom: docker-py, requests and urllib3 each wrap it once more."""
    chain = [error]
    while (below := chain[-1].__cause__ or chain[-1].__context__) and isinstance(below, Exception):
        chain.append(below)
    request = getattr(error, "request", None)
    during = f" during {request.method} {request.path_url}" if request is not None else ""
    for one in reversed(chain):
        if isinstance(one, (FileNotFoundError, ConnectionRefusedError, socket.gaierror)):
            return HostNotReady(
                f"no container engine answers at {address}: {one.strerror or one}",
                hint="start the engine, or let `cdeploy bootstrap` install one",
            )
        if isinstance(one, PermissionError):
            return HostNotReady(
                f"this user may not talk to the container engine at {address}",
                hint="add the user to the group docker (`sudo usermod -aG docker $USER`) "
                "and log in again, or run as root",
            )
        if isinstance(one, TimeoutError | urllib3.exceptions.TimeoutError):
            silent = "was silent" if seconds is None else f"was silent for {seconds:g} s"
            return EngineSilentError(
                f"the engine at {address} {silent}{during}",
                hint="is the host overloaded or its disk full? `cdeploy doctor` looks",
            )
    return EngineError(
        f"the connection to the engine at {address} broke{during}: {error or type(error).__name__}",
        hint="was the engine restarted? `cdeploy doctor` looks; then run the command again",
    )
