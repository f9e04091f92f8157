"""Rollouts under load on a real engine: nothing is lost, and nothing old answers afterwards."""

from __future__ import annotations

import os
import shutil
import time
from itertools import pairwise
from pathlib import Path

import pytest

from containerdeploy import deploy
from containerdeploy.edge.pod import ensure_edge
from containerdeploy.errors import (
    CandidateFailed,
    ChecksRed,
    Conflict,
    Failed,
    ImageUnavailable,
)
from containerdeploy.events import quiet
from containerdeploy.site import Site
from containerdeploy.stackfile import load_stack
from tests.load import Profile, app, load

pytestmark = [pytest.mark.engine, pytest.mark.slow]

# Read here: a test itself sees no CDEPLOY_ variable.
ROLLOUTS = int(os.environ.get("CDEPLOY_ROLLOUTS", "12"))
"""CDEPLOY_ROLLOUTS=50 is the number that the issue names; `make test` makes do with fewer."""

GOOD = """
[stack]
name = "load"

[service.web]
{image}
port = 8000
route = {route}
env = {{ RELEASE = "{release}", MODE = "{mode}" }}
health = {{ path = "/healthz", timeout = "{patience}" }}
drain = "15s"
{more}
"""
CHECK = """
[[service.web.test.http]]
path = "/healthz"
status = {status}
timeout = "2s"
"""
RAW = """
[service.raw]
build = "app"
port = 8001
protocol = "tcp"
route = {{ tcp = {port} }}
"""
OTHER = """
[stack]
name = "other"

[service.web]
build = "app"
port = 8000
protocol = "tcp"
route = {{ tcp = {port} }}
"""


class Served:
    """A host with an edge, and a folder with a stack that is changed and rolled out."""

    def __init__(self, site, folder):
        self.site = site
        self.folder = folder
        self.host = site.host

    def up(self, release, **changes):
        """Write the stack and roll it out, in this process."""
        settings = {
            "image": 'build = "app"',
            "route": '"load.localhost"',
            "mode": "",
            "patience": "20s",
            "more": "",
        }
        self.write("stack.toml", GOOD.format(**(settings | changes), release=release))
        return self.up_file("stack.toml")

    def write(self, name, text):
        (self.folder / name).write_text(text)

    def up_file(self, name):
        stack = load_stack(self.folder / name, env={})
        return deploy.up(self.site, stack, {}, quiet)

    def profile(self, **changes):
        """A load on the edge that outlives whatever the test does."""
        settings = {"port": self.host.http, "host": "load.localhost"}
        bounds = {"max_seconds": 900.0, "max_requests": 2_000_000}
        return Profile(**(settings | bounds | changes))

    def running(self):
        """The containers of the stack that run, by name."""
        found = self.site.engine.containers(self.host.instance, "load")
        return sorted(one.name for one in found if one.running)


@pytest.fixture(scope="module")
def served(engine, module_host, edge_image, python_image, tmp_path_factory):
    """An edge, and the folder of the load's own app."""
    folder = tmp_path_factory.mktemp("served")
    (folder / "app").mkdir()
    shutil.copy(Path(app.__file__), folder / "app/app.py")
    (folder / "app/Dockerfile").write_text(
        f'FROM {python_image}\nCOPY app.py /app.py\nUSER 10001\nCMD ["python3", "-u", "/app.py"]\n'
    )
    ensure_edge(engine, module_host, edge_image, quiet)
    site = Site(module_host)
    yield Served(site, folder)
    site.engine.close()
    site.ledger.close()


@pytest.mark.timeout(1200)
def test_no_request_is_lost_in_many_rollouts(served):
    """Each rollout of a changed service loses nothing: not a GET or POST on a kept-alive
    connection, not a slow POST, not a WebSocket, not a new connection. What was under way
    ends on the old release; what is sent after `up` returned is answered by the new one."""
    served.up("r0")
    returns = [("r0", time.monotonic())]

    with load(served.profile()) as running:
        for number in range(1, ROLLOUTS + 1):
            result = served.up(f"r{number}")
            returns.append((f"r{number}", time.monotonic()))
            assert (result.result, result.warnings) == ("switched", ())
        seen = running.stop()

    assert not seen.failures, str(seen)
    assert not seen.stale(returns), str(seen)
    assert set(seen.kinds) == {"get", "post", "slow post", "websocket", "new connection"}
    assert set(seen.releases) == {release for release, _ in returns}
    assert seen.stopped == "asked"
    for (old, _), (new, _) in pairwise(returns):
        assert seen.outlasted(old, new, "slow post"), f"{old} drained no slow POST"
        assert seen.outlasted(old, new, "websocket"), f"{old} drained no WebSocket"


@pytest.mark.parametrize(
    ("changes", "error", "words"),
    [
        pytest.param(
            {"mode": "crash"},
            CandidateFailed,
            ["web", "exit code 3", "no such ledger"],
            id="crashes at start",
        ),
        pytest.param(
            {"mode": "sick", "patience": "2s"},
            CandidateFailed,
            ["web", "/healthz", "500"],
            id="never healthy",
        ),
        pytest.param(
            {"mode": "wrong", "patience": "2s"},
            CandidateFailed,
            ["web", "8000", "8001"],
            id="listens elsewhere",
        ),
        pytest.param(
            {"more": CHECK.format(status=418)},
            ChecksRed,
            ["web", "/healthz", "418", "200"],
            id="red checks",
        ),
        pytest.param(
            {"more": 'before_switch = ["python3", "-c", "raise SystemExit(\'no such column\')"]'},
            Failed,
            ["web", "exit code 1", "no such column"],
            id="failing before_switch",
        ),
        pytest.param(
            {"image": 'image = "registry.invalid/nobody/nothing:1"'},
            ImageUnavailable,
            ["web", "registry.invalid/nobody/nothing:1"],
            id="image that can't be pulled",
        ),
    ],
)
def test_under_load_a_broken_release_costs_nothing_and_says_why(served, changes, error, words):
    """The old release serves throughout, nothing new is left, and the message names the cause."""
    served.up("good")
    before = served.running()

    with load(served.profile(slow_seconds=0.5)) as running:
        with pytest.raises(error) as caught:
            served.up("broken", **changes)
        seen = running.stop()

    assert not seen.failures, str(seen)
    assert set(seen.releases) == {"good"}
    assert served.running() == before
    said = "\n".join((str(caught.value), caught.value.detail, caught.value.hint))
    for word in words:
        assert word in said


def test_under_load_a_claimed_port_costs_nothing_and_names_both(served):
    """A TCP port that another stack has is refused at plan time; both go on serving."""
    port = served.host.tcp[0]
    served.up("good")
    served.write("other.toml", OTHER.format(port=port))
    served.up_file("other.toml")

    with load(served.profile(slow_seconds=0.5)) as running:
        with pytest.raises(Conflict) as caught:
            served.up("good", more=RAW.format(port=port))
        seen = running.stop()

    assert not seen.failures, str(seen)
    assert set(seen.releases) == {"good"}
    (problem,) = caught.value.problems
    assert problem.key == "service.raw.route"
    assert f"tcp port {port}" in str(problem)
    assert "service web of stack other" in str(problem)
    assert "service raw of stack load" in str(problem)
