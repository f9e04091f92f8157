"""The checks on a real engine, on an image that has no shell."""

from __future__ import annotations

import io
import subprocess
import tarfile
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from containerdeploy.checks.claim import Claim
from containerdeploy.checks.kinds.command import Command
from containerdeploy.checks.kinds.file import File
from containerdeploy.checks.kinds.http import Http
from containerdeploy.checks.kinds.image import Image
from containerdeploy.checks.run import run_checks
from containerdeploy.engines.docker import DockerEngine
from containerdeploy.engines.labels import labels_of
from containerdeploy.host import Host
from containerdeploy.release import fingerprint, release_of
from containerdeploy.stack import Health, Secret, Service, Stack, Volume

pytestmark = pytest.mark.engine

INSTANCE = "cdt-chk"
BASE = "debian:trixie-slim"
BARE = "cdt-chk-bare:test"
TEST_LABEL = "cdt-chk=1"

SERVER = r"""
use strict; use warnings; use IO::Socket::INET;
$| = 1;
my $word = shift // "";
if ($word eq "migrate") {
  open(my $f, ">", "/data/schema") or die "no /data: $!\n";
  print $f "v1\n"; exit 0
}
if ($word eq "broken-job") { print STDERR "migration: relation does not exist\n"; exit 4 }
if ($word eq "die") { print STDERR "config missing: PORT\n"; exit 3 }
sub slurp { open(my $f, "<", $_[0]) or return "unreadable: $!"; local $/; return <$f> }
my $server = IO::Socket::INET->new(LocalPort => 8000, Listen => 20, ReuseAddr => 1)
  or die "listen: $!\n";
print "ready\n";
my $asked = 0;
while (my $c = $server->accept) {
  my $line = <$c> // next; my ($method, $path) = split / /, $line; my $length = 0;
  while (my $h = <$c>) { last if $h =~ /^\r?$/; $length = $1 if $h =~ /^content-length: (\d+)/i }
  my $in = ""; read($c, $in, $length) if $length;
  my ($status, $out) = ("200 OK", "hello\n");
  if ($path eq "/healthz") { $out = '{"status": "ok", "db": {"up": true}}' }
  elsif ($path eq "/later") { ($status, $out) = ("503 Later", "warming up") if $asked++ < 3 }
  elsif ($path eq "/echo") { $out = "$method:$in" }
  elsif ($path eq "/secret") { $out = slurp("/run/secrets/KEY") }
  elsif ($path eq "/schema") { $out = slurp("/data/schema") }
  elsif ($path eq "/bound") { $out = open(my $f, ">", "/bound/x") ? "written" : "refused: $!" }
  elsif ($path eq "/die") { print STDERR "told to die\n"; exit 7 }
  elsif ($path eq "/through") {
    my $up = IO::Socket::INET->new(PeerAddr => "db", PeerPort => 8000, Timeout => 3);
    if ($up) { print $up "GET /schema HTTP/1.0\r\n\r\n"; local $/; $out = "through: " . <$up> }
    else { ($status, $out) = ("502 Bad", "no db: $@") }
  }
  elsif ($path ne "/") { ($status, $out) = ("404 Not Found", "no such page") }
  print $c "HTTP/1.1 $status\r\nX-Served-By: bare\r\nConnection: close\r\n";
  print $c "Content-Length: " . length($out) . "\r\n\r\n$out";
  close $c;
}
"""


@pytest.fixture(scope="module")
def engine():
    """The real engine; at the end nothing of this instance is left on it."""
    engine = DockerEngine()
    yield engine
    wipe(engine)
    engine.remove_image(BARE)
    engine.close()


def wipe(engine):
    """Remove what is labelled with this test's instance."""
    for container in engine.containers(INSTANCE):
        engine.remove(container.id)
    for network in engine.networks(INSTANCE):
        engine.remove_network(network.name)
    for volume in engine.volumes(INSTANCE):
        engine.remove_volume(volume)


def left(engine):
    """What of this instance is on the engine."""
    return (
        *(container.name for container in engine.containers(INSTANCE)),
        *(network.name for network in engine.networks(INSTANCE)),
        *engine.volumes(INSTANCE),
    )


@pytest.fixture(scope="module")
def bare(engine):
    """An image of perl and its libraries and nothing else: no shell, no tools.

    Made of files of the base image, so no network is needed.
    """
    pack = "tar -ch /usr/bin/perl /usr/lib/*/perl-base $(ldd /usr/bin/perl | grep -o '/[^ ]*')"
    argv = ["docker", "run", "--rm", "--network=none", BASE, "sh", "-c", pack]
    packed = subprocess.run(argv, capture_output=True, timeout=60, check=True).stdout
    with tempfile.TemporaryDirectory() as folder:
        tar_file = Path(folder) / "bare.tar"
        tar_file.write_bytes(packed)
        with tarfile.open(tar_file, "a") as tar:
            add(tar, "server.pl", SERVER.encode(), mode=0o640, uid=10001)
            add(tar, "etc/app.conf", b"port = 8000\nlevel = info\n", mode=0o644)
            link = tarfile.TarInfo("etc/current.conf")
            link.type, link.linkname = tarfile.SYMTYPE, "app.conf"
            tar.addfile(link)
            for name in ("data", "tmp"):
                member = tarfile.TarInfo(name)
                member.type, member.mode, member.uid = tarfile.DIRTYPE, 0o755, 10001
                tar.addfile(member)
        return engine.import_image(
            str(tar_file), BARE, command=("perl", "/server.pl"), label=TEST_LABEL
        )


def add(tar, name, content, *, mode, uid=0):
    """Put a file into a tar."""
    member = tarfile.TarInfo(name)
    member.size, member.mode, member.uid = len(content), mode, uid
    tar.addfile(member, io.BytesIO(content))


@dataclass
class Kept:
    """Verdicts in memory."""

    green: set = field(default_factory=set)

    def known(self, image, checks):
        """Whether it was recorded."""
        return (image, checks) in self.green

    def record(self, image, checks, results):
        """Keep it."""
        assert not any(result.red for result in results)
        self.green.add((image, checks))


@dataclass
class Bench:
    """Runs the checks of services that all have the bare image."""

    engine: DockerEngine
    image: object
    host: Host
    verdicts: Kept = field(default_factory=Kept)
    events: list = field(default_factory=list)
    secrets: dict = field(default_factory=dict)

    def run(self, *services, beside=(), **options):
        """Run; nothing but what was `beside` may be left on the engine."""
        stack = Stack("chk", services, file="stack.toml")
        releases = {
            s.name: release_of(
                "chk",
                s,
                self.image.id,
                {x.name: fingerprint("chk", s.name, x.name, b"s3cret") for x in s.secrets},
            )
            for s in services
        }
        images = {s.name: self.image for s in services}
        results = run_checks(
            stack, releases, images, self.engine, self.host, self.verdicts, self.events.append,
            secrets_dirs=self.secrets, **options,
        )  # fmt: skip
        assert left(self.engine) == beside
        return results


@pytest.fixture
def bench(engine, bare, tmp_path):
    """The bench, with an own state folder."""
    yield Bench(
        engine, bare, Host(tmp_path / "host.toml", tmp_path, INSTANCE, pool="10.214.0.0/16")
    )
    wipe(engine)


def web(*checks, **options):
    """A service that listens on 8000 as soon as its process runs."""
    defaults = {"port": 8000, "user": "10001", "health": Health(timeout=10)}
    return Service("web", checks=checks, file="stack.toml", line=3, **{**defaults, **options})


def outcomes(results):
    """The outcomes, in order."""
    return [str(result.verdict.outcome) for result in results]


def test_every_kind_passes_on_an_image_without_a_shell(bench):
    """Metadata, files, commands and HTTP need nothing in the image but the program itself."""
    results = bench.run(
        web(
            Image(cmd=("perl", "/server.pl"), user="", exposed_ports=(), max_size="100M"),
            File(path="/server.pl", mode="0640", owner=10001, type="file", contains="healthz"),
            File(path="/etc/current.conf", link_target="app.conf", contains="level = info"),
            File(path="/bin/sh", exists=False),
            Command(run=("perl", "-e", "print 6*7"), stdout="42"),
            Command(run=("perl", "-e", "exit 5"), exit=5),
            Http(path="/healthz", status=200, json={"status": "ok", "db": {"up": True}}),
            Http(path="/later", status=200),
            Http(path="/echo", method="POST", body="hi", contains="POST:hi"),
            Http(path="/", header={"x-served-by": "bare"}),
        )
    )
    assert outcomes(results) == ["pass"] * 10, results
    # A verdict is kept: the second run does nothing and says so.
    assert bench.run(web(*(r.check for r in results))) == ()
    assert bench.events[-1].data["known"] is True


def test_red_names_what_is_there(bench):
    """A red result says the actual mode, owner, status and body; image red stops before a start."""
    results = bench.run(web(File(path="/server.pl", mode="0755"), Http(path="/", status=200)))
    assert outcomes(results) == ["fail"]
    assert "mode 0640" in results[0].verdict.found
    results = bench.run(
        web(
            Http(path="/nope", status=200, timeout=0.3),
            Command(run=("perl", "-e", "print STDERR q(oops); exit 2")),
            Command(run=("sh", "-c", "true"), exit=127),
        )
    )
    assert outcomes(results) == ["fail", "fail", "error"]
    assert "status 404" in results[0].verdict.found
    assert "no such page" in results[0].verdict.found
    assert "exit code 2" in results[1].verdict.found
    assert "oops" in results[1].verdict.found
    assert "ready" in results[0].log
    assert bench.verdicts.green == set()


def test_a_service_that_dies_is_an_error_at_once(bench):
    """Exit code and last lines are told without waiting for the health timeout."""
    results = bench.run(
        web(
            Http(path="/", status=200),
            command=("perl", "/server.pl", "die"),
            # Longer than a test may take: waiting for it would fail.
            health=Health(timeout=3600),
        )
    )
    assert outcomes(results) == ["error"]
    assert "exit code 3" in results[0].verdict.found
    assert "config missing: PORT" in results[0].log


def test_a_service_that_dies_during_a_check_is_told(bench):
    """Eventually stops when the container has exited, with its exit code and last lines."""
    results = bench.run(web(Http(path="/die", status=200, timeout=3600)))
    assert outcomes(results) == ["error"]
    assert "exit code 7" in results[0].verdict.found
    assert "told to die" in results[0].log


def test_a_program_that_is_not_there_is_an_error(bench):
    """What the engine can't start is told with the service's place."""
    results = bench.run(web(Http(path="/", status=200), entrypoint=("/nothing",)))
    assert outcomes(results) == ["error"]
    assert "stack.toml:3" in results[0].verdict.found
    assert "/nothing" in results[0].verdict.found


def test_used_services_secrets_jobs_and_volumes(bench, tmp_path):
    """What a service uses runs beside it under its name, with its job run before it; secrets
    are files; volumes are thrown away; a host folder is read-only."""
    secrets = tmp_path / "secrets"
    secrets.mkdir()
    (secrets / "KEY").write_text("s3cret")
    bound = tmp_path / "bound"
    bound.mkdir()
    bound.chmod(0o777)  # so that only the mount can refuse
    bench.secrets = {"web": str(secrets)}
    db = Service(
        "db",
        port=8000,
        volumes=(Volume("data", "/data"),),
        before_switch=("perl", "/server.pl", "migrate"),
        health=Health(path="/healthz"),
        user="10001",
    )
    results = bench.run(
        db,
        web(
            Http(path="/through", matches="^v1"),
            Http(path="/secret", contains="s3cret"),
            Http(path="/schema", contains="v1"),
            Http(path="/bound", contains="refused"),
            uses=("db",),
            secrets=(Secret("KEY", env="KEY"),),
            volumes=(Volume("own", "/data"), Volume(str(bound), "/bound", bind=True)),
            before_switch=("perl", "/server.pl", "migrate"),
        ),
    )
    assert outcomes(results) == ["pass"] * 4, results
    assert list(bound.iterdir()) == []


def test_a_failing_job_of_a_used_service_is_told(bench):
    """A before_switch that fails is named with its exit code and output, as an error."""
    db = Service("db", port=8000, before_switch=("perl", "/server.pl", "broken-job"), line=9)
    results = bench.run(db, web(Http(path="/", status=200), uses=("db",)))
    assert outcomes(results) == ["error"]
    assert "service db: before_switch" in results[0].verdict.found
    assert "exit code 4" in results[0].verdict.found
    assert "relation does not exist" in results[0].log


def test_a_killed_run_is_swept_by_the_next_one(bench):
    """What a run left behind that lives no more is removed; a living run's things are not."""
    own = labels_of(instance=bench.host.instance, role="test")
    dead = Claim(bench.host)
    bench.engine.create_volume(dead.name("web", "data"), own)
    network = {"subnet": "10.214.8.0/26", "gateway": "10.214.8.1", "labels": own}
    bench.engine.create_network(dead.name("web"), **network)
    dead.release()
    with Claim(bench.host) as living:
        bench.engine.create_volume(living.name("web", "data"), own)
        bench.run(web(Http(path="/", status=200)), beside=(living.name("web", "data"),))
    bench.run(web(Http(path="/", status=200)), again=True)
