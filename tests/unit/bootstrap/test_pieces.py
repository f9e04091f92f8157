"""The smaller pieces: state folder, host settings, builder, edge image, edge, disk and ports."""

from __future__ import annotations

import os
import socket
from dataclasses import replace
from pathlib import Path

import pytest

from containerdeploy.bootstrap.base_image import REF
from containerdeploy.bootstrap.builder import BuilderPiece
from containerdeploy.bootstrap.edge import EdgePiece
from containerdeploy.bootstrap.edge_image import EdgeImagePiece, edge_ref, folder
from containerdeploy.bootstrap.room import PortPiece, RoomPiece
from containerdeploy.bootstrap.settings import SettingsPiece, production
from containerdeploy.bootstrap.state import StatePiece
from containerdeploy.engines.base import ContainerSpec
from containerdeploy.engines.fake import FakeEngine
from containerdeploy.engines.labels import labels_of
from containerdeploy.errors import HostNotReady, ImageUnavailable
from containerdeploy.host import Host
from tests.unit.bootstrap.machine import Machine


def quiet(event):
    assert event.event == "bootstrap"


@pytest.fixture
def host(tmp_path):
    return Host(file=tmp_path / "host.toml", state=tmp_path / "state")


# -- state folder ------------------------------------------------------------------


def test_state_folder_is_made_and_closed(host):
    """The folder is made with the mode 0700, whatever the umask."""
    piece = StatePiece(host.state)
    assert not piece.check().ok
    before = os.umask(0o077)
    try:
        assert piece.mend(quiet) == f"made {host.state}"
    finally:
        os.umask(before)
    assert piece.check().ok
    assert host.state.stat().st_mode & 0o777 == 0o700


def test_state_folder_open_to_others(host):
    """One that others can enter is closed."""
    host.state.mkdir(mode=0o755)
    host.state.chmod(0o755)
    piece = StatePiece(host.state)
    assert "0755" in piece.check().what
    assert "closed" in piece.mend(quiet)
    assert piece.check().ok


def test_state_is_a_file(host):
    """A file in its place is reported, and not removed."""
    host.state.write_text("mine")
    piece = StatePiece(host.state)
    assert "is not a folder" in piece.check().what
    with pytest.raises(HostNotReady, match="can't be made"):
        piece.mend(quiet)
    assert host.state.read_text() == "mine"


# -- host settings -----------------------------------------------------------------


def test_production_settings_are_written_once(host):
    """All addresses and port 80, written to host.toml; the rest stays as it was."""
    written = []
    wanted = production(replace(host, environment="production"))

    def write(settings):
        written.append(settings)
        settings.file.write_text("")

    piece = SettingsPiece(replace(host, environment="production"), wanted, write)
    assert not piece.check().ok
    piece.mend(quiet)
    assert written == [wanted]
    assert (wanted.bind, wanted.http, wanted.environment) == ("0.0.0.0", 80, "production")
    assert SettingsPiece(wanted, wanted, write).check().ok


def test_settings_that_cant_be_written(host):
    """A file that can't be written is an error with a cure."""

    def write(settings):
        raise PermissionError(13, "Permission denied")

    with pytest.raises(HostNotReady, match="Permission denied"):
        SettingsPiece(host, production(host), write).mend(quiet)


# -- builder -----------------------------------------------------------------------


class Finder:
    """Stands for `find_builder`."""

    def __init__(self, *, there: bool) -> None:
        self.there = there

    def __call__(self):
        if not self.there:
            raise HostNotReady("no docker CLI can build", hint="install docker-buildx")
        return "docker 26.1 with buildx"


def test_builder_there():
    """A builder that is found is in order, and nothing is installed."""
    machine = Machine(up=True)
    assert BuilderPiece(Finder(there=True), apt=machine.apt()).check().ok
    assert machine.programs.ran == []


def test_builder_is_installed():
    """Debian's plugin is installed where there is one; docker.io itself never is."""
    machine = Machine(up=True)
    finder = Finder(there=False)
    machine.programs.answer("apt-cache", "policy", "docker-buildx-plugin", output="N: none")
    machine.programs.answer("apt-cache", output="  Candidate: 0.13")
    machine.programs.after("apt-get", do=lambda argv: setattr(finder, "there", True))
    piece = BuilderPiece(finder, apt=machine.apt())
    finder.there = False
    assert not piece.check().ok
    assert piece.mend(machine.emit) == "installed docker-cli, docker-buildx"
    assert not any("docker.io" in argv for argv in machine.programs.ran)


@pytest.mark.parametrize("root", [True, False])
def test_builder_that_cant_be_had(root):
    """Without root, or where no package has it, the finder's own words and cure stand."""
    machine = Machine(up=True)
    machine.programs.answer("apt-cache", output="  Candidate: (none)")
    with pytest.raises(HostNotReady, match="no docker CLI can build") as caught:
        BuilderPiece(Finder(there=False), apt=machine.apt(root=root)).mend(machine.emit)
    assert caught.value.hint == "install docker-buildx"
    assert machine.programs.started_with("apt-get", "install") == []


# -- edge image ----------------------------------------------------------------------


def test_edge_image_is_named_by_what_it_is_made_from():
    """Another Dockerfile or another base makes another name; the same ones the same."""
    one, two = FakeEngine(), FakeEngine()
    one.add_image(REF, id="sha256:" + "1" * 64)
    two.add_image(REF, id="sha256:" + "2" * 64)
    names = {edge_ref(one, b"FROM a"), edge_ref(one, b"FROM b"), edge_ref(two, b"FROM a")}
    assert len(names) == 3
    assert edge_ref(one, b"FROM a") in names


def test_edge_image_is_built_once():
    """It is built from the package's folder when it is not here, and only then."""
    engine = FakeEngine()
    engine.add_image(REF)
    built = []

    def build(path, ref, emit):
        built.append(path)
        engine.add_image(ref, id="sha256:" + "e" * 64)

    piece = EdgeImagePiece(lambda: engine, build)
    assert not piece.check().ok
    with pytest.raises(ImageUnavailable):
        piece.id()
    piece.mend(quiet)
    assert piece.check().ok
    assert piece.id() == "sha256:" + "e" * 64
    assert built == [folder()]
    assert (folder() / "Dockerfile").is_file()


def test_edge_image_without_its_base():
    """Without the base image there is nothing to name it by."""
    with pytest.raises(HostNotReady, match="base"):
        EdgeImagePiece(FakeEngine, lambda path, ref, emit: None).check()


# -- edge ----------------------------------------------------------------------------


def pod(engine, host, image="sha256:" + "e" * 64, *, running=True):
    engine.add_image("edge", id=image)
    if not engine.networks(host.instance):
        engine.create_network(
            host.edge_network,
            subnet="10.213.0.0/24",
            gateway="10.213.0.1",
            labels=labels_of(instance=host.instance, role="edge"),
        )
    for role, name in (("holder", host.holder), ("edge", host.edge)):
        spec = ContainerSpec(
            name=name,
            image=image,
            network=host.edge_network,
            labels=labels_of(instance=host.instance, role=role),
        )
        container = engine.create(spec)
        if running:
            engine.start(container)


def test_edge_comes_up(host):
    """An edge that is not there is brought up, with the image's id."""
    engine = FakeEngine()
    image = "sha256:" + "e" * 64
    given = []

    def up(engine, host, image, emit):
        given.append(image)
        pod(engine, host)

    piece = EdgePiece(lambda: engine, host, lambda: image, up)
    assert host.holder in piece.check().what
    piece.mend(quiet)
    assert given == [image]
    assert piece.check().ok


def test_edge_that_is_stopped(host):
    """Containers that exist and don't run are no edge."""
    engine = FakeEngine()
    pod(engine, host, running=False)
    finding = EdgePiece(lambda: engine, host, lambda: "", lambda *args: None).check()
    assert not finding.ok
    assert "created" in finding.what


def test_edge_of_an_older_image(host):
    """An edge whose image is not today's is to be replaced."""
    engine = FakeEngine()
    pod(engine, host)
    newer = EdgePiece(lambda: engine, host, lambda: "sha256:newer", lambda *args: None)
    assert "older image" in newer.check().what


# -- what doctor adds ----------------------------------------------------------------


def test_disk(tmp_path):
    """Too little room is reported where the state folder will be, and not mended."""
    assert RoomPiece(tmp_path / "not/there/yet", least=1).check().ok
    full = RoomPiece(tmp_path, least=1 << 60)
    assert "prune" in full.check().cure
    with pytest.raises(HostNotReady, match="free at"):
        full.mend(quiet)


def test_port_taken(host):
    """A port that somebody else holds is named with the way to find out who."""
    engine = FakeEngine()
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        finding = PortPiece(lambda: engine, replace(host, http=port)).check()
        assert not finding.ok
        assert f"127.0.0.1:{port} is taken" in finding.what
        assert str(port) in finding.cure
    assert PortPiece(lambda: engine, replace(host, http=port)).check().ok


def test_port_of_our_own_edge(host):
    """A port that our own holder publishes is in order."""
    engine = FakeEngine()
    pod(engine, host)
    assert "held by cdeploy-holder" in PortPiece(lambda: engine, host).check().what


def test_the_package_carries_the_dockerfile():
    """The edge's Dockerfile is found wherever the package is installed."""
    assert Path(folder() / "Dockerfile").read_text().count("FROM debian:trixie-slim") == 1
