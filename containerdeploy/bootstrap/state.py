"""The state folder: there, ours, and closed to others."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from typing import TYPE_CHECKING

from containerdeploy.bootstrap.base import Finding
from containerdeploy.errors import HostNotReady

if TYPE_CHECKING:
    from pathlib import Path

    from containerdeploy.events import Emit

WHY = "it keeps the ledger, the locks and the secrets of running releases"
MODE = 0o700


@dataclass(slots=True)
class StatePiece:
    """The folder, mode 0700."""

    folder: Path
    name: str = "state folder"

    def check(self) -> Finding:
        """Whether it is a folder of ours that only we can enter."""
        try:
            found = self.folder.stat()
        except FileNotFoundError:
            return Finding(False, f"{self.folder} does not exist", WHY, "`cdeploy bootstrap`")
        except (NotADirectoryError, PermissionError) as error:
            cure = "choose another `state` in host.toml, or mend the folder above it"
            return Finding(False, f"{self.folder} can't be reached: {error.strerror}", WHY, cure)
        if not stat.S_ISDIR(found.st_mode):
            return Finding(False, f"{self.folder} is not a folder", WHY, "move it away")
        if found.st_uid != os.geteuid():
            cure = f"run cdeploy as user {found.st_uid}, or set another `state` in host.toml"
            return Finding(False, f"{self.folder} belongs to user {found.st_uid}", WHY, cure)
        mode = stat.S_IMODE(found.st_mode)
        if mode != MODE:
            what = f"{self.folder} has mode {mode:04o} instead of {MODE:04o}"
            return Finding(False, what, WHY, f"`chmod 700 {self.folder}`")
        return Finding(True, str(self.folder))

    def mend(self, emit: Emit) -> str:
        """Make it, or close it. Raises `HostNotReady` when that is not allowed."""
        try:
            made = not self.folder.exists()
            self.folder.mkdir(mode=MODE, parents=True, exist_ok=True)
            self.folder.chmod(MODE)
        except OSError as error:
            raise HostNotReady(
                f"the state folder {self.folder} can't be made: {error.strerror}",
                hint="set `state` in host.toml to a folder that this user may write",
            ) from error
        return f"made {self.folder}" if made else f"closed {self.folder} to others"
