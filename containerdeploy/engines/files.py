"""Files in containers, started or not."""

from __future__ import annotations

import posixpath
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING, cast

from docker.errors import NotFound as Missing

from containerdeploy.check import PathInfo
from containerdeploy.engines.failures import shown, words
from containerdeploy.errors import EngineError, NotFound

if TYPE_CHECKING:
    import tarfile
    from collections.abc import Iterator

    from containerdeploy.engines.link import Link

LARGEST = 64 * 1024 * 1024
"""Bytes of a file that `read` takes into memory."""
LINKS = 20


class Files:
    """The part of the driver that looks into containers."""

    _link: Link

    def stat(self, container: str, path: str) -> PathInfo | None:
        """See `Engine.stat`. A symbolic link is described itself, not what it points to."""
        with self._member(container, path) as found:
            if found is None:
                return None
            member, _ = found
            return PathInfo(
                path=path,
                type=_type(member),
                mode=member.mode & 0o7777,
                size=member.size,
                link_target=member.linkname if member.issym() else "",
                uid=member.uid,
                gid=member.gid,
            )

    def read(self, container: str, path: str) -> bytes:
        """See `Engine.read`; symbolic links are followed. Raises `NotFound` when nothing is
        there and `EngineError` for what is no regular file or is larger than 64 MiB."""
        asked = path
        for _ in range(LINKS):
            with self._member(container, path) as found:
                if found is None:
                    raise NotFound(f"{shown(container)} has no {asked}")
                member, tar = found
                if member.issym():
                    path = posixpath.join(posixpath.dirname(path), member.linkname)
                    continue
                if not member.isfile():
                    raise EngineError(
                        f"{asked} in {shown(container)} is a {_type(member)}, not a file"
                    )
                if member.size > LARGEST:
                    raise EngineError(
                        f"{asked} in {shown(container)} has more than {LARGEST} bytes"
                    )
                content = cast("IO[bytes]", tar.extractfile(member))
                return content.read()
        raise EngineError(f"{asked} in {shown(container)} is a circle of symbolic links")

    @contextmanager
    def _member(
        self, container: str, path: str
    ) -> Iterator[tuple[tarfile.TarInfo, tarfile.TarFile] | None]:
        """The first entry of a path's archive; None when the path is not there."""
        import tarfile  # here, since most commands never look into a container

        with self._link.asking() as api:
            try:
                response = api.opened(
                    "GET", "/containers/{}/archive", container, query={"path": path}
                )
            except Missing as error:
                if "No such container" in words(error):
                    raise
                response = None
            if response is None:
                yield None
                return
            try:
                with response, tarfile.open(fileobj=response.raw, mode="r|") as tar:
                    member = tar.next()
                    if member is None:
                        raise EngineError(
                            f"the engine's archive of {path} in {shown(container)} is empty"
                        )
                    yield member, tar
            except tarfile.TarError as error:
                raise EngineError(
                    f"the engine's archive of {path} in {shown(container)} can't be read: {error}"
                ) from error


def _type(member: tarfile.TarInfo) -> str:
    if member.isdir():
        return "directory"
    if member.issym():
        return "link"
    return "file" if member.isfile() else "other"
