"""Packages of a Debian or Ubuntu host."""

from __future__ import annotations

import os
import shlex
import shutil
from typing import TYPE_CHECKING

from containerdeploy.bootstrap.process import run as run_program
from containerdeploy.errors import HostNotReady

if TYPE_CHECKING:
    from collections.abc import Callable

    from containerdeploy.bootstrap.process import Ended

UPDATE_TIMEOUT = 180.0
INSTALL_TIMEOUT = 900.0
LOCK_WAIT = "DPkg::Lock::Timeout=120"
"""Another apt-get (unattended upgrades) is waited for, in seconds."""
QUIET = {"DEBIAN_FRONTEND": "noninteractive", "NEEDRESTART_MODE": "l", "LC_ALL": "C"}


class Apt:
    """apt-get, when this process may use it.

    Args:
        run: runs a program (a port, so that tests need no root).
        root: whether this process is root; asked of the system when not given.
    """

    def __init__(
        self, run: Callable[..., Ended] = run_program, *, root: bool | None = None
    ) -> None:
        self._run = run
        self._root = os.geteuid() == 0 if root is None else root
        self._updated = False

    @property
    def root(self) -> bool:
        """Whether this process may install."""
        return self._root

    def there(self) -> bool:
        """Whether this host has apt-get at all."""
        return shutil.which("apt-get") is not None

    def known(self, package: str) -> bool:
        """Whether the package lists have an installable package of this name."""
        shown = self._run(("apt-cache", "policy", package), timeout=60.0, env=QUIET)
        lines = [line.strip() for line in shown.output.splitlines()]
        return any(line.startswith("Candidate:") and "(none)" not in line for line in lines)

    def update(self) -> None:
        """Fetch the package lists, once a process. Raises `HostNotReady`."""
        if not self._updated:
            self._must(("apt-get", "update", "-q"), UPDATE_TIMEOUT)
            self._updated = True

    def install(self, *packages: str) -> None:
        """Install packages and what they depend on, not what they recommend.

        Raises:
            HostNotReady: not root, or apt-get failed; the hint has the command.
        """
        argv = ("apt-get", "install", "-y", "-q", "--no-install-recommends", *packages)
        if not self._root:
            raise HostNotReady(
                f"{', '.join(packages)} must be installed, and this is not root",
                hint=f"run `{self.command(*packages)}`, and then `cdeploy bootstrap` again",
            )
        self.update()
        self._must((*argv[:1], "-o", LOCK_WAIT, *argv[1:]), INSTALL_TIMEOUT)

    def command(self, *packages: str) -> str:
        """What a user would type to install these."""
        sudo = "" if self._root else "sudo "
        return f"{sudo}apt-get install --no-install-recommends {shlex.join(packages)}"

    def _must(self, argv: tuple[str, ...], timeout: float) -> None:
        ended = self._run(argv, timeout=timeout, env=QUIET)
        if ended.code != 0:
            raise HostNotReady(
                f"`{shlex.join(argv)}` failed with exit code {ended.code}",
                hint="run it by hand; `apt-get -f install` mends a half-installed package",
                detail=ended.last,
            )
