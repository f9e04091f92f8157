"""The peer: Docker Compose v2 as Debian trixie packages it, unpacked into a cache.

Nothing is installed on the machine. The archive is the one that the machine's own
apt uses, with the suite exchanged, so that a mirror or a proxy goes on being used.
"""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

from tests.benchmarks.command import CommandFailed, Ended, run

SUITE = "trixie"
PACKAGES = ("docker-compose", "docker-buildx", "docker-cli")
PLUGINS = "usr/libexec/docker/cli-plugins"
KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"
SOURCES = Path("/etc/apt/sources.list.d/debian.sources")
OLD_SOURCES = Path("/etc/apt/sources.list")
WHERE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "cdeploy-benchmarks"


class NoPeer(Exception):
    """Compose can't be had here; the message says why."""


@dataclass(frozen=True, slots=True)
class Compose:
    """Compose, ready to be called.

    Attributes:
        docker: the docker CLI, by path.
        env: the environment in which it finds its plugins.
        version: its own words.
    """

    docker: str
    env: dict[str, str] = field(repr=False)
    version: str = ""

    def __call__(self, file: Path, *words: str) -> Ended:
        """`docker compose -f FILE WORDS...`, timed."""
        argv = (self.docker, "compose", "-f", str(file), *words)
        return run(argv, env=self.env, cwd=file.parent)


def find_compose() -> Compose:
    """Debian trixie's Compose; unpacked when it is not in the cache yet.

    Raises:
        NoPeer: this is no Debian, or its archive is out of reach.
    """
    root = WHERE / SUITE
    if not (root / "usr/bin/docker").exists():
        _unpack(root)
    settings = WHERE / "docker-config"
    settings.mkdir(parents=True, exist_ok=True)
    plugins = settings / "cli-plugins"
    if not plugins.is_symlink():
        plugins.symlink_to(root / PLUGINS)
    env = {**os.environ, "DOCKER_CONFIG": str(settings)}
    docker = str(root / "usr/bin/docker")
    try:
        version = run((docker, "compose", "version", "--short"), env=env, timeout=30).stdout.strip()
    except CommandFailed as error:
        raise NoPeer(f"the unpacked Compose does not run: {error}") from error
    return Compose(docker, env, version)


def _unpack(root: Path) -> None:
    """Fetch the packages with apt, and unpack them."""
    for tool in ("apt-get", "dpkg-deb"):
        if shutil.which(tool) is None:
            raise NoPeer(f"{tool} is not here: Compose is taken from Debian's archive")
    WHERE.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=WHERE, prefix="fetch-") as name:
        folder = Path(name)
        options = _own_apt(folder)
        try:
            run(("apt-get", *options, "update"), timeout=300)
            run(("apt-get", *options, "download", *PACKAGES), cwd=folder, timeout=300)
            for package in sorted(folder.glob("*.deb")):
                run(("dpkg-deb", "-x", str(package), str(folder / "root")), timeout=60)
        except CommandFailed as error:
            raise NoPeer(f"{SUITE}'s packages can't be fetched: {error}") from error
        (folder / "root").rename(root)


def _own_apt(folder: Path) -> tuple[str, ...]:
    """Options with which apt knows one suite only, and writes nowhere but here."""
    (folder / "lists/partial").mkdir(parents=True)
    (folder / "archives/partial").mkdir(parents=True)
    sources = folder / "suite.sources"
    sources.write_text(
        f"Types: deb\nURIs: {_archive()}\nSuites: {SUITE}\nComponents: main\nSigned-By: {KEYRING}\n"
    )
    settings = {
        "Dir::Etc::sourcelist": str(sources),
        "Dir::Etc::sourceparts": "-",
        "Dir::State::lists": str(folder / "lists"),
        "Dir::Cache": str(folder),
        "Acquire::Languages": "none",
        "APT::Sandbox::User": "root",
    }
    return tuple(word for key, value in settings.items() for word in ("-o", f"{key}={value}"))


def _archive() -> str:
    """The Debian archive that this machine's apt uses."""
    for file, pattern in (
        (SOURCES, r"^URIs:\s*(\S+)"),
        (OLD_SOURCES, r"^deb\s+(?:\[[^]]*\]\s+)?(\S+/debian/?)\s"),
    ):
        if file.exists() and (found := re.search(pattern, file.read_text(), re.MULTILINE)):
            return found[1]
    raise NoPeer("this machine's apt names no Debian archive")
