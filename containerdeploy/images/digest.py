"""The digest of everything that an image is built from."""

from __future__ import annotations

import hashlib
import json
import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING

from containerdeploy.errors import BadInput
from containerdeploy.images import ignore

if TYPE_CHECKING:
    from collections.abc import Mapping

    from containerdeploy.stack import Build

VERSION = "1"
"""Goes up when the meaning of the digest changes, so that old ones match nothing."""


def source_digest(build: Build, bases: Mapping[str, str]) -> str:
    """SHA-256 (hex) over the build context, the Dockerfile, arguments, target and bases.

    Of the context counts what is sent to BuildKit (.dockerignore honoured): paths,
    kinds, permission bits, contents and links' targets; not owners and times, which
    BuildKit does not keep either. Permission bits count all, not only the x bit: COPY
    keeps them, and a forgotten read bit is often what is mended.

    Args:
        build: its paths must exist.
        bases: image ids by reference (`dockerfile.bases_of`).

    Raises:
        BadInput: the context or the Dockerfile is not there or can't be read.
    """
    context = Path(build.context)
    dockerfile = Path(build.dockerfile)
    patterns = ignore.read(context, dockerfile)
    head = {
        "version": VERSION,
        "dockerfile": hashlib.sha256(dockerfile_text(build).encode()).hexdigest(),
        "args": sorted(build.args),
        "target": build.target,
        "bases": sorted(bases.items()),
    }
    whole = hashlib.sha256(json.dumps(head).encode())
    try:
        for path, info in ignore.walk(context, patterns):
            content = _content(context / path, info)
            if content is not None:
                name = path.encode(errors="surrogateescape")
                mode = stat.S_IMODE(info.st_mode)
                whole.update(b"\0%d %o " % (len(name), mode) + name + content)
    except OSError as error:
        raise BadInput(
            f"the build context {context} can't be read: {error.strerror}: {error.filename}",
            hint="correct `build` in the stack file, or leave that path out in .dockerignore",
        ) from error
    return whole.hexdigest()


def dockerfile_text(build: Build) -> str:
    """The Dockerfile's text; raises BadInput when it can't be read."""
    try:
        return Path(build.dockerfile).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(
            f"the Dockerfile {build.dockerfile} can't be read: {error}",
            hint="`build` in the stack file is a folder with a Dockerfile; "
            "another name is given as build = { context = ..., dockerfile = ... }",
        ) from error


def _content(path: Path, info: os.stat_result) -> bytes | None:
    """What a path adds to the digest; None for what BuildKit does not send (sockets, pipes)."""
    if stat.S_ISDIR(info.st_mode):
        return b"d"
    if stat.S_ISLNK(info.st_mode):
        return b"l" + os.fsencode(path.readlink())
    if not stat.S_ISREG(info.st_mode):
        return None
    with path.open("rb", buffering=0) as file:
        return b"f" + hashlib.file_digest(file, "sha256").digest()
