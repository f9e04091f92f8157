"""Images through docker-py: looked up, pulled, named, imported, removed."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from docker.errors import APIError
from docker.errors import NotFound as Missing
from docker.utils import parse_repository_tag

from containerdeploy.check import ImageInfo
from containerdeploy.errors import EngineError, ImageUnavailable, NotFound

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from containerdeploy.engines.link import Link

PULL = 300.0
"""Seconds that a registry or a disk may be silent during a pull or an import."""


class Images:
    """The part of the driver that is about images."""

    _link: Link

    def image(self, ref: str) -> ImageInfo | None:
        """See `Engine.image`."""
        with self._link.asking() as api:
            try:
                return _info(api.inspect_image(ref))
            except Missing:
                return None

    def images(self, label: str) -> tuple[ImageInfo, ...]:
        """See `Engine.images`. One call: id, tags, labels and size are filled, the rest
        is what `image` is for."""
        with self._link.asking() as api:
            raw = api.images(filters={"label": [label]})
        raw.sort(key=lambda one: (-one["Created"], one["Id"]))
        return tuple(
            ImageInfo(
                id=one["Id"],
                tags=_tags(one),
                labels=tuple(sorted((one["Labels"] or {}).items())),
                size=one["Size"],
            )
            for one in raw
        )

    def pull(self, ref: str, progress: Callable[[str], None]) -> ImageInfo:
        """See `Engine.pull`."""
        try:
            with self._link.asking(timeout=PULL) as api:
                api.reload_config()  # a `docker login` since we began counts
                for line in _progress(api.pull(ref, stream=True, decode=True)):
                    progress(line)
        except EngineError as error:
            raise _unavailable(ref, error.message) from error
        image = self.image(ref)
        if image is None:
            raise _unavailable(ref, "the engine pulled it, but does not have it")
        return image

    def tag(self, image: str, ref: str) -> None:
        """See `Engine.tag`."""
        name, tag = parse_repository_tag(ref)
        with self._link.asking() as api:
            api.tag(image, name, tag)

    def remove_image(self, ref: str) -> None:
        """See `Engine.remove_image`."""
        with self._link.asking(timeout=PULL) as api, suppress(Missing):
            try:
                api.remove_image(ref)
            except APIError as error:
                if error.status_code != 409:
                    raise

    def import_image(
        self, tar: str, ref: str, *, command: tuple[str, ...], label: str
    ) -> ImageInfo:
        """See `Engine.import_image`.

        Args:
            tar: path of the tar on this machine (the engine may be elsewhere).
            label: ``key=value``; empty for none.
        """
        name, tag = parse_repository_tag(ref)
        changes = [f"CMD {json.dumps(list(command))}"] if command else []
        if label:
            key, _, value = label.partition("=")
            changes.append(f"LABEL {json.dumps(key)}={json.dumps(value)}")
        with Path(tar).open("rb") as content, self._link.asking(timeout=PULL) as api:
            said = api.import_image_from_data(content, name, tag or "latest", changes)
        for _ in _progress(map(json.loads, said.splitlines())):
            pass
        image = self.image(ref)
        if image is None:
            raise NotFound(f"the engine imported {ref}, but does not have it")
        return image


def _progress(stream: Iterable[Any]) -> Iterator[str]:
    """The lines of a pull or an import; raises `EngineError` with the words of a failed one."""
    for said in stream:
        if "error" in said:
            raise EngineError(str(said["error"]))
        parts = (said.get("id"), said.get("status"), said.get("progress"))
        yield " ".join(str(part) for part in parts if part)


def _info(raw: Any) -> ImageInfo:
    config = raw.get("Config") or {}
    health = (config.get("Healthcheck") or {}).get("Test") or ["NONE"]
    return ImageInfo(
        id=raw["Id"],
        tags=_tags(raw),
        entrypoint=tuple(config.get("Entrypoint") or ()),
        command=tuple(config.get("Cmd") or ()),
        env=tuple(config.get("Env") or ()),
        labels=tuple(sorted((config.get("Labels") or {}).items())),
        user=config.get("User") or "",
        workdir=config.get("WorkingDir") or "",
        exposed_ports=tuple(sorted(config.get("ExposedPorts") or ())),
        volumes=tuple(sorted(config.get("Volumes") or ())),
        has_healthcheck=health != ["NONE"],
        size=raw["Size"],
        layers=tuple((raw.get("RootFS") or {}).get("Layers") or ()),
        architecture=raw.get("Architecture") or "",
    )


def _tags(raw: Any) -> tuple[str, ...]:
    return tuple(tag for tag in raw.get("RepoTags") or () if tag != "<none>:<none>")


def _unavailable(ref: str, words: str) -> ImageUnavailable:
    registry = ref.split("/", 1)[0] if "." in ref.split("/", 1)[0] else "docker.io"
    return ImageUnavailable(
        f"the image {ref} is not here and can't be pulled: {words}",
        hint=f"check the name; is {registry} reachable from this host, "
        f"and does it want `docker login {registry}`?",
    )
