"""Secrets: blank ones are errors, values go to files only."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from containerdeploy.errors import BadInput
from containerdeploy.host import Host
from containerdeploy.release import release_of
from containerdeploy.secrets import drop_secrets, fingerprints, keep_secrets, read_secrets
from containerdeploy.stack import Secret, Service, Stack


def stack(*secrets: Secret) -> Stack:
    """A stack with one service that has these secrets."""
    return Stack("shop", (Service(name="web", secrets=secrets, file="stack.toml", line=4),))


def test_from_environment_and_file(tmp_path):
    """A value comes from cdeploy's environment or from a file, without its last newline."""
    (tmp_path / "key").write_text("hush\n")
    known = stack(Secret("A", env="MY_A"), Secret("B", file=str(tmp_path / "key")))
    assert read_secrets(known, {"MY_A": "x"}) == {"web": {"A": b"x", "B": b"hush"}}


def test_all_missing_ones_at_once(tmp_path):
    """Missing and blank secrets are all named, each with its line and its cure."""
    known = stack(Secret("A", env="A"), Secret("B", env="B"), Secret("C", file=str(tmp_path / "c")))
    with pytest.raises(BadInput) as caught:
        read_secrets(known, {"B": "  "})
    text = [str(problem) for problem in caught.value.problems]
    assert len(text) == 3
    assert text[0].startswith("stack.toml:4: service.web.secrets.A: is missing or blank")
    assert "set A in the environment" in text[0]


def test_files(tmp_path):
    """The files can be read in the container by any user, and on the host by root alone."""
    host = Host(file=Path("x"), state=tmp_path / "state")
    known = stack(Secret("A", env="A"))
    values = {"A": b"hush"}
    release = release_of("shop", known["web"], "sha256:a", fingerprints("shop", "web", values))
    folder = Path(keep_secrets(host, release, values))
    assert (folder / "A").read_bytes() == b"hush"
    assert stat.S_IMODE((folder / "A").stat().st_mode) == 0o444
    assert stat.S_IMODE(host.secrets.stat().st_mode) == 0o700
    assert keep_secrets(host, release, {}) == str(folder)
    drop_secrets(host, "shop", "web", release.id)
    assert not folder.exists()
    with pytest.raises(BadInput, match="no longer on this host"):
        keep_secrets(host, release, {})


def test_no_value_in_the_release():
    """The release and its description hold no secret."""
    values = {"A": b"hush-hush"}
    known = stack(Secret("A", env="A"))
    release = release_of("shop", known["web"], "sha256:a", fingerprints("shop", "web", values))
    assert "hush" not in repr(release)
