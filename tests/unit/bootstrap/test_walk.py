"""A host is made ready piece by piece, and only what is missing is touched."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import pytest

from containerdeploy import bootstrap as package
from containerdeploy.bootstrap.base import Finding
from containerdeploy.bootstrap.pieces import NAMES, pieces_for
from containerdeploy.bootstrap.walk import look, make_ready
from containerdeploy.engines.fake import FakeEngine
from containerdeploy.errors import BadInput, HostNotReady
from containerdeploy.host import Host

HOST = Host(file=Path("/nowhere/host.toml"), state=Path("/nowhere/state"))


@dataclass
class Made:
    """A piece that is there or not, and that a mend helps or not."""

    name: str
    there: bool = False
    helps: bool = True
    error: HostNotReady | None = None
    calls: list[str] = field(default_factory=list)

    def check(self):
        self.calls.append("check")
        return Finding(self.there, f"{self.name} {'is' if self.there else 'is not'} there", "so")

    def mend(self, emit):
        self.calls.append("mend")
        if self.error:
            raise self.error
        self.there = self.helps
        return f"made {self.name}"


def test_ready_and_silent():
    """A ready host is left as it is, and nothing is said."""
    said = []
    pieces = [Made("one", there=True), Made("two", there=True)]
    report = make_ready(HOST, pieces, said.append)
    assert report.ready
    assert not report.changed
    assert [piece.calls for piece in pieces] == [["check"], ["check"]]
    assert said == []


def test_only_what_is_missing():
    """What is missing is mended, looked at again, and said with its reason."""
    said = []
    pieces = [Made("one", there=True), Made("two")]
    report = make_ready(HOST, pieces, said.append)
    assert [(item.name, item.state) for item in report.items] == [("one", "ok"), ("two", "done")]
    assert pieces[1].calls == ["check", "mend", "check"]
    assert [event.data for event in said] == [
        {"item": "two", "state": "missing", "what": "two is not there", "why": "so"},
        {"item": "two", "state": "done", "what": "made two", "why": "so"},
    ]


def test_a_mend_that_does_not_help():
    """A piece that is still missing after its mend is an error, never a success."""
    with pytest.raises(HostNotReady, match="made one, and yet one is not there"):
        make_ready(HOST, [Made("one", helps=False)], lambda event: None)


def test_the_first_failure_ends_it():
    """What can't be mended ends the walk with its own words; later pieces need it."""
    said = []
    later = Made("two")
    error = HostNotReady("not root", hint="sudo")
    with pytest.raises(HostNotReady, match="not root"):
        make_ready(HOST, [Made("one", error=error), later], said.append)
    assert later.calls == []
    assert said[-1].data == {"item": "one", "state": "failed", "what": "not root", "cure": "sudo"}


def test_looking_changes_nothing():
    """A report names all that is missing, mends nothing, and survives what can't be looked at."""

    class Blind(Made):
        def check(self):
            raise HostNotReady("no engine", hint="start it")

    pieces = [Made("one"), Blind("two"), Made("three", there=True)]
    report = look(HOST, pieces)
    assert not report.ready
    assert [item.state for item in report.items] == ["missing", "missing", "ok"]
    assert report.items[1].to_json() == {
        "name": "two",
        "state": "missing",
        "what": "no engine",
        "cure": "start it",
    }
    assert all("mend" not in piece.calls for piece in pieces)


def test_all_pieces_in_the_order_of_their_needs():
    """A production host gets all the pieces, any other all but its settings."""
    names = [piece.name for piece in pieces_for(FakeEngine, HOST, HOST, production=True)]
    assert names == list(NAMES)
    assert [piece.name for piece in pieces_for(FakeEngine, HOST, HOST)] == list(NAMES[1:])


def test_some_pieces():
    """`only` takes names with blanks or dashes, and keeps the order."""
    names = [
        piece.name for piece in pieces_for(FakeEngine, HOST, HOST, only=["base-image", "engine"])
    ]
    assert names == ["engine", "base image"]


def test_unknown_piece():
    """A name that is none is an error that lists them."""
    with pytest.raises(BadInput, match="no such piece of a host: egde") as caught:
        pieces_for(FakeEngine, HOST, HOST, only=["egde"])
    assert "edge-image" in caught.value.hint


def test_check_of_a_bare_host(tmp_path, monkeypatch):
    """`--check` on a host with nothing reports it all and makes not even a folder."""
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/none.sock")
    host = Host(file=tmp_path / "etc/host.toml", state=tmp_path / "state")
    before = sorted(tmp_path.rglob("*"))
    report = package.bootstrap(host, lambda event: None, check=True, production=True)
    states = {item.name: item.state for item in report.items}
    assert not report.ready
    for name in ("host settings", "state folder", "engine", "base image", "edge image", "edge"):
        assert states[name] == "missing"
    assert sorted(tmp_path.rglob("*")) == before
    assert report.host.http == 80
    assert {item.name for item in package.diagnose(host).items} >= {"disk", "ports"}
    assert sorted(tmp_path.rglob("*")) == before
