"""Writing files so that a crash leaves the old or the new one, never a half."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


def private_folder(folder: Path) -> Path:
    """Make a folder that only its owner may enter (0700), and those that lack above it."""
    if not folder.is_dir():
        # mkdir(parents=True) would give those above the umask's mode.
        private_folder(folder.parent)
        folder.mkdir(mode=0o700, exist_ok=True)
    return folder


def write_atomically(path: Path, content: bytes, *, mode: int = 0o600, sync: bool = True) -> None:
    """Write a temporary file beside `path`, sync it, and rename it over."""
    write_together([(path, content, mode)], sync=sync)


def write_together(files: Iterable[tuple[Path, bytes, int]], *, sync: bool = True) -> None:
    """Write several files (path, content, mode), in this order and all or none of them.

    Only the renames come after the last byte is on the disk: a disk that is full leaves
    everything as it was. A crash between two renames leaves the first ones new.
    """
    waiting: list[tuple[Path, Path]] = []
    try:
        for path, content, mode in files:
            handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
            waiting.append((Path(name), path))
            with os.fdopen(handle, "wb") as file:
                file.write(content)
                os.fchmod(file.fileno(), mode)
                if sync:
                    file.flush()
                    os.fsync(file.fileno())
        for temporary, path in waiting:
            temporary.replace(path)
    except BaseException:
        for temporary, _ in waiting:
            temporary.unlink(missing_ok=True)
        raise
