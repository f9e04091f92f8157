"""Which engine is talked to: docker-py's answer, and ours where it would pick the wrong one."""

from __future__ import annotations

import json
from hashlib import sha256
from typing import TYPE_CHECKING

import pytest

from containerdeploy.engines.address import USUAL, Address, address
from containerdeploy.errors import HostNotReady

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.fixture(autouse=True)
def _clean(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No setting of this machine plays a part."""
    for name in ("HOST", "CONTEXT", "TLS_VERIFY", "CERT_PATH"):
        monkeypatch.delenv(f"DOCKER_{name}", raising=False)
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    (tmp_path / "config.json").write_text("{}")


@pytest.fixture
def context(tmp_path: Path) -> Callable[[str, str], None]:
    """Writes a context of the docker CLI: (name, meta.json)."""

    def write(name: str, text: str) -> None:
        meta = tmp_path / "contexts" / "meta" / sha256(name.encode()).hexdigest()
        meta.mkdir(parents=True)
        (meta / "meta.json").write_text(text)

    return write


def test_the_engine_that_the_docker_cli_would_use(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, context: Callable[[str, str], None]
) -> None:
    """DOCKER_HOST beats DOCKER_CONTEXT, which beats the configuration's context."""
    far = {"Name": "far", "Metadata": {}, "Endpoints": {"docker": {"Host": "tcp://far:2375"}}}
    context("far", json.dumps(far))
    assert address() == Address(USUAL)
    (tmp_path / "config.json").write_text('{"currentContext": "far"}')
    assert address() == Address("tcp://far:2375", named="docker context far")
    monkeypatch.setenv("DOCKER_CONTEXT", "default")
    assert address().url == USUAL
    monkeypatch.setenv("DOCKER_HOST", "unix:///x")
    assert address() == Address("unix:///x", named="DOCKER_HOST")
    assert address().local


@pytest.mark.parametrize("text", ["", "{", '{"Name": "odd"}', '{"Name": "odd", "Endpoints": {}}'])
def test_a_context_that_cannot_be_used(
    text: str, monkeypatch: pytest.MonkeyPatch, context: Callable[[str, str], None]
) -> None:
    """One that is not there, or whose file is broken, is an error and not this machine's engine."""
    if text:
        context("odd", text)
    monkeypatch.setenv("DOCKER_CONTEXT", "odd")
    with pytest.raises(HostNotReady, match=r"docker context 'odd' can't be used") as caught:
        address()
    assert "docker context ls" in caught.value.hint


def test_certificates(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """They are checked when the engine's address is: those that are not there are named."""
    monkeypatch.setenv("DOCKER_HOST", "tcp://x:2376")
    monkeypatch.setenv("DOCKER_TLS_VERIFY", "1")
    monkeypatch.setenv("DOCKER_CERT_PATH", str(tmp_path))
    with pytest.raises(HostNotReady, match=r"tcp://x:2376 .*certificate") as caught:
        address()
    assert "DOCKER_CERT_PATH" in caught.value.hint
    for name in ("ca", "cert", "key"):
        (tmp_path / f"{name}.pem").write_text("")
    found = address().tls
    assert found is not None
    assert found.verify
    assert found.ca_cert == str(tmp_path / "ca.pem")
