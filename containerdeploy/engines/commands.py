"""Commands that are run in a running container: their input, output, and end."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from docker.errors import APIError

from containerdeploy.check import Ran
from containerdeploy.engines.failures import EngineSilentError, shown, words
from containerdeploy.engines.talk import Talk
from containerdeploy.errors import EngineError, StepTimeout

if TYPE_CHECKING:
    from containerdeploy.engines.client import Client
    from containerdeploy.engines.link import Link

CANNOT_RUN = (126, 127)
"""Exit codes that the runtime uses when it could not run a command."""
UPGRADE = {"Connection": "Upgrade", "Upgrade": "tcp"}
POLL = 0.005


class Commands:
    """The part of the driver that runs commands."""

    _link: Link

    def run(
        self,
        container: str,
        argv: tuple[str, ...],
        *,
        user: str = "",
        timeout: float = 30.0,
        stdin: bytes = b"",
    ) -> Ran:
        """See `Engine.run`. A command that is given up on may still run in the container."""
        if stdin and self._link.address.tls is not None:
            raise EngineError(
                f"{argv[0]} in {shown(container)} can't be given input over TLS: "
                "there is no way to tell it that its input ends",
                hint="reach this engine by ssh instead: DOCKER_HOST=ssh://user@host",
            )
        deadline = time.monotonic() + timeout
        try:
            with self._link.asking() as api:
                run = _made(api, container, argv, user=user, stdin=bool(stdin))
            with self._link.asking(timeout=timeout) as api:
                try:
                    response = api.opened(
                        "POST",
                        "/exec/{}/start",
                        run,
                        data={"Detach": False, "Tty": False},
                        headers=UPGRADE,
                    )
                except APIError as error:
                    # 26 and newer answer so; 20.10 writes it into the stream.
                    if error.status_code == 404 or not _could_not(words(error)):
                        raise
                    return Ran(None, "", words(error))
                with response:
                    stdout, stderr = Talk(response).exchange(stdin, deadline)
            code = self._exit_code(run, deadline)
        except EngineSilentError as error:
            raise StepTimeout(
                f"{' '.join(argv)} in {shown(container)} took more than {timeout:g} s",
                hint="it may still run in there; give it more time, or find out what it waits for",
            ) from error
        if code in CANNOT_RUN and _could_not(stdout + stderr):
            return Ran(None, "", (stdout + stderr).strip())
        return Ran(code, stdout, stderr)

    def _exit_code(self, run: str, deadline: float) -> int:
        """The exit code; the engine learns it a moment after the output has ended."""
        while True:
            with self._link.asking() as api:
                raw = api.exec_inspect(run)
            if not raw["Running"] and raw["ExitCode"] is not None:
                return int(raw["ExitCode"])
            if time.monotonic() > deadline:
                raise EngineSilentError(f"the engine does not say how the command {run[:12]} ended")
            time.sleep(POLL)


def _made(api: Client, container: str, argv: tuple[str, ...], *, user: str, stdin: bool) -> str:
    try:
        return str(api.exec_create(container, list(argv), stdin=stdin, user=user)["Id"])
    except APIError as error:
        if error.status_code != 409:
            raise
        raise EngineError(
            f"a command can't be run in {shown(container)}: {words(error)}"
        ) from error


def _could_not(said: str) -> bool:
    return "OCI runtime exec failed" in said or "executable file not found" in said
