"""Dockerfiles, .dockerignore and the digest over what an image is built from."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from containerdeploy.errors import BadInput
from containerdeploy.images import ignore
from containerdeploy.images.digest import source_digest
from containerdeploy.images.dockerfile import bases_of, instructions, line_of
from containerdeploy.stack import Build

if TYPE_CHECKING:
    from pathlib import Path

DOCKERFILE = """\
# syntax=docker/dockerfile:1
ARG V=trixie
ARG REGISTRY
FROM --platform=$BUILDPLATFORM debian:${V}-slim AS Base
RUN apt-get update \\
    # a comment inside

 && apt-get install -y make
RUN <<END
FROM not:this
END
FROM base AS next
COPY --link --from=tools:1 /a /b
COPY --from=base /a /b
COPY --from=0 /a /b
FROM ${REGISTRY:-registry.example}/app
FROM $MISSING
RUN --mount=type=bind,from=other:2,target=/x --mount=type=cache,target=/c ls
FROM scratch
"""


def test_instructions_have_their_lines() -> None:
    """Continued ones are one, comments and here-documents are none."""
    found = [(one.line, one.keyword) for one in instructions(DOCKERFILE)]
    assert found[:6] == [(2, "ARG"), (3, "ARG"), (4, "FROM"), (5, "RUN"), (9, "RUN"), (12, "FROM")]
    assert instructions(DOCKERFILE)[3].text == "RUN apt-get update && apt-get install -y make"


def test_the_escape_directive() -> None:
    """A backtick continues lines where the file says so; a backslash then does not."""
    found = instructions("# escape=`\nFROM a\nRUN x `\n  y\nCOPY c:\\\nRUN z\n")
    assert [one.text for one in found] == ["FROM a", "RUN x y", "COPY c:\\", "RUN z"]


def test_what_a_build_takes_from() -> None:
    """FROM, COPY --from and RUN --mount=from; stages, numbers, scratch and blanks are none."""
    assert bases_of(DOCKERFILE, {}) == (
        "debian:trixie-slim",
        "tools:1",
        "registry.example/app",
        "other:2",
    )
    assert bases_of(DOCKERFILE, {"V": "sid", "MISSING": "x"})[0] == "debian:sid-slim"


@pytest.mark.parametrize(
    ("step", "line"),
    [
        ("RUN apt-get update && apt-get install -y make", 5),
        ("RUN apt-get update && apt-get install -y nano", 5),
        ("COPY --link --from=tools:1 /a /b", 13),
        ("WORKDIR /x", 0),
    ],
)
def test_the_line_of_a_step(step: str, line: int) -> None:
    """The builder's words for a step lead to its line, also when variables were put in."""
    assert line_of(DOCKERFILE, step) == line


@given(st.text(alphabet="ARGFROMUNCOPY \\\n#$={}<'\"-:ax", max_size=120))
def test_no_dockerfile_breaks_the_reader(text: str) -> None:
    """Whatever stands in it, instructions and bases come out, and each line exists."""
    total = len(text.splitlines())
    assert all(1 <= one.line <= total for one in instructions(text))
    assert "" not in bases_of(text, {})


@given(st.text(alphabet="ab*?[]!\\/.# \n-^+", max_size=40))
def test_no_ignore_file_breaks_the_reader(text: str) -> None:
    """A .dockerignore is understood, or refused with its line."""
    try:
        patterns = ignore.parse(text)
    except BadInput as error:
        assert error.problems[0].line >= 1  # noqa: PT017 - both ends are right ones
    else:
        patterns.excluded(patterns.matches("a/b", patterns.matches("a", ())))


def test_an_odd_pattern_is_refused_with_its_line() -> None:
    """File and line are named."""
    with pytest.raises(BadInput, match=r"ctx/\.dockerignore:2: .*names nothing"):
        ignore.parse("a\n!\n", "ctx/.dockerignore")


@pytest.fixture
def build(tmp_path: Path) -> Build:
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "main.py").write_text("print()")
    (tmp_path / "run").write_text("#!/bin/sh")
    (tmp_path / "link").symlink_to("run")
    (tmp_path / "notes.md").write_text("notes")
    (tmp_path / ".dockerignore").write_text("*.md\n")
    (tmp_path / "Dockerfile").write_text("FROM a\nCOPY . /\n")
    return Build(str(tmp_path), str(tmp_path / "Dockerfile"))


def test_the_digest_is_stable(build: Build, tmp_path: Path) -> None:
    """Times, owners, ignored files and sockets don't count."""
    import socket

    before = source_digest(build, {"a": "1"})
    os.utime(tmp_path / "run", (1, 1))
    (tmp_path / "notes.md").write_text("other notes")
    with socket.socket(socket.AF_UNIX) as one:
        one.bind(str(tmp_path / "s"))
        assert source_digest(build, {"a": "1"}) == before


CHANGES = {
    "content": lambda p: (p / "src" / "main.py").write_text("print(1)"),
    "x bit": lambda p: (p / "run").chmod(0o755),
    "read bit": lambda p: (p / "run").chmod(0o600),
    "name": lambda p: (p / "run").rename(p / "ran"),
    "link": lambda p: ((p / "link").unlink(), (p / "link").symlink_to("src")),
    "kind": lambda p: ((p / "link").unlink(), (p / "link").write_text("run")),
    "empty folder": lambda p: (p / "empty").mkdir(),
    "Dockerfile": lambda p: (p / "Dockerfile").write_text("FROM a\n"),
    "ignored no more": lambda p: (p / ".dockerignore").write_text(""),
    "own ignore file": lambda p: (p / "Dockerfile.dockerignore").write_text("src\n"),
}


@pytest.mark.parametrize("change", CHANGES)
def test_what_changes_the_digest(change: str, build: Build, tmp_path: Path) -> None:
    """Everything that may reach the image counts."""
    before = source_digest(build, {})
    CHANGES[change](tmp_path)
    assert source_digest(build, {}) != before


def test_what_is_given_changes_the_digest(build: Build) -> None:
    """Arguments, target and base images count."""
    other = Build(build.context, build.dockerfile, args=(("A", "1"),))
    stage = Build(build.context, build.dockerfile, target="t")
    digests = {source_digest(b, {}) for b in (build, other, stage)}
    assert len(digests | {source_digest(build, {"a": "2"})}) == 4


def test_missing_sources(tmp_path: Path) -> None:
    """A missing Dockerfile or context is named, with what `build` should be."""
    with pytest.raises(BadInput, match="Dockerfile") as caught:
        source_digest(Build(str(tmp_path), str(tmp_path / "Dockerfile")), {})
    assert "build" in caught.value.hint
    (tmp_path / "Dockerfile").write_text("FROM a")
    with pytest.raises(BadInput, match="nowhere"):
        source_digest(Build(str(tmp_path / "nowhere"), str(tmp_path / "Dockerfile")), {})


def test_an_excluded_folder_is_not_walked(tmp_path: Path) -> None:
    """node_modules costs nothing: what is below is not even listed."""
    (tmp_path / "node_modules" / "x").mkdir(parents=True)
    (tmp_path / "src").mkdir()
    seen = ignore.walk(tmp_path, ignore.parse("node_modules\n!src/keep\n"))
    assert [path for path, _ in seen] == ["src"]
