"""Pulls from a registry that the test itself is: one image, with and without a login."""

from __future__ import annotations

import base64
import gzip
import hashlib
import io
import json
import tarfile
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest

from containerdeploy.engines.docker import DockerEngine
from containerdeploy.errors import ImageUnavailable

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.engine


class Registry:
    """The registry API's few paths that a pull needs (distribution.github.io/distribution/spec)."""

    def __init__(self) -> None:
        self.login = ""
        self.blobs: dict[str, tuple[str, bytes]] = {}
        layer = io.BytesIO()
        with tarfile.open(fileobj=layer, mode="w") as tar:
            info = tarfile.TarInfo("hello")
            info.size = 5
            tar.addfile(info, io.BytesIO(b"hello"))
        packed = gzip.compress(layer.getvalue(), mtime=0)
        config = {
            "architecture": "amd64",
            "os": "linux",
            "config": {"Cmd": ["/hello"], "Labels": {"nonce": uuid4().hex}},
            "rootfs": {"type": "layers", "diff_ids": [_digest(layer.getvalue())]},
        }
        prefix = "application/vnd.docker"
        manifest = {
            "schemaVersion": 2,
            "mediaType": f"{prefix}.distribution.manifest.v2+json",
            "config": self._add(f"{prefix}.container.image.v1+json", json.dumps(config).encode()),
            "layers": [self._add(f"{prefix}.image.rootfs.diff.tar.gzip", packed)],
        }
        self.manifest = json.dumps(manifest).encode()
        self.type = str(manifest["mediaType"])

    def _add(self, kind: str, content: bytes) -> dict[str, Any]:
        self.blobs[_digest(content)] = (kind, content)
        return {"mediaType": kind, "size": len(content), "digest": _digest(content)}

    def answer(self, path: str, authorization: str) -> tuple[int, str, bytes]:
        if self.login and authorization != f"Basic {self.login}":
            return 401, "application/json", b'{"errors": [{"code": "UNAUTHORIZED"}]}'
        if path == "/v2/":
            return 200, "application/json", b"{}"
        kind, _, last = path.removeprefix("/v2/cdt/thing/").partition("/")
        if kind == "manifests" and last in ("one", _digest(self.manifest)):
            return 200, self.type, self.manifest
        if kind == "blobs" and last in self.blobs:
            return 200, *self.blobs[last]
        return 404, "application/json", b'{"errors": [{"code": "MANIFEST_UNKNOWN"}]}'


def _digest(content: bytes) -> str:
    return "sha256:" + hashlib.sha256(content).hexdigest()


@pytest.fixture
def registry() -> Iterator[tuple[Registry, str]]:
    """A registry, and the name of its repository."""
    served = Registry()

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *args: Any) -> None: ...

        def do_GET(self) -> None:
            status, kind, body = served.answer(self.path, self.headers.get("Authorization", ""))
            self.send_response(status)
            self.send_header("Docker-Distribution-Api-Version", "registry/2.0")
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            if "/manifests/" in self.path:
                self.send_header("Docker-Content-Digest", _digest(body))
            if status == 401:
                self.send_header("WWW-Authenticate", 'Basic realm="test"')
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

        do_HEAD = do_GET  # noqa: N815 - the name is http.server's

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        repository = f"127.0.0.1:{server.server_address[1]}/cdt/thing"
        yield served, repository
        server.shutdown()
        thread.join()
        engine = DockerEngine()
        for ref in (f"{repository}:one", f"{repository}@{_digest(served.manifest)}"):
            engine.remove_image(ref)
        engine.close()


def test_an_image_is_pulled(registry: tuple[Registry, str]) -> None:
    """By tag and by digest; progress is told."""
    served, repository = registry
    engine = DockerEngine()
    said: list[str] = []
    image = engine.pull(f"{repository}:one", said.append)
    assert image.command == ("/hello",)
    assert f"{repository}:one" in image.tags
    assert any("Pulling from cdt/thing" in line for line in said)
    again = engine.pull(f"{repository}@{_digest(served.manifest)}", said.append)
    assert again.id == image.id
    engine.close()


def test_a_tag_that_is_not_there(registry: tuple[Registry, str]) -> None:
    """The registry's words and the reference are in the error."""
    engine = DockerEngine()
    with pytest.raises(ImageUnavailable, match=r"cdt/thing:two .*manifest") as caught:
        engine.pull(f"{registry[1]}:two", lambda line: None)
    assert "docker login 127.0.0.1" in caught.value.hint
    engine.close()


def test_a_registry_that_wants_a_login(
    registry: tuple[Registry, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What `docker login` wrote is used; without it the registry's refusal is told."""
    served, repository = registry
    served.login = base64.b64encode(b"me:made-up").decode()
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    engine = DockerEngine()
    with pytest.raises(ImageUnavailable, match="cdt/thing:one"):
        engine.pull(f"{repository}:one", lambda line: None)
    auths = {repository.partition("/")[0]: {"auth": served.login}}
    (tmp_path / "config.json").write_text(json.dumps({"auths": auths}))
    assert engine.pull(f"{repository}:one", lambda line: None).command == ("/hello",)
    engine.close()
