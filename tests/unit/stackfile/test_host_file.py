"""host.toml: where it is looked for, what it takes, and how it is written."""

import os
import stat
from dataclasses import replace
from pathlib import Path

import pytest

from containerdeploy.errors import BadInput, HostNotReady
from containerdeploy.host import Host
from containerdeploy.stackfile.host_file import load_host, write_host


@pytest.fixture
def user(monkeypatch):
    """Run as if not root."""
    monkeypatch.setattr(os, "geteuid", lambda: 1000)


def test_defaults_of_root(monkeypatch, tmp_path):
    """Root's settings and state are the system's; the rest are the defaults of `Host`."""
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(Path, "exists", lambda path: False)
    expected = Host(file=Path("/etc/cdeploy/host.toml"), state=Path("/var/lib/cdeploy"))
    assert load_host(None, {}) == expected


@pytest.mark.usefixtures("user")
def test_defaults_of_a_user(tmp_path):
    """A user's settings and state follow the XDG base directories, or HOME."""
    host = load_host(None, {"HOME": str(tmp_path)})
    assert host.file == tmp_path / ".config/cdeploy/host.toml"
    assert host.state == tmp_path / ".local/state/cdeploy"
    env = {"HOME": "/h", "XDG_CONFIG_HOME": str(tmp_path / "c"), "XDG_STATE_HOME": "relative"}
    host = load_host(None, env)
    assert host.file == tmp_path / "c/cdeploy/host.toml"
    assert host.state == Path("/h/.local/state/cdeploy")


def test_all_keys(tmp_path):
    """Every setting is read."""
    file = tmp_path / "host.toml"
    file.write_text(
        'instance = "two"\nstate = "/srv/x/"\nbind = "0.0.0.0"\nhttp = 80\ntcp = [5432, 6379]\n'
        'pool = "172.20.0.0/14"\nenvironment = "production"\n'
    )
    assert load_host(None, {"CDEPLOY_HOST_FILE": str(file)}) == Host(
        file=file,
        state=Path("/srv/x"),
        instance="two",
        bind="0.0.0.0",
        http=80,
        tcp=(5432, 6379),
        pool="172.20.0.0/14",
        environment="production",
    )


@pytest.mark.parametrize(
    ("text", "key", "message"),
    [
        ("https = 1", "https", "unknown key; allowed: instance, state, bind"),
        ('instance = "A"', "instance", "small letters"),
        (f'instance = "{"a" * 22}"', "instance", "at most 21"),
        ('state = "x"', "state", "an absolute path"),
        ('bind = "localhost"', "bind", "an IP address"),
        ("http = 0", "http", "from 1 to 65535"),
        ("tcp = 5", "tcp", "a list of ports"),
        ("tcp = [5, 5]", "tcp[1]", "named twice"),
        ("tcp = [8080]", "tcp", "names the port for HTTP"),
        ('pool = "8.0.0.0/16"', "pool", "a private IPv4 network"),
        ('pool = "10.0.0.0/23"', "pool", "/8 to /22"),
        ('pool = "10.0.0.1/16"', "pool", "a private IPv4 network"),
        ('pool = "fd00::/64"', "pool", "a private IPv4 network"),
        ("environment = 1", "environment", "should be a string, not 1"),
    ],
)
def test_problems(tmp_path, text, key, message):
    """A wrong setting is told with its line and key."""
    file = tmp_path / "host.toml"
    file.write_text(f"# settings\n{text}\n")
    with pytest.raises(BadInput) as caught:
        load_host(file, {})
    (problem,) = caught.value.problems
    assert (problem.line, problem.key) == (2, key)
    assert message in problem.message


def test_a_file_that_was_named_must_be_there(tmp_path):
    """Only the default file may be missing."""
    file = tmp_path / "none.toml"
    for call in (
        lambda: load_host(file, {}),
        lambda: load_host(None, {"CDEPLOY_HOST_FILE": str(file)}),
    ):
        with pytest.raises(BadInput, match="1 problem") as caught:
            call()
        assert caught.value.problems[0].message == "there is no such file"


def test_written_settings_are_read_back(tmp_path):
    """What is written is read as the same host, each key has a comment, and nothing is left."""
    file = tmp_path / "etc" / "host.toml"
    host = Host(file=file, state=Path('/srv/"x"'), bind="0.0.0.0", http=80, tcp=(5432,))
    for written in (host, replace(host, environment="production", instance="b")):
        write_host(written)
        assert load_host(file, {}) == written
    assert stat.S_IMODE(file.stat().st_mode) == 0o644
    assert [path.name for path in file.parent.iterdir()] == ["host.toml"]
    assert file.read_text().count("\n# ") >= 7


def test_settings_that_cannot_be_written(tmp_path):
    """A folder that can't be made is said, with what to do."""
    (tmp_path / "file").write_text("")
    host = Host(file=tmp_path / "file" / "host.toml", state=Path("/x"))
    with pytest.raises(HostNotReady, match="can't be written"):
        write_host(host)
