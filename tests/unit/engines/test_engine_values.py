"""Frames, log lines, labels and create requests: values in, values out."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from containerdeploy.engines.base import ContainerSpec, Mount
from containerdeploy.engines.containers import plain
from containerdeploy.engines.frames import Demultiplexer, lines, seconds
from containerdeploy.engines.labels import container_from, labels_of
from containerdeploy.engines.spec import request
from containerdeploy.errors import EngineError


def frame(stream: int, content: bytes) -> bytes:
    return bytes([stream, 0, 0, 0]) + len(content).to_bytes(4, "big") + content


@given(
    st.lists(st.tuples(st.sampled_from([1, 2]), st.binary(max_size=50)), max_size=8),
    st.lists(st.integers(1, 20), min_size=1, max_size=30),
)
def test_frames_survive_any_cut(frames: list[tuple[int, bytes]], cuts: list[int]) -> None:
    """However the bytes are cut on their way, the same frames come out."""
    data = b"".join(frame(stream, content) for stream, content in frames)
    parts = Demultiplexer()
    seen = []
    at = 0
    for index in range(len(data) + 1):
        step = cuts[index % len(cuts)]
        seen += parts.feed(data[at : at + step])
        at += step
        if at >= len(data):
            break
    assert seen == [({1: "stdout", 2: "stderr"}[stream], content) for stream, content in frames]
    assert parts.finish() == []


def test_what_is_no_frame_is_the_runtimes_words() -> None:
    """Raw text, as 20.10 writes it for a command that can't run, comes out as stderr."""
    parts = Demultiplexer()
    seen = parts.feed(b"OCI runtime") + parts.feed(b" exec failed")
    assert b"".join(content for _, content in seen) == b"OCI runtime exec failed"
    assert {stream for stream, _ in seen} == {"stderr"}
    short = Demultiplexer()
    assert short.feed(b"OCI") == []
    assert short.finish() == [("stderr", b"OCI")]


def test_parts_of_a_line_are_joined() -> None:
    """Each part has a stamp of its own; streams don't mix; the last line needs no end."""
    stamp = b"2024-05-06T07:08:09.5Z "
    seen = list(
        lines(
            [
                ("stdout", stamp + b"be"),
                ("stderr", b"2024-05-06T07:08:10Z other\n"),
                ("stdout", stamp + b"gin\r\n"),
                ("stdout", stamp + b"end \xe2\x82"),
            ]
        )
    )
    assert [(line.stream, line.text) for line in seen] == [
        ("stderr", "other"),
        ("stdout", "begin"),
        ("stdout", "end �"),
    ]
    assert seen[1].at == 1714979289.5


def test_times() -> None:
    """The engine's times, with and without fraction and zone; year 1 is never."""
    assert seconds("1970-01-01T00:00:01.25Z") == 1.25
    assert seconds("1970-01-01T01:00:01+01:00") == 1.0
    assert seconds("0001-01-01T00:00:00Z") == 0.0
    assert seconds("") == 0.0


def test_labels_there_and_back() -> None:
    """What `labels_of` writes, `container_from` reads."""
    labels = labels_of(
        instance="i", role="service", stack="s", service="web", release="r", replica=2, port=80
    )
    assert "cdeploy.rollout" not in labels
    container = container_from(labels, id="1", name="n", state="running", image="x")
    assert (container.service, container.replica, container.port) == ("web", 2, 80)
    with pytest.raises(EngineError, match=r"cdeploy\.port='http'"):
        container_from({"cdeploy.port": "http"}, id="1", name="n", state="running", image="x")


def test_a_create_request() -> None:
    """Least privilege and bounds are always there; options appear where they were asked for."""
    spec = ContainerSpec(
        name="n",
        image="sha256:1",
        network="shop",
        labels={"a": "b"},
        address="10.0.0.9",
        entrypoint=(),
        command=("run",),
        mounts=(Mount("bind", "/a", "/b", read_only=True),),
        tmpfs=("/tmp:mode=0700",),  # noqa: S108
        ports=(("127.0.0.1", 8080, 80), ("127.0.0.1", 8081, 80)),
        memory=100,
        cpus=0.25,
        stop_timeout=1.2,
        healthcheck=False,
    )
    body = request(spec)
    host = body["HostConfig"]
    assert body["Entrypoint"] == [""]
    assert body["StopTimeout"] == 2
    assert body["Healthcheck"] == {"Test": ["NONE"]}
    assert (host["CapDrop"], host["SecurityOpt"]) == (["ALL"], ["no-new-privileges"])
    assert host["Memory"] == host["MemorySwap"] == 100
    assert host["NanoCpus"] == 250_000_000
    assert host["Tmpfs"] == {"/tmp": "size=64m,mode=1777,mode=0700"}  # noqa: S108
    assert host["LogConfig"]["Config"]["max-file"] == "3"
    assert [b["HostPort"] for b in host["PortBindings"]["80/tcp"]] == ["8080", "8081"]
    endpoint = body["NetworkingConfig"]["EndpointsConfig"]["shop"]
    assert endpoint["IPAMConfig"]["IPv4Address"] == "10.0.0.9"


def test_joining_another_containers_network() -> None:
    """`container:` has no endpoint of its own."""
    spec = ContainerSpec(name="n", image="i", network="container:holder", labels={})
    assert "NetworkingConfig" not in request(spec)


def test_the_runtimes_chain_is_left_out() -> None:
    """What is left is the cause."""
    words = (
        "failed to create shim task: OCI runtime create failed: runc create failed: unable to "
        'start container process: exec: "x": executable file not found in $PATH: unknown'
    )
    assert plain(words) == 'exec: "x": executable file not found in $PATH'
