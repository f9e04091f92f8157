"""Shells complete what there is: stacks, services, environments, rollouts; never an error."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from containerdeploy.ledger import Ledger, Rollout

SCRIPT = "import sys; from containerdeploy.cli.main import main; sys.exit(main())"


@pytest.fixture
def ledger(folder):
    """A ledger that knows one rollout of the stack `shop`."""
    one = Ledger(folder.parent / "state" / "ledger.sqlite")
    description = {"releases": {"web": "a1", "worker": "b1"}}
    one.begin(
        Rollout("20260131-140509-3f2a", "shop", "up", 1.0, None, "", "me", "", "", description)
    )
    one.close()


def completed(folder, words: str, *, host_file: str = "host.toml") -> list[str]:
    """What fish is offered for this line."""
    env = {
        **os.environ,
        "CDEPLOY_HOST_FILE": str(folder.parent / host_file),
        "_CDEPLOY_COMPLETE": "complete_fish",
        "_TYPER_COMPLETE_FISH_ACTION": "get-args",
        "_TYPER_COMPLETE_ARGS": words,
    }
    ended = subprocess.run(
        (sys.executable, "-c", SCRIPT),
        env=env,
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ended.stderr == ""
    return [line.partition("\t")[0] for line in ended.stdout.splitlines() if line]


def test_commands_complete(folder):
    """The commands themselves."""
    assert completed(folder, "cdeploy ro") == ["rollback"]


def test_stacks_complete_by_name_and_file(stack, ledger):
    """Names that the ledger knows, and stack files of this folder."""
    assert completed(stack, "cdeploy status ") == ["shop", "stack.toml"]
    assert completed(stack, "cdeploy up st") == ["stack.toml"]


def test_services_and_environments_complete_from_the_stack_file(stack):
    """Services and environments are read from ./stack.toml."""
    assert completed(stack, "cdeploy logs --service ") == ["web", "db"]
    assert completed(stack, "cdeploy up --env ") == ["production"]


def test_services_complete_from_the_ledger(folder, ledger):
    """Without a stack file, the services of the stack's last rollout."""
    assert completed(folder, "cdeploy logs shop --service w") == ["web", "worker"]


def test_rollouts_complete(folder, ledger):
    """The ids of the latest rollouts."""
    assert completed(folder, "cdeploy rollback shop --to 2026") == ["20260131-140509-3f2a"]
    assert "20260131-140509-3f2a" in completed(folder, "cdeploy history ")


def test_completion_is_silent_when_something_is_wrong(folder):
    """No host file, no ledger, a broken stack file: nothing is offered and nothing is said."""
    (folder / "stack.toml").write_text("[stack\n")
    assert completed(folder, "cdeploy logs --service ") == []
    assert completed(folder, "cdeploy rollback --to ", host_file="none.toml") == []


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_completion_script_is_shown(shell, folder):
    """`--show-completion` prints a script for each shell."""
    env = {**os.environ, "_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION": "1"}
    ended = subprocess.run(
        (sys.executable, "-c", SCRIPT, "--show-completion", shell),
        env=env,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    assert "_CDEPLOY_COMPLETE" in ended.stdout
