"""Builds with a real BuildKit, and a stack's images found, built and named on a real engine."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest

from containerdeploy.engines.docker import DockerEngine
from containerdeploy.errors import BuildFailed, ImageUnavailable, Interrupted
from containerdeploy.events import Event, quiet
from containerdeploy.host import Host
from containerdeploy.images.build import build_image
from containerdeploy.images.names import tag_release
from containerdeploy.images.resolve import prune_sources, resolve_images
from containerdeploy.stack import Build, Service, Stack

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.engine


@pytest.fixture
def engine() -> Iterator[DockerEngine]:
    engine = DockerEngine()
    yield engine
    engine.close()


@pytest.fixture
def host(engine: DockerEngine, tmp_path: Path) -> Iterator[Host]:
    host = Host(tmp_path / "host.toml", tmp_path / "state", instance=f"cdt-eng-{uuid4().hex[:6]}")
    yield host
    for image in engine.images(f"cdeploy.builder={host.instance}"):
        for tag in image.tags:
            engine.remove_image(tag)
        engine.remove_image(image.id)


def written(folder: Path, dockerfile: str, **files: str) -> Build:
    """A build context."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "Dockerfile").write_text(dockerfile)
    for name, content in files.items():
        (folder / name).write_text(content)
    return Build(str(folder), str(folder / "Dockerfile"))


def test_a_build_tells_its_steps(engine: DockerEngine, host: Host, tmp_path: Path) -> None:
    """Each instruction is an event with its place, output lines too; the id is the engine's."""
    mark = uuid4().hex
    build = written(
        tmp_path / "web",
        f"FROM debian:trixie-slim AS base\nARG WHO\nRUN echo {mark}\n"
        'FROM base\nRUN --mount=type=cache,target=/c echo "hello $WHO"\n',
    )
    build = Build(build.context, build.dockerfile, args=(("WHO", "you"),))
    events: list[Event] = []
    image = build_image(
        build,
        service="web",
        tags=(f"{host.instance}/web:1",),
        labels={"cdeploy.builder": host.instance},
        emit=events.append,
    )
    found = engine.image(f"{host.instance}/web:1")
    assert found is not None
    assert found.id == image
    outputs = [event.data["output"] for event in events if "output" in event.data]
    assert mark in outputs
    steps = [(e.data["stage"], e.data["step"], e.data["total"]) for e in events]
    assert ("base", 2, 2) in steps


def test_a_failing_instruction_is_named(host: Host, tmp_path: Path) -> None:
    """Service, Dockerfile, line, instruction and last output lines are in the error."""
    build = written(
        tmp_path / "web",
        "# comment\nFROM debian:trixie-slim\n\nRUN for i in $(seq 30); do echo line $i; done "
        "&& \\\n    echo cause >&2 && exit 3\n",
    )
    with pytest.raises(BuildFailed, match=r"web: .*Dockerfile:4: .*RUN for i") as caught:
        build_image(build, service="web", tags=(), labels={}, emit=quiet)
    assert "cause" in caught.value.detail
    assert "line 30" in caught.value.detail
    assert "line 2\n" not in caught.value.detail
    assert "exit code: 3" in caught.value.detail


def test_a_dockerfile_that_is_none(tmp_path: Path) -> None:
    """What is no instruction fails with the builder's words."""
    build = written(tmp_path / "web", "FROM debian:trixie-slim\nBANANA\n")
    with pytest.raises(BuildFailed, match="web") as caught:
        build_image(build, service="web", tags=(), labels={}, emit=quiet)
    assert "BANANA" in caught.value.detail


def test_a_build_can_be_called_off(tmp_path: Path) -> None:
    """cancel ends a build that says nothing, and its processes."""
    build = written(tmp_path / "web", f"FROM debian:trixie-slim\nRUN sleep 300 # {uuid4().hex}\n")
    cancel = threading.Event()

    def begun(event: Event) -> None:
        if str(event.data.get("text", "")).startswith("RUN sleep"):
            cancel.set()

    with pytest.raises(Interrupted, match="web"):
        build_image(build, service="web", tags=(), labels={}, emit=begun, cancel=cancel)


def test_a_stack_is_built_once(engine: DockerEngine, host: Host, tmp_path: Path) -> None:
    """Same sources are built once, a second time nothing is; a changed line builds one."""
    one = written(tmp_path / "one", "FROM debian:trixie-slim\nCOPY f /f\n", f=host.instance)
    two = written(tmp_path / "two", "FROM debian:trixie-slim\nCOPY g /g\n", g=host.instance)
    stack = Stack(
        "shop",
        (
            Service("web", build=one),
            Service("worker", build=one),
            Service("api", build=two),
            Service("base", image="debian:trixie-slim"),
        ),
    )
    first = resolve_images(stack, engine, host, quiet)
    assert [r.built for r in first.values()] == [True, True, True, False]
    assert first["web"].image.id == first["worker"].image.id != first["api"].image.id
    events: list[Event] = []
    second = resolve_images(stack, engine, host, events.append)
    assert {n: r.image.id for n, r in second.items()} == {n: r.image.id for n, r in first.items()}
    assert not any(r.built for r in second.values())
    assert events == []
    (tmp_path / "two" / "g").write_text("changed")
    third = resolve_images(stack, engine, host, quiet)
    assert [n for n, r in third.items() if r.built] == ["api"]
    assert third["api"].image.id != first["api"].image.id
    used = {r.image.id for r in third.values()}
    assert prune_sources(engine, host, "shop", ("web", "worker", "api"), used=used) == ()
    gone = prune_sources(engine, host, "shop", ("web", "worker", "api"), used=used, keep=0)
    assert [name.rpartition(":")[0] for name in gone] == [f"{host.instance}/shop-api"]
    assert engine.image(first["api"].image.id) is None


def test_what_does_not_reach_the_image_keeps_its_id(
    engine: DockerEngine, host: Host, tmp_path: Path
) -> None:
    """A file that no instruction copies causes a build, and the same image: no new release."""
    build = written(
        tmp_path / "one", "FROM debian:trixie-slim\nCOPY f /f\n", f=host.instance, note="old"
    )
    stack = Stack("shop", (Service("web", build=build),))
    first = resolve_images(stack, engine, host, quiet)["web"]
    (tmp_path / "one" / "note").write_text("new")
    second = resolve_images(stack, engine, host, quiet)["web"]
    assert second.built
    assert second.source != first.source
    assert second.image.id == first.image.id


def test_an_image_is_named_after_its_release(
    engine: DockerEngine, host: Host, tmp_path: Path
) -> None:
    """The release's name keeps the image when its source's name is taken away."""
    build = written(tmp_path / "one", "FROM debian:trixie-slim\nCOPY f /f\n", f=host.instance)
    stack = Stack("shop", (Service("web", build=build),))
    image = resolve_images(stack, engine, host, quiet)["web"].image
    name = tag_release(engine, host, "shop", "web", "abcdef123456", image.id)
    assert name == f"{host.instance}/shop-web:abcdef123456"
    prune_sources(engine, host, "shop", ("web",), used=(), keep=0)
    found = engine.image(image.id)
    assert found is not None
    assert found.tags == (name,)


def test_every_failure_is_told(engine: DockerEngine, host: Host, tmp_path: Path) -> None:
    """The first failure is raised, the others stand in its detail, with file and line."""
    bad = written(tmp_path / "bad", "FROM debian:trixie-slim\nRUN exit 9\n")
    stack = Stack(
        "shop",
        (
            Service("web", build=bad, file="stack.toml", line=4),
            Service("db", image="127.0.0.1:1/no:thing", file="stack.toml", line=9),
        ),
    )
    with pytest.raises(BuildFailed, match="web") as caught:
        resolve_images(stack, engine, host, quiet)
    assert "stack.toml:9: service db: the image 127.0.0.1:1/no:thing" in caught.value.detail
    with pytest.raises(ImageUnavailable, match=r"stack.toml:9"):
        resolve_images(stack, engine, host, quiet, only=("db",))
