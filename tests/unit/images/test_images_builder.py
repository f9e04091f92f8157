"""Which docker CLI can build, what it is told, and what it says."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from containerdeploy.errors import BuildFailed, HostNotReady, Interrupted, StepTimeout
from containerdeploy.events import quiet
from containerdeploy.images import builder as builders
from containerdeploy.images.build import build_image
from containerdeploy.images.builder import Builder, look_for_builder
from containerdeploy.images.progress import Progress
from containerdeploy.stack import Build

if TYPE_CHECKING:
    from pathlib import Path


def program(path: Path, script: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return path


def cli(folder: Path, version: str) -> Path:
    return program(folder / "docker", f"echo 'Docker version {version}, build x'")


@pytest.fixture(autouse=True)
def _no_plugins(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(builders, "PLUGIN_FOLDERS", ())


def environ(tmp_path: Path, *folders: str) -> dict[str, str]:
    return {
        "PATH": ":".join(str(tmp_path / folder) for folder in folders),
        "HOME": str(tmp_path),
    }


def test_an_old_cli_behind_a_new_one(tmp_path: Path) -> None:
    """A CLI of 23 or newer without buildx is passed over for one that builds itself."""
    cli(tmp_path / "new", "28.2.2")
    old = cli(tmp_path / "old", "20.10.24+dfsg1")
    found = look_for_builder(environ(tmp_path, "new", "old"))
    assert found.argv == (str(old), "build")


def test_a_new_cli_with_buildx(tmp_path: Path) -> None:
    """With the plugin, the first CLI on PATH builds, and loads the result into the engine."""
    new = cli(tmp_path / "new", "28.2.2")
    program(tmp_path / ".docker" / "cli-plugins" / "docker-buildx", "exit 0")
    found = look_for_builder(environ(tmp_path, "new"))
    assert found.argv == (str(new), "buildx", "build", "--load")


def test_none_can(tmp_path: Path) -> None:
    """All that was tried is named, with the cure."""
    cli(tmp_path / "new", "28.2.2")
    cli(tmp_path / "ancient", "18.06.1")
    program(tmp_path / "other" / "docker", "echo podman version 5")
    with pytest.raises(HostNotReady) as caught:
        look_for_builder(environ(tmp_path, "new", "ancient", "other"))
    for words in ("28.2 (no buildx plugin)", "18.6 (too old", "(not Docker's)"):
        assert words in caught.value.message
    assert "buildx" in caught.value.hint
    with pytest.raises(HostNotReady, match="no docker CLI"):
        look_for_builder(environ(tmp_path, "empty"))


def test_arguments_stay_out_of_the_command_line(tmp_path: Path) -> None:
    """A build argument's value is in the environment; names that docker itself reads are not."""
    build = Build("/c", "/c/Dockerfile", args=(("TOKEN", "hush"), ("DOCKER_HOST", "x")), target="t")
    argv, env = Builder(("docker", "build"), "d").command(
        build, tags=("a:1",), labels={"k": "v"}, iidfile="/i"
    )
    assert "hush" not in " ".join(argv)
    assert env["TOKEN"] == "hush"
    assert "DOCKER_HOST=x" in argv
    assert argv[-1] == "/c"
    assert argv[argv.index("--target") + 1] == "t"
    assert argv[argv.index("--label") + 1] == "k=v"


def test_progress_of_an_old_and_of_a_new_builder() -> None:
    """Steps, stages, output, and the failing line where it is said."""
    progress = Progress()
    told = [
        progress.take(line)
        for line in (
            "#1 [internal] load build definition from Dockerfile",
            "#1 DONE 0.0s",
            "#5 [stage-0 2/4] RUN make",
            "#5 sha256:abc",
            "#5 0.213 hello #6 world",
            "#6 [tools  3/10] COPY a b",
            "#6 CACHED",
            '#5 ERROR: process "/bin/sh -c make" did not complete successfully: exit code: 2',
            "------",
            "Dockerfile:7",
            "--------------------",
        )
    ]
    seen = [(t[0].stage, t[0].step, t[0].total, t[1]) for t in told if t]
    assert seen == [("", 2, 4, ""), ("", 2, 4, "hello #6 world"), ("tools", 3, 10, "")]
    assert progress.failed is not None
    assert progress.failed.text == "RUN make"
    assert progress.line == 7
    assert progress.words.splitlines()[0] == "hello #6 world"
    assert "exit code: 2" in progress.words


@pytest.fixture
def build(tmp_path: Path) -> Build:
    (tmp_path / "Dockerfile").write_text("FROM a\n\nRUN make\n")
    return Build(str(tmp_path), str(tmp_path / "Dockerfile"))


def test_a_failure_names_the_line(build: Build, tmp_path: Path) -> None:
    """Also when the builder does not say it: it is looked up in the Dockerfile."""
    script = (
        "echo '#5 [2/2] RUN make'; echo '#5 0.1 no rule'; echo '#5 ERROR: exit code: 2'; exit 1"
    )
    fake = Builder((str(program(tmp_path / "b", script)),), "fake")
    with pytest.raises(BuildFailed, match=r"web: .*Dockerfile:3: .*RUN make") as caught:
        build_image(build, service="web", tags=(), labels={}, emit=quiet, builder=fake)
    assert caught.value.detail == "no rule\nexit code: 2"


def test_a_builder_that_dies_without_a_word(build: Build, tmp_path: Path) -> None:
    """Its exit code and name are told."""
    fake = Builder((str(program(tmp_path / "b", "echo 'no space left' >&2; exit 7")),), "fake")
    with pytest.raises(BuildFailed, match="web") as caught:
        build_image(build, service="web", tags=(), labels={}, emit=quiet, builder=fake)
    assert "exit code 7" in caught.value.hint
    assert caught.value.detail == "no space left"


def test_a_builder_that_hangs(build: Build, tmp_path: Path) -> None:
    """The deadline ends it with all that it started; so does a call off."""
    import threading
    from pathlib import Path

    script = f"sleep 300 & echo $! > {tmp_path}/pid; echo '#5 [2/2] RUN make'; wait"
    fake = Builder((str(program(tmp_path / "b", script)),), "fake")
    with pytest.raises(StepTimeout, match="web") as caught:
        build_image(build, service="web", tags=(), labels={}, emit=quiet, builder=fake, timeout=1)
    assert "RUN make" in caught.value.hint
    started = int((tmp_path / "pid").read_text())
    stat = Path(f"/proc/{started}/stat")
    assert not stat.exists() or stat.read_text().split()[2] == "Z"
    cancel = threading.Event()
    with pytest.raises(Interrupted, match="web"):
        build_image(
            build,
            service="web",
            tags=(),
            labels={},
            emit=lambda event: cancel.set(),
            builder=fake,
            cancel=cancel,
        )
