"""README.md does what it shows: its commands are run, its output is compared."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from containerdeploy.edge.pod import ensure_edge
from containerdeploy.events import quiet
from containerdeploy.stackfile import write_host
from tests.unit.docs.pages import ROOT, blocks, commands, pattern

pytestmark = pytest.mark.engine

README = ROOT / "README.md"
SHOWN_PORT = "8080"
END = "\x1e"
"""Stands between the outputs of two commands."""

# A machine with nothing but Debian has no curl. This asks as `curl -s URL` does.
CURL = f"""\
#!{sys.executable}
import http.client, sys, urllib.parse
option, url = sys.argv[1:]
assert option == "-s", option
where = urllib.parse.urlsplit(url)
connection = http.client.HTTPConnection("127.0.0.1", where.port, timeout=30)
connection.request("GET", where.path, headers={{"Host": where.netloc}})
sys.stdout.write(connection.getresponse().read().decode())
"""


@pytest.fixture(scope="module")
def env(engine, module_host, edge_image, tmp_path_factory):
    """The environment of a newcomer, on a host of its own that was made ready."""
    ensure_edge(engine, module_host, edge_image, quiet)
    write_host(module_host)
    home = tmp_path_factory.mktemp("home")
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    if shutil.which("curl") is None:
        (home / "bin").mkdir()
        (home / "bin/curl").write_text(CURL)
        (home / "bin/curl").chmod(0o755)
        path = f"{home}/bin:{path}"
    yield {
        **{name: text for name, text in os.environ.items() if name != "GREETING"},
        "HOME": str(home),
        "DOCKER_CONFIG": os.environ.get("DOCKER_CONFIG", str(Path.home() / ".docker")),
        "PATH": path,
        "CDEPLOY_HOST_FILE": str(module_host.file),
    }
    # A shell that was given up has not ended the loop that it had begun.
    (home / "try/asking").unlink(missing_ok=True)


def run(words, env, host):
    """Run commands in one shell, as somebody who types them; the output of each."""
    script = [f"{line}\nseen=$?; printf '{END}'; (exit $seen)" for line in words]
    ended = subprocess.run(
        ("bash", "-c", "\n".join(script).replace(SHOWN_PORT, str(host.http))),
        env=env,
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=280,
        check=False,
    )
    outputs = ended.stdout.replace(str(host.http), SHOWN_PORT).split(END)
    assert len(outputs) == len(words) + 1, ended.stdout
    return outputs[:-1]


def compare(shown, outputs):
    """Every output is the one that the page shows."""
    for command, output in zip(shown, outputs, strict=True):
        wanted = "\n".join(command.shown)
        assert pattern(command.shown).fullmatch(output), (
            f"README.md:{command.line}: {command.words}\n--- shown:\n{wanted}\n--- seen:\n{output}"
        )


def test_the_first_stack_is_as_shown(env, module_host):
    """The five minutes: init, up, a changed line under load, a red check, rollback, down."""
    shown = [c for block in blocks(README, "console")[1:] for c in commands(block)]
    assert len(shown) > 20
    compare(shown, run([command.words for command in shown], env, module_host))


def test_make_up_is_as_shown(env, module_host):
    """What `make up` calls deploys the demo shop, and prints what the page shows."""
    (command,) = commands(blocks(README, "console")[0])
    assert command.words == "make up"
    called = subprocess.run(
        ("make", "--no-print-directory", "-n", "-o", ".venv/.installed", "up"),
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    ).stdout.splitlines()
    words = called[-1].removeprefix(".venv/bin/")
    assert words.startswith("cdeploy up "), called
    outputs = run([words, "cdeploy down shop --volumes --yes"], env, module_host)
    compare([command], outputs[:1])
    assert "shop is taken down" in outputs[1]
