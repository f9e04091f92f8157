"""The edge's table: a full disk changes nothing, and two stacks never share a route."""

from __future__ import annotations

import errno
import tempfile

import pytest

from containerdeploy.edge.edits import Routes
from containerdeploy.edge.files import EdgeFiles
from containerdeploy.edge.table import Table
from containerdeploy.errors import Conflict, EdgeError


def test_a_full_disk_leaves_all_files_as_they_were(tmp_path, monkeypatch):
    """Table, map and configuration are written all together or not at all."""
    files = EdgeFiles(tmp_path / "edge")
    files.folder.mkdir()
    files.conf.mkdir()
    files.write(Table(), "config one", "map one")
    make = tempfile.mkstemp

    def full(prefix, dir):
        if "haproxy.cfg" in prefix:
            raise OSError(errno.ENOSPC, "No space left on device")
        return make(prefix=prefix, dir=dir)

    monkeypatch.setattr("containerdeploy.files.tempfile.mkstemp", full)
    with pytest.raises(EdgeError, match="No space left"):
        files.write(Table(routes={"a.test/": "shop/web"}), "config two", "map two")
    assert files.table() == Table()
    assert files.texts() == ("config one", "map one")
    assert sorted(p.name for p in files.conf.iterdir()) == ["haproxy.cfg", "table.map"]
    assert [p.name for p in files.folder.iterdir() if p.is_file()] == ["table.json"]


def test_a_route_that_was_taken_since_the_plan():
    """Two first deploys at once that claim one host: the second to switch is refused."""
    table = Routes("blog", {"a.test/": "blog/site"})(Table())
    with pytest.raises(Conflict, match="blog/site"):
        Routes("shop", {"a.test/": "shop/web"})(table)
    assert Routes("blog", {"a.test/": "blog/other"})(table).routes == {"a.test/": "blog/other"}
