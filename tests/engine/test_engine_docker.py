"""The Docker driver keeps the engine's contract, and what is Docker's own."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest

from containerdeploy.engines.base import Mount
from containerdeploy.engines.docker import DockerEngine
from containerdeploy.errors import EngineError, ImageUnavailable, StepTimeout
from tests.contract.engine_contract import Bench, EngineContract

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.engine
BASE = "debian:trixie-slim"


@pytest.fixture
def bench() -> Iterator[Bench]:
    engine = DockerEngine()
    image = engine.image(BASE)
    assert image is not None, f"{BASE} is missing: run `cdeploy bootstrap`"
    prefix = f"cdt-eng-{uuid4().hex[:6]}"
    yield Bench(engine, image.id, prefix)
    for container in engine.containers(prefix):
        engine.remove(container.id)
    for network in engine.networks(prefix):
        engine.remove_network(network.name)
    for volume in engine.volumes(prefix):
        engine.remove_volume(volume)
    for tagged in engine.images("cdeploy.test=" + prefix):
        for tag in tagged.tags:
            engine.remove_image(tag)
    engine.remove_image(f"{prefix}/thing:one")
    engine.close()


class TestDocker(EngineContract):
    """The contract on a real Docker Engine."""


def sh(bench: Bench, script: str, name: str = "web", **changes: object) -> str:
    """A started container that runs a shell script."""
    container = bench.engine.create(bench.spec(name, command=("sh", "-c", script), **changes))
    bench.engine.start(container)
    return container


def test_least_privilege(bench: Bench) -> None:
    """A container has no capabilities but the named ones, and can't gain privileges."""
    container = sh(bench, "sleep 60", capabilities=("CHOWN",))
    status = bench.engine.run(container, ("cat", "/proc/1/status")).stdout
    fields = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
    assert int(fields["CapEff"], 16) == 1  # CAP_CHOWN is bit 0
    assert int(fields["CapBnd"], 16) == 1
    assert fields["NoNewPrivs"] == "1"


def test_limits_hosts_environment_and_folders(bench: Bench) -> None:
    """Memory, processes, tmpfs, read-only root, hosts, env, user and workdir arrive."""
    container = sh(
        bench,
        "sleep 60",
        network=bench.network(),
        memory=64 << 20,
        pids=33,
        cpus=0.5,
        tmpfs=("/tmp", "/run:size=1m,mode=0755"),  # noqa: S108
        read_only=True,
        hosts={"db": "10.199.77.200"},
        env=(("GREETING", "hé llo"),),
        user="1234:4321",
        workdir="/usr",
    )
    seen = bench.engine.run(
        container,
        (
            "sh",
            "-c",
            "id -u; id -g; pwd; echo $GREETING; getent hosts db; touch /x 2>&1; touch /tmp/x && "
            "echo tmp; grep ' /tmp ' /proc/mounts; grep ' /run ' /proc/mounts",
        ),
    ).stdout.splitlines()
    assert seen[:4] == ["1234", "4321", "/usr", "hé llo"]
    assert seen[4].split() == ["10.199.77.200", "db"]
    assert "Read-only" in seen[5]
    assert seen[6] == "tmp"
    assert all(word in seen[7] for word in ("rw", "nosuid", "nodev", "size=65536k"))
    assert "size=1024k" in seen[8]


def test_a_missing_bind_source_is_an_error(bench: Bench, tmp_path: Path) -> None:
    """The path and the cure are named, and no folder is made."""
    missing = tmp_path / "missing"
    spec = bench.spec(mounts=(Mount("bind", str(missing), "/data"),))
    with pytest.raises(EngineError, match=f"{missing}.*/data.*does not exist") as caught:
        bench.engine.create(spec)
    assert str(missing) in caught.value.hint
    assert not missing.exists()


def test_a_bind_is_read_only_when_asked(bench: Bench, tmp_path: Path) -> None:
    """A file that is bound read-only can be read and not written."""
    (tmp_path / "f").write_text("content")
    mount = Mount("bind", str(tmp_path / "f"), "/f", read_only=True)
    container = sh(bench, "sleep 60", mounts=(mount,))
    assert bench.engine.run(container, ("cat", "/f")).stdout == "content"
    assert bench.engine.run(container, ("sh", "-c", "echo x > /f")).exit_code != 0


def test_logs_are_split_by_stream_and_stamped(bench: Bench) -> None:
    """stdout and stderr are told apart; long lines, odd bytes and a last line without an
    end come through; `tail` and `since` select."""
    script = (
        "echo one; sleep 0.05; echo two >&2; sleep 0.05; head -c 40000 /dev/zero | tr '\\0' x; "
        "echo; printf 'caf\\303\\251 \\377\\n'; printf end"
    )
    container = sh(bench, script)
    bench.engine.wait(container, timeout=20)
    seen = list(bench.engine.logs(container))
    assert [(line.stream, line.text) for line in seen[:2]] == [("stdout", "one"), ("stderr", "two")]
    assert [line.text for line in seen[2:]] == ["x" * 40000, "café �", "end"]
    assert seen[0].at < seen[1].at < seen[2].at
    assert [line.text for line in bench.engine.logs(container, tail=1)] == ["end"]
    later = [line.text for line in bench.engine.logs(container, since=seen[1].at)]
    assert later[0] == "two"


def test_a_followed_log_can_be_closed_from_another_thread(bench: Bench) -> None:
    """close ends an iteration that waits for the next line."""
    container = sh(bench, "echo first; sleep 60")
    stream = bench.engine.logs(container, follow=True)
    assert next(stream).text == "first"
    closer = threading.Timer(0.2, stream.close)  # type: ignore[attr-defined]
    closer.start()
    assert list(stream) == []
    closer.join()


def test_commands(bench: Bench) -> None:
    """stdin goes in while output comes out; streams, exit codes and users are kept."""
    container = sh(bench, "sleep 60")
    big = b"0123456789abcdef" * 100_000
    echoed = bench.engine.run(container, ("cat",), stdin=big)
    assert echoed.stdout.encode() == big
    ran = bench.engine.run(container, ("sh", "-c", "echo o; echo e >&2; exit 7"), user="99")
    assert (ran.exit_code, ran.stdout, ran.stderr) == (7, "o\n", "e\n")
    assert bench.engine.run(container, ("id", "-u"), user="99").stdout == "99\n"
    assert bench.engine.run(container, ("sh", "-c", "exit 127")).exit_code == 127


@pytest.mark.parametrize(
    ("program", "words"), [("no-such-program", "not found"), ("/etc/passwd", "permission denied")]
)
def test_a_command_that_cannot_be_run(bench: Bench, program: str, words: str) -> None:
    """It has no exit code, and the runtime's words are its stderr."""
    ran = bench.engine.run(sh(bench, "sleep 60"), (program,))
    assert ran.exit_code is None
    assert words in ran.stderr


def test_a_command_has_a_deadline(bench: Bench) -> None:
    """A command that takes too long is given up on, and named."""
    with pytest.raises(StepTimeout, match="sleep 30"):
        bench.engine.run(sh(bench, "sleep 60"), ("sleep", "30"), timeout=0.3)


def test_files_in_an_unstarted_container(bench: Bench) -> None:
    """Type, mode, owner, link and content are seen before anything runs."""
    container = bench.engine.create(bench.spec())
    passwd = bench.engine.stat(container, "/etc/passwd")
    assert passwd is not None
    assert (passwd.type, passwd.mode, passwd.uid, passwd.gid) == ("file", 0o644, 0, 0)
    assert bench.engine.read(container, "/etc/passwd").startswith(b"root:")
    link = bench.engine.stat(container, "/etc/os-release")
    assert link is not None
    assert (link.type, link.link_target) == ("link", "../usr/lib/os-release")
    assert b"trixie" in bench.engine.read(container, "/etc/os-release")
    folder = bench.engine.stat(container, "/tmp")  # noqa: S108
    assert folder is not None
    assert (folder.type, folder.mode) == ("directory", 0o1777)
    with pytest.raises(EngineError, match="directory, not a file"):
        bench.engine.read(container, "/etc")


def test_a_container_that_cannot_start_says_why(bench: Bench) -> None:
    """The engine's words come without the runtime's chain, with a cure."""
    container = bench.engine.create(bench.spec(command=("no-such-program",), init=False))
    with pytest.raises(EngineError, match='"no-such-program": executable file not found') as caught:
        bench.engine.start(container)
    assert "OCI runtime" not in caught.value.message
    assert "command" in caught.value.hint


def test_a_port_that_is_taken(bench: Bench) -> None:
    """The second container on a published port can't start, and the hint says what to do."""
    import socket

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        spec = bench.spec(network=bench.network(), ports=(("127.0.0.1", port, 80),))
        container = bench.engine.create(spec)
        with pytest.raises(EngineError, match="can't be started") as caught:
            bench.engine.start(container)
        assert "port" in caught.value.hint


def test_a_restarted_container_counts(bench: Bench) -> None:
    """A container that the engine starts again shows it in `restarts` and `died`."""
    container = sh(bench, "exit 5", restart="unless-stopped")
    deadline = threading.Event()
    for _ in range(200):
        state = bench.engine.state(container)
        if state.restarts:
            break
        deadline.wait(0.05)
    assert state.restarts >= 1
    assert state.died


def test_an_image_that_cannot_be_pulled(bench: Bench) -> None:
    """`ImageUnavailable` names the reference and carries the registry's words."""
    ref = "127.0.0.1:1/no/such:thing"
    with pytest.raises(ImageUnavailable, match=ref) as caught:
        bench.engine.pull(ref, lambda line: None)
    assert "refused" in caught.value.message


def test_an_imported_image(bench: Bench, tmp_path: Path) -> None:
    """A tar becomes an image with its command and label."""
    import tarfile

    (tmp_path / "hello").write_text("hello")
    with tarfile.open(tmp_path / "root.tar", "w") as tar:
        tar.add(tmp_path / "hello", "hello")
    ref = f"{bench.prefix}/imported:1"
    label = f"cdeploy.test={bench.prefix}"
    image = bench.engine.import_image(
        str(tmp_path / "root.tar"), ref, command=("/bin/sh", '-c "x"'), label=label
    )
    assert image.tags == (ref,)
    assert image.command == ("/bin/sh", '-c "x"')
    assert image.labels == (("cdeploy.test", bench.prefix),)
    (listed,) = bench.engine.images(label)
    assert listed.id == image.id
    container = bench.engine.create(bench.spec(image=image.id))
    assert bench.engine.read(container, "/hello") == b"hello"
    bench.engine.remove(container)


def test_many_threads_at_once(bench: Bench) -> None:
    """Thirty-two threads share one engine."""
    from concurrent.futures import ThreadPoolExecutor

    container = sh(bench, "sleep 60")
    with ThreadPoolExecutor(32) as pool:
        states = list(pool.map(lambda _: bench.engine.state(container).status, range(200)))
    assert set(states) == {"running"}
