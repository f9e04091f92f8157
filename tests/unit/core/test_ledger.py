"""The ledger: what is remembered, by whom it can be read, and that it comes back."""

from __future__ import annotations

import sqlite3
import stat
import threading
import time

import pytest

from containerdeploy.errors import HostNotReady
from containerdeploy.ledger import Ledger, Rollout
from containerdeploy.plan import Remove
from containerdeploy.release import release_of
from containerdeploy.stack import Secret, Service


@pytest.fixture
def path(tmp_path):
    """Where a ledger may be."""
    return tmp_path / "state" / "ledger.sqlite"


def rollout(id_: str, stack: str = "shop") -> Rollout:
    """A rollout that has begun."""
    return Rollout(id_, stack, "up", time.time(), None, "begun", "me", "abc", "", {"x": [1]})


def test_private(path):
    """Only its owner can read the ledger and the folder that it lies in."""
    Ledger(path).close()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_rollouts_come_back(path):
    """A rollout is read back as it was written, newest first, also by another process."""
    ledger = Ledger(path)
    for id_ in ("r1", "r2"):
        ledger.begin(rollout(id_))
    ledger.end("r2", "switched")
    ledger.close()
    again = Ledger(path)
    assert [one.id for one in again.rollouts("shop")] == ["r2", "r1"]
    assert again.rollout("r2").outcome == "switched"
    assert again.rollout("r2").description == {"x": [1]}
    assert again.rollouts("other") == ()
    assert again.rollout("nope") is None
    again.close()


def test_release_holds_no_secret(path):
    """A release is kept with its secrets' fingerprints, never their values."""
    ledger = Ledger(path)
    service = Service(name="web", secrets=(Secret("KEY", env="KEY"),))
    known = release_of("shop", service, "sha256:a", {"KEY": "f00d"})
    ledger.remember(known)
    kept = ledger.release("shop", "web", known.id)
    assert kept["runtime"]["secrets"] == [["KEY", "f00d"]]
    assert kept["image"] == "sha256:a"
    assert ledger.release("shop", "web", "other") is None
    ledger.close()


def test_verdicts(path):
    """Green checks are known by image and digest, and by nothing less."""
    ledger = Ledger(path)
    ledger.record("sha256:a", "d1", ())
    assert ledger.known("sha256:a", "d1")
    assert not ledger.known("sha256:a", "d2")
    assert not ledger.known("sha256:b", "d1")
    ledger.close()


def test_many_threads(path):
    """Steps that run at once write at once."""
    ledger = Ledger(path)
    ledger.begin(rollout("r1"))

    def write(number: int) -> None:
        step = Remove(id=f"s{number}", why="", container="c")
        ledger.step_begun("r1", step)
        ledger.step_ended("r1", step, "done")

    threads = [threading.Thread(target=write, args=(n,)) for n in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {known.state for known in ledger.steps("r1")} == {"done"}
    assert len(ledger.steps("r1")) == 20
    ledger.close()


def test_newer_ledger_is_refused(path):
    """A ledger of a newer cdeploy is not touched; the message says so."""
    Ledger(path).close()
    with sqlite3.connect(path) as db:
        db.execute("PRAGMA user_version = 99")
    db.close()
    with pytest.raises(HostNotReady, match="newer cdeploy"):
        Ledger(path)


def test_damaged_ledger_is_said(path):
    """A file that is no ledger gives an error with a cure, not a traceback."""
    path.parent.mkdir(mode=0o700)
    path.write_bytes(b"not a database" * 100)
    with pytest.raises(HostNotReady) as caught:
        Ledger(path)
    assert "ledger" in caught.value.hint
