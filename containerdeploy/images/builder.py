"""BuildKit through a docker CLI: which one can build, and a build with it.

A docker CLI of 23 or newer builds only through the buildx plugin; one of 18.09 to 22 can
itself, with DOCKER_BUILDKIT=1 (docs.docker.com/build/buildkit). Both talk to the engine
that `engines.address` finds, because they read the same environment and context.
"""

from __future__ import annotations

import functools
import json
import os
import re
import subprocess
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from containerdeploy.errors import HostNotReady

if TYPE_CHECKING:
    from collections.abc import Mapping

    from containerdeploy.stack import Build

PLUGIN_FOLDERS = (
    "/usr/local/lib/docker/cli-plugins",
    "/usr/local/libexec/docker/cli-plugins",
    "/usr/lib/docker/cli-plugins",
    "/usr/libexec/docker/cli-plugins",
)
"""Where the docker CLI looks for plugins, after the user's own folder."""

_VERSION = re.compile(r"Docker version (\d+)\.(\d+)")
_CURE = (
    "install the buildx plugin (Debian: `apt-get install docker-buildx`; Docker's archive: "
    "`docker-buildx-plugin`), or let `cdeploy bootstrap` do it"
)


@dataclass(frozen=True, slots=True)
class Builder:
    """A way to build with BuildKit.

    Attributes:
        argv: the command up to its options.
        name: what it is, for messages.
    """

    argv: tuple[str, ...]
    name: str

    def command(
        self,
        build: Build,
        *,
        tags: tuple[str, ...],
        labels: Mapping[str, str],
        iidfile: str,
        no_cache: bool = False,
    ) -> tuple[list[str], dict[str, str]]:
        """The command line, and the environment for it.

        Build arguments are passed by name, with their values in the environment, so
        that other users of the host don't read them in the list of processes. Names
        that the docker CLI itself listens to (`_reserved`) can't be and are visible.
        """
        argv = [*self.argv, "--progress=plain", "--iidfile", iidfile, "--file", build.dockerfile]
        if build.target:
            argv += ["--target", build.target]
        if no_cache:
            argv += ["--no-cache"]
        environ = {**os.environ, "DOCKER_BUILDKIT": "1", "BUILDKIT_PROGRESS": "plain"}
        for name, value in build.args:
            if _reserved(name):
                argv += ["--build-arg", f"{name}={value}"]
            else:
                argv += ["--build-arg", name]
                environ[name] = value
        for key, value in labels.items():
            argv += ["--label", f"{key}={value}"]
        for tag in tags:
            argv += ["--tag", tag]
        return [*argv, build.context], environ


@functools.cache
def find_builder() -> Builder:
    """The first way to build with BuildKit that this host has; looked for once a process.

    Raises:
        HostNotReady: there is none; the message names what was tried.
    """
    return look_for_builder(os.environ)


def look_for_builder(environ: Mapping[str, str]) -> Builder:
    """`find_builder` for a given environment (PATH, HOME, DOCKER_CONFIG)."""
    clis = _on_path("docker", environ.get("PATH", os.defpath))
    if not clis:
        raise HostNotReady("no docker CLI is on PATH, so no image can be built", hint=_CURE)
    plugin = _plugin(environ)
    with ThreadPoolExecutor(len(clis)) as pool:
        versions = list(pool.map(_version, clis))
    tried = []
    for cli, version in zip(clis, versions, strict=True):
        if version is None:
            tried.append(f"{cli} (not Docker's)")
        elif version >= (23, 0) and plugin is None:
            tried.append(f"{cli} {version[0]}.{version[1]} (no buildx plugin)")
        elif version >= (23, 0):
            # --load: a builder of the container driver does not put its result into the engine
            return Builder((str(cli), "buildx", "build", "--load"), f"{cli} with {plugin}")
        elif version >= (18, 9):
            return Builder((str(cli), "build"), f"{cli} {version[0]}.{version[1]} with BuildKit")
        else:
            tried.append(f"{cli} {version[0]}.{version[1]} (too old for BuildKit)")
    raise HostNotReady(
        f"no docker CLI on PATH can build with BuildKit; tried {', '.join(tried)}", hint=_CURE
    )


def _reserved(name: str) -> bool:
    return name in ("PATH", "HOME", "TMPDIR", "USER") or name.upper().startswith(
        ("DOCKER_", "BUILDX_", "BUILDKIT_", "LD_", "SSH_", "XDG_", "OTEL_", "COMPOSE_", "GODEBUG")
    )


def _on_path(name: str, path: str) -> list[Path]:
    """Every executable of that name on PATH, each file once."""
    found: dict[Path, Path] = {}
    for folder in path.split(os.pathsep):
        candidate = Path(folder or ".") / name
        if os.access(candidate, os.X_OK) and candidate.is_file():
            found.setdefault(candidate.resolve(), candidate)
    return list(found.values())


def _plugin(environ: Mapping[str, str]) -> Path | None:
    """The buildx plugin, where the docker CLI would find it."""
    config = Path(environ.get("DOCKER_CONFIG") or Path(environ.get("HOME", "/")) / ".docker")
    extra: list[str] = []
    try:
        settings = json.loads((config / "config.json").read_text(encoding="utf-8"))
        extra = [str(folder) for folder in settings.get("cliPluginsExtraDirs") or ()]
    except (OSError, ValueError, AttributeError):
        pass  # no settings: the CLI itself will speak up about a file that it can't read
    for folder in (str(config / "cli-plugins"), *extra, *PLUGIN_FOLDERS):
        plugin = Path(folder) / "docker-buildx"
        if os.access(plugin, os.X_OK):
            return plugin
    return None


def _version(cli: Path) -> tuple[int, int] | None:
    try:
        done = subprocess.run(
            [str(cli), "--version"], capture_output=True, text=True, timeout=10, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    match = _VERSION.search(done.stdout)
    return (int(match.group(1)), int(match.group(2))) if match else None
