"""A stack's images on the fake engine: found, built once, pulled, named, pruned."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest

from containerdeploy.check import ImageInfo
from containerdeploy.engines.fake import FakeEngine
from containerdeploy.errors import (
    BadInput,
    BuildFailed,
    EngineError,
    HostNotReady,
    ImageUnavailable,
)
from containerdeploy.events import Event, quiet
from containerdeploy.host import Host
from containerdeploy.images.names import image_name, tag_release
from containerdeploy.images.resolve import prune_sources, resolve_images
from containerdeploy.stack import Build, Service, Stack


class Bench:
    """A fake engine, and a builder that makes images of it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.engine = FakeEngine()
        self.base = self.engine.add_image("base:1")
        self.host = Host(folder / "host.toml", folder / "state")
        self.built: list[str] = []
        self.broken: set[str] = set()
        self._lock = threading.Lock()

    def build(self, build: Build, *, service: str, tags: Any, labels: Any, **_: Any) -> str:
        with self._lock:
            self.built.append(service)
            if service in self.broken:
                raise BuildFailed(f"{service}: broken", detail=f"{service}'s last words")
            content = (Path(build.context) / "f").read_text()
            return self.engine.add_image(*tags, labels=tuple(labels.items()), user=content).id

    def service(self, name: str, content: str | None = None, base: str = "base:1") -> Service:
        folder = self.folder / (content or name)
        folder.mkdir(exist_ok=True)
        (folder / "Dockerfile").write_text(f"FROM {base}\nCOPY f /\n")
        (folder / "f").write_text(content or name)
        return Service(name, build=Build(str(folder), str(folder / "Dockerfile")))

    def resolve(self, *services: Service, **options: Any) -> dict[str, Any]:
        stack = Stack("shop", services, file="stack.toml")
        options = {"emit": quiet, "builder": self.build, **options}
        return dict(resolve_images(stack, self.engine, self.host, **options))


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def test_built_once_and_then_found(bench: Bench) -> None:
    """The second time nothing is built, said, or asked for but two look-ups."""
    services = (bench.service("web"), bench.service("api"))
    first = bench.resolve(*services)
    assert [r.built for r in first.values()] == [True, True]
    events: list[Event] = []
    bench.engine.calls.clear()
    second = bench.resolve(*services, emit=events.append)
    assert [r.built for r in second.values()] == [False, False]
    assert [r.image.id for r in second.values()] == [r.image.id for r in first.values()]
    assert sorted(bench.built) == ["api", "web"]
    assert events == []
    kinds = [method for method, _ in bench.engine.calls]
    assert kinds.count("images") == 1
    assert set(kinds) == {"images", "image"}


def test_same_sources_are_built_once(bench: Bench) -> None:
    """Two services of one folder share an image, and each has a name for it."""
    one = bench.service("web", "same")
    found = bench.resolve(one, Service("worker", build=one.build))
    assert bench.built == ["web"]
    assert found["web"].image.id == found["worker"].image.id
    image = bench.engine.image(found["web"].image.id)
    assert image is not None
    assert {tag.partition(":")[0] for tag in image.tags} == {
        "cdeploy/shop-web",
        "cdeploy/shop-worker",
    }


def test_a_new_base_image_is_a_new_source(bench: Bench) -> None:
    """The base's id is part of the digest."""
    service = bench.service("web")
    bench.resolve(service)
    bench.engine.add_image("base:1", user="newer")
    assert bench.resolve(service)["web"].built


def test_force_builds_what_is_here(bench: Bench) -> None:
    """`force` asks the builder although the image is there; `only` leaves others alone."""
    services = (bench.service("web"), bench.service("api"))
    bench.resolve(*services)
    found = bench.resolve(*services, force=True, only=("api",))
    assert list(found) == ["api"]
    assert found["api"].built


def test_another_instances_image_is_not_ours(bench: Bench) -> None:
    """An image with the tag but another builder's label is not used."""
    source = bench.resolve(bench.service("web"))["web"].source
    bench.engine = FakeEngine()
    bench.engine.add_image("base:1")
    bench.engine.add_image(
        f"cdeploy/shop-web:src-{source[:32]}", labels=(("cdeploy.builder", "other"),)
    )
    assert bench.resolve(bench.service("web"))["web"].built


def test_a_base_that_cannot_be_had_is_left_to_the_builder(bench: Bench) -> None:
    """It is warned about; the builder may not need it."""
    events: list[Event] = []
    found = bench.resolve(bench.service("web", base="gone:1"), emit=events.append)
    assert found["web"].built
    assert [event.event for event in events if "gone:1" in event.data["text"]] == ["note", "warn"]


def test_an_image_is_pulled_when_it_is_not_here(bench: Bench) -> None:
    """Progress is told; what is here is not pulled."""
    bench.engine.registry["db:17"] = ImageInfo(id="sha256:db")
    events: list[Event] = []
    assert bench.resolve(Service("db", image="db:17"), emit=events.append)["db"].image.id
    assert [event.event for event in events] == ["note", "pull"]
    bench.engine.registry.clear()
    assert bench.resolve(Service("db", image="db:17"))["db"].image.id == "sha256:db"


def test_all_failures_are_told(bench: Bench) -> None:
    """The first in the file's order is raised; the others follow with their details."""
    bench.broken = {"web", "api"}
    services = (
        bench.service("web"),
        Service("db", image="no:thing", file="stack.toml", line=9),
        bench.service("api"),
        Service("odd", build=Build("/nowhere", "/nowhere/Dockerfile")),
    )
    with pytest.raises(BuildFailed, match="web: broken") as caught:
        bench.resolve(*services)
    detail = caught.value.detail
    order = [detail.index(words) for words in ("web's", "stack.toml:9: service db", "api's")]
    assert order == sorted(order)
    assert "/nowhere/Dockerfile" in detail
    with pytest.raises(ImageUnavailable, match=r"stack\.toml:9: service db: .*no:thing"):
        bench.resolve(*services[1:])
    with pytest.raises(BadInput):
        bench.resolve(services[3])


def test_an_engine_that_fails_stops_at_once(bench: Bench) -> None:
    """The engine's error is raised as it is."""
    bench.engine.fail("images", EngineError("disk full"))
    with pytest.raises(EngineError, match="disk full"):
        bench.resolve(bench.service("web"))


def test_sources_are_pruned_by_age_and_use(bench: Bench) -> None:
    """Used images and the newest other stay; released ones keep their release's name."""
    images = []
    for content in ("one", "two", "three", "four"):
        service = bench.service("web", content)
        images.append(bench.resolve(service)["web"].image.id)
    tag_release(bench.engine, bench.host, "shop", "web", "abcdef123456", images[0])
    gone = prune_sources(bench.engine, bench.host, "shop", ("web",), used={images[3]}, keep=1)
    assert len(gone) == 2
    assert [bench.engine.image(image) is not None for image in images] == [True, False, True, True]
    first = bench.engine.image(images[0])
    assert first is not None
    assert first.tags == (image_name(bench.host, "shop", "web", "abcdef123456"),)


def test_names(tmp_path: Path) -> None:
    """The default instance's images are called cdeploy/..., others by their instance."""
    host = Host(tmp_path, tmp_path)
    assert image_name(host, "shop", "web", "r") == "cdeploy/shop-web:r"
    host = Host(tmp_path, tmp_path, instance="other")
    assert image_name(host, "shop", "web", "r") == "other/shop-web:r"


def test_the_same_failure_is_told_once(bench: Bench) -> None:
    """Two services that share a broken build fail with one message."""
    shared = bench.service("web", "same")
    bench.broken = {"web"}
    with pytest.raises(BuildFailed) as caught:
        bench.resolve(shared, Service("worker", build=shared.build))
    assert caught.value.detail == "web's last words"
    assert bench.built == ["web"]


def test_a_host_that_cannot_build_says_so_once(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without any builder nothing is begun."""
    from containerdeploy.images.builder import find_builder

    find_builder.cache_clear()
    monkeypatch.setenv("PATH", str(bench.folder))
    with pytest.raises(HostNotReady, match="no docker CLI") as caught:
        bench.resolve(bench.service("web"), bench.service("api"), builder=None)
    assert caught.value.detail == ""
