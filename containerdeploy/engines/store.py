"""Images through the Engine API: looked up, pulled, named, imported, removed."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from containerdeploy.check import ImageInfo
from containerdeploy.engines.wire import quoted, translated
from containerdeploy.errors import EngineError, ImageUnavailable, NotFound

if TYPE_CHECKING:
    import http.client
    from collections.abc import Callable, Iterator

    from containerdeploy.engines.wire import Wire

PULL = 300.0
"""Seconds that a registry or a disk may be silent during a pull or an import."""


class Images:
    """The part of the driver that is about images."""

    _wire: Wire

    def image(self, ref: str) -> ImageInfo | None:
        """See `Engine.image`."""
        reply = self._wire.call("GET", f"/images/{quoted(ref)}/json", allow=(404,))
        return None if reply.status == 404 else _info(reply.json())

    def images(self, label: str) -> tuple[ImageInfo, ...]:
        """See `Engine.images`. One call: id, tags, labels and size are filled, the rest
        is what `image` is for."""
        query = {"filters": {"label": [label]}}
        raw = self._wire.call("GET", "/images/json", query=query).json()
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
        name, tag = split(ref)
        query = (
            {"fromImage": name, "tag": tag or "latest"} if "@" not in ref else {"fromImage": ref}
        )
        try:
            with self._wire.stream(
                "POST", "/images/create", query=query, headers=_credentials(ref), timeout=PULL
            ) as response:
                for line in self._progress(response):
                    progress(line)
        except EngineError as error:
            raise _unavailable(ref, error.message) from error
        image = self.image(ref)
        if image is None:
            raise _unavailable(ref, "the engine pulled it, but does not have it")
        return image

    def _progress(self, response: http.client.HTTPResponse) -> Iterator[str]:
        """The lines of a pull or an import; raises `EngineError` with the words of a failed one."""
        with translated(self._wire.address, "POST", "/images/create", PULL):
            for line in response:
                said = json.loads(line)
                if "error" in said:
                    raise EngineError(str(said["error"]))
                parts = (said.get("id"), said.get("status"), said.get("progress"))
                yield " ".join(str(part) for part in parts if part)

    def tag(self, image: str, ref: str) -> None:
        """See `Engine.tag`."""
        name, tag = split(ref)
        query = {"repo": name, "tag": tag}
        self._wire.call("POST", f"/images/{quoted(image)}/tag", query=query)

    def remove_image(self, ref: str) -> None:
        """See `Engine.remove_image`."""
        self._wire.call("DELETE", f"/images/{quoted(ref)}", timeout=PULL, allow=(404, 409))

    def import_image(
        self, tar: str, ref: str, *, command: tuple[str, ...], label: str
    ) -> ImageInfo:
        """See `Engine.import_image`.

        Args:
            tar: path of the tar on this machine (the engine may be elsewhere).
            label: ``key=value``; empty for none.
        """
        name, tag = split(ref)
        changes = [f"CMD {json.dumps(list(command))}"] if command else []
        if label:
            key, _, value = label.partition("=")
            changes.append(f"LABEL {json.dumps(key)}={json.dumps(value)}")
        query = {"fromSrc": "-", "repo": name, "tag": tag or "latest", "changes": changes}
        path = Path(tar)
        with (
            path.open("rb") as content,
            self._wire.stream(
                "POST",
                "/images/create",
                query=query,
                data=content,
                headers={
                    "Content-Type": "application/x-tar",
                    "Content-Length": str(path.stat().st_size),
                },
                timeout=PULL,
            ) as response,
        ):
            for _ in self._progress(response):
                pass
        image = self.image(ref)
        if image is None:
            raise NotFound(f"the engine imported {ref}, but does not have it")
        return image


def split(ref: str) -> tuple[str, str]:
    """A reference's name and tag; a colon before the last slash belongs to the registry's port."""
    if "@" in ref:
        return ref, ""
    name, colon, tag = ref.rpartition(":")
    return (name, tag) if colon and "/" not in tag else (ref, "")


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


def _credentials(ref: str) -> dict[str, str]:
    """The registry's credentials as `docker login` left them, read by docker-py (config.json
    and credential helpers); nothing where there are none."""
    from docker import auth, errors

    try:
        registry, _ = auth.resolve_repository_name(split(ref)[0].partition("@")[0])
        found = auth.load_config().resolve_authconfig(registry)
    except errors.DockerException as error:
        raise _unavailable(ref, str(error)) from error
    if not found:
        return {}
    return {"X-Registry-Auth": base64.urlsafe_b64encode(json.dumps(found).encode()).decode()}


def _unavailable(ref: str, words: str) -> ImageUnavailable:
    registry = ref.split("/", 1)[0] if "." in ref.split("/", 1)[0] else "docker.io"
    return ImageUnavailable(
        f"the image {ref} is not here and can't be pulled: {words}",
        hint=f"check the name; is {registry} reachable from this host, "
        f"and does it want `docker login {registry}`?",
    )
