"""How commands end: exit codes, errors as text and as JSON, bugs, interrupts, lost readers."""

from __future__ import annotations

import json
import signal
import subprocess
import sys

import pytest

from containerdeploy import deploy
from containerdeploy import errors as tree
from containerdeploy.cli import exits, main
from containerdeploy.errors import BadInput, CandidateFailed, CdeployError, Problem
from containerdeploy.events import Event


def everyone(kind: type[CdeployError]) -> list[type[CdeployError]]:
    return [kind, *(one for child in kind.__subclasses__() for one in everyone(child))]


CODES = {
    "BadInput": 2,
    "Conflict": 2,
    "ChecksRed": 3,
    "HostNotReady": 4,
    "Locked": 5,
    "Interrupted": 130,
}
OURS = [kind for kind in everyone(CdeployError) if kind.__module__ == tree.__name__]
RESULTS = {3: "red", 130: "interrupted"}


def failing(monkeypatch, error: BaseException) -> None:
    def up(site, stack, env, emit, **options):
        emit(Event("rollout", {"rollout": "20260131-140509-3f2a", "stack": stack.name}))
        known = {"id": "start web 1", "service": "web", "why": "new"}
        emit(Event("step", {**known, "state": "begun"}))
        emit(Event("step", {**known, "state": "failed", "seconds": 0.1, "error": "dead"}))
        raise error

    monkeypatch.setattr(deploy, "up", up)


@pytest.mark.parametrize("kind", OURS, ids=lambda kind: kind.__name__)
def test_each_class_of_error_has_its_exit_code(kind, stack, cdeploy, monkeypatch):
    """A script knows by the exit code what kind of error it was; the text has the cure."""
    failing(monkeypatch, kind("it broke", hint="mend it", detail="line 1\n  line 2"))
    ran = cdeploy("up")
    assert ran.code == CODES.get(kind.__name__, 1)
    assert ran.err == "error: it broke\n  line 1\n    line 2\nwhat to do: mend it\n"
    assert "error" not in ran.out


@pytest.mark.parametrize("kind", OURS, ids=lambda kind: kind.__name__)
def test_an_error_in_json_is_followed_by_done(kind, stack, cdeploy, monkeypatch):
    """With --json the last two lines are `error` and `done`, on standard output."""
    failing(monkeypatch, kind("it broke", hint="mend it", detail="more"))
    ran = cdeploy("up", "--json")
    *_, error, done = ran.events
    code = CODES.get(kind.__name__, 1)
    assert ran.err == ""
    assert {key: error[key] for key in ("event", "kind", "message", "hint", "detail", "exit")} == {
        "event": "error",
        "kind": kind.__name__,
        "message": "it broke",
        "hint": "mend it",
        "detail": "more",
        "exit": code,
    }
    assert done.pop("at") > 0
    assert done == {
        "event": "done",
        "rollout": "20260131-140509-3f2a",
        "result": RESULTS.get(code, "failed"),
        "services": {"web": {"outcome": "failed", "at": "start web 1"}},
        "stack": "shop",
    }


def test_every_problem_of_an_input_is_named(stack, cdeploy, monkeypatch):
    """Each problem has its line: file, line, key, message and hint; in JSON an object each."""
    problem = Problem("stack.toml", 7, "service.web.port", "should be a port", "1 to 65535")
    failing(monkeypatch, BadInput("two mistakes", problems=(problem, problem)))
    text = "  stack.toml:7: service.web.port: should be a port (1 to 65535)\n"
    assert cdeploy("up").err == "error: two mistakes\n" + 2 * text
    error = cdeploy("up", "--json").events[-2]
    assert error["problems"][1] == {
        "file": "stack.toml",
        "line": 7,
        "key": "service.web.port",
        "message": "should be a port",
        "hint": "1 to 65535",
    }


def test_a_wrong_stack_file_is_bad_input(stack, cdeploy):
    """What is wrong in a stack file is said with file and line, and exits with 2."""
    (stack / "stack.toml").write_text('[stack]\nname = "shop"\n[service.web]\nimag = "x"\n')
    ran = cdeploy("validate")
    assert ran.code == exits.BAD_INPUT
    assert "stack.toml:4: service.web.imag" in ran.err


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (("frobnicate",), "frobnicate"),
        (("up", "--frob"), "--frob"),
        (("logs", "shop", "--tail", "many"), "many"),
        (("logs", "shop", "--since", "soon"), "--since"),
        (("up", "--wait", "soon"), "--wait"),
        (("up", "a.toml", "b.toml"), "b.toml"),
        (("logs",), "which stack?"),
        (("up",), "no stack.toml here"),
        (("up", "shop"), "not a name"),
    ],
)
def test_wrong_arguments_are_bad_input(args, said, cdeploy, folder):
    """What is wrong with the arguments is an error like all others, with exit code 2."""
    if args[:2] == ("up", "--wait"):
        (folder / "stack.toml").write_text('[stack]\nname = "a"\n[service.b]\nimage = "b"\n')
    ran = cdeploy(*args)
    assert (ran.code, ran.out) == (exits.BAD_INPUT, "")
    assert ran.err.startswith("error: ")
    assert said in ran.err
    *_, error, done = cdeploy(*args, "--json").events
    assert (error["event"], done["result"]) == ("error", "failed")


def test_a_bug_is_told_shortly_and_kept(stack, cdeploy, monkeypatch):
    """An exception that nobody expected: two lines, the traceback in a file, exit code 70."""
    (stack.parent / "state").mkdir()
    failing(monkeypatch, ZeroDivisionError("by zero"))
    ran = cdeploy("up")
    assert ran.code == exits.BUG
    first, second = ran.err.splitlines()
    assert first == "error: a bug in cdeploy: ZeroDivisionError: by zero"
    (kept,) = (stack.parent / "state").glob("crash-*.txt")
    assert str(kept) in second
    assert kept.stat().st_mode & 0o077 == 0
    assert "ZeroDivisionError: by zero" in kept.read_text()


def test_a_bug_shows_its_traceback_when_verbose(stack, cdeploy, monkeypatch, tmp_path):
    """With --verbose the traceback is printed; without a state folder it is kept elsewhere."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    failing(monkeypatch, ZeroDivisionError("by zero"))
    assert "Traceback (most recent call last)" in cdeploy("up", "--verbose").err
    assert list(tmp_path.glob("crash-*.txt"))


def test_ctrl_c_outside_of_a_rollout(stack, cdeploy, monkeypatch):
    """Ctrl-C while building or testing ends with 130, and with `done` in JSON."""
    failing(monkeypatch, KeyboardInterrupt())
    ran = cdeploy("up")
    assert (ran.code, ran.err.splitlines()[0]) == (exits.INTERRUPTED, "error: interrupted")
    assert cdeploy("up", "--json").events[-1]["result"] == "interrupted"


def test_sigterm_is_ctrl_c():
    """SIGTERM raises KeyboardInterrupt in the main thread."""
    before = signal.getsignal(signal.SIGTERM)
    try:
        assert main.main(["schema"]) == 0
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGTERM)
    finally:
        signal.signal(signal.SIGTERM, before)


def test_the_last_event_is_done_even_when_it_came_early(stack, cdeploy, monkeypatch):
    """A use case may say `done` and then a word more: readers still get `done` last."""

    def up(site, stack, env, emit, **options):
        emit(Event("done", {"rollout": "", "result": "unchanged", "services": {}}))
        emit(Event("note", {"text": "by the way"}))

    monkeypatch.setattr(deploy, "up", up)
    assert [e["event"] for e in cdeploy("up", "--json").events] == ["note", "done"]


def test_a_rollout_outlives_its_reader(stack, tmp_path):
    """`cdeploy up | head -1`: the rollout goes on to its end, and nothing is said about it."""
    script = (
        "import sys\n"
        "from containerdeploy import deploy\n"
        "from containerdeploy.cli.main import main\n"
        "from containerdeploy.events import note\n"
        "def up(site, stack, env, emit, **options):\n"
        "    for number in range(20000): note(emit, 'x' * 100)\n"
        f"    open({str(tmp_path / 'ended')!r}, 'w').close()\n"
        "deploy.up = up\n"
        "sys.exit(main(['up']))\n"
    )
    process = subprocess.Popen(
        (sys.executable, "-c", script), stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=stack
    )
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.readline()
    process.stdout.close()
    said = process.stderr.read()
    process.stderr.close()
    assert (process.wait(timeout=60), said) == (0, b"")
    assert (tmp_path / "ended").exists()


def test_foreign_text_cannot_move_the_cursor(stack, cdeploy, monkeypatch):
    """Control characters in a container's last lines are not passed on to the terminal."""
    failing(monkeypatch, CandidateFailed("it died", detail="\x1b[2Jgone\x07"))
    assert "\x1b" not in cdeploy("up").err


def test_errors_without_services_still_make_json(cdeploy, monkeypatch):
    """Each line of a failed command is one JSON object, whatever the command."""
    for command in ("up", "plan", "validate", "build", "test"):
        ran = cdeploy(command, "--json")
        assert [json.loads(line)["event"] for line in ran.out.splitlines()] == ["error", "done"]
