"""The edge's state on disk."""

from __future__ import annotations

import threading

import pytest

from containerdeploy.edge import files as module
from containerdeploy.edge.files import EdgeFiles
from containerdeploy.edge.table import Entry, Table
from containerdeploy.errors import EdgeError, HostNotReady, Locked


@pytest.fixture
def files(tmp_path):
    there = EdgeFiles(tmp_path / "state" / "edge")
    there.prepare()
    return there


def test_folders_are_private(files):
    """Only the owner may enter; the proxy's owner is never root."""
    for folder in (files.folder, files.conf, files.run):
        assert folder.stat().st_mode & 0o777 == 0o700
    assert files.conf.stat().st_uid == files.uid != 0


def test_empty(files):
    """Without a table there is an empty one."""
    assert files.table() == Table()
    assert files.texts() == ("", "")


def test_written_is_read(files):
    """The table and both texts come back as they were written."""
    table = Table().shaped(Entry("shop", "web", "http", 8000))
    files.write(table, "config\n", "map\n")
    assert files.table() == table
    assert files.texts() == ("config\n", "map\n")
    assert not [path for path in files.conf.iterdir() if path.name.startswith(".")]


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"members": 1}', '{"members":{"a":{"x":1}}}'])
def test_broken_table(files, text):
    """A table that cdeploy did not write is an error that names the file and the cure."""
    (files.folder / "table.json").write_text(text)
    with pytest.raises(EdgeError, match=r"table\.json") as raised:
        files.table()
    assert "cdeploy up" in raised.value.hint


def test_no_folder(tmp_path):
    """Where no edge was ever made, a change says how to make one."""
    with pytest.raises(HostNotReady) as raised, EdgeFiles(tmp_path / "none").lock():
        pass
    assert "bootstrap" in raised.value.hint


def test_lock_excludes_threads(files):
    """Two holders are never inside at once."""
    inside, seen = [], []

    def hold():
        for _ in range(20):
            with files.lock():
                inside.append(1)
                seen.append(len(inside))
                inside.pop()

    threads = [threading.Thread(target=hold) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(seen) == {1}


def test_lock_that_is_never_let_go(files, monkeypatch):
    """Waiting for the lock has an end."""
    monkeypatch.setattr(module, "LOCK_WAIT", 0.02)
    with files.lock(), pytest.raises(Locked), files.lock():
        pass


def test_lock_of_a_failed_change_is_free(files):
    """An error inside lets the lock go."""
    with pytest.raises(ValueError, match="x"), files.lock():
        raise ValueError("x")
    with files.lock():
        pass
