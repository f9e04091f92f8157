"""The base image: taken as it is, pulled, or made and said so."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from containerdeploy.bootstrap.base_image import LABEL, REF, BaseImagePiece
from containerdeploy.check import ImageInfo
from containerdeploy.errors import EngineError, HostNotReady, ImageUnavailable
from tests.unit.bootstrap.machine import Machine


def piece(machine, *, root=True, **more):
    return BaseImagePiece(
        connect=machine.connect,
        apt=machine.apt(root=root),
        run=machine.programs,
        which=machine.which,
        **more,
    )


@pytest.fixture
def machine():
    machine = Machine(up=True)
    machine.installed.add("mmdebstrap")
    machine.programs.after("mmdebstrap", do=lambda argv: Path(argv[-1]).write_bytes(b"tar"))
    return machine


def test_here(machine):
    """One that is here is in order, whoever made it."""
    machine.engine.add_image(REF)
    assert piece(machine).check().ok


def test_pulled(machine):
    """Where a registry answers it is pulled, and mmdebstrap plays no part."""
    machine.engine.registry[REF] = ImageInfo(id="sha256:" + "1" * 64)
    base = piece(machine)
    assert not base.check().ok
    assert base.mend(machine.emit) == f"pulled {REF}"
    assert base.check().ok
    assert machine.programs.ran == []


def test_made_where_no_registry_answers(machine):
    """Without a registry it is made from the archive, labelled, and said aloud with the reason."""
    base = piece(machine)
    assert "made" in base.mend(machine.emit)
    made = base.check()
    assert made.ok
    assert "made from Debian's archive" in made.what
    assert machine.engine.images(LABEL)
    (said,) = [text for text in machine.said if "mmdebstrap" in text]
    assert "because it can't be pulled" in said
    (argv,) = machine.programs.ran
    assert argv[:-1] == ("mmdebstrap", "--variant=minbase", "--quiet", "trixie")
    assert not Path(argv[-1]).exists()  # the tar is gone again


def test_a_silent_registry(machine):
    """A registry that says nothing keeps nobody waiting: the image is made."""
    silent = threading.Event()

    def pull(ref, progress):
        silent.wait(30)
        raise EngineError("too late")

    machine.engine.pull = pull
    assert "made" in piece(machine, first_word=0.05).mend(machine.emit)
    silent.set()


def test_a_broken_pull_is_no_reason_to_make_one(machine):
    """An engine that fails for another reason is reported as it is."""
    machine.engine.fail("pull", EngineError("no space left on device"))
    with pytest.raises(EngineError, match="no space left"):
        piece(machine).mend(machine.emit)
    assert machine.programs.ran == []


def test_only_debian_can_be_made(machine):
    """Of other images the registry's own words are the answer."""
    with pytest.raises(ImageUnavailable):
        piece(machine, ref="python:3.13").mend(machine.emit)


def test_mmdebstrap_is_installed(machine):
    """A missing mmdebstrap is installed first, with Debian's keys where they are a package."""
    machine.installed.clear()
    machine.programs.answer("apt-cache", output="  Candidate: 2025.1")
    piece(machine).mend(machine.emit)
    assert machine.programs.ran[-2][-2:] == ("mmdebstrap", "debian-archive-keyring")


def test_without_root(machine):
    """Without root and without mmdebstrap the command is named, and nothing is run."""
    machine.installed.clear()
    with pytest.raises(HostNotReady) as caught:
        piece(machine, root=False).mend(machine.emit)
    assert "sudo apt-get install" in caught.value.hint


def test_mmdebstrap_fails(machine):
    """Without registry and archive the last words of mmdebstrap are shown, and what to do."""
    machine.programs.answer("mmdebstrap", code=1, output="E: no mirror\n")
    with pytest.raises(HostNotReady, match="neither pulled nor made") as caught:
        piece(machine).mend(machine.emit)
    assert "no mirror" in caught.value.detail
    assert "docker load" in caught.value.hint
