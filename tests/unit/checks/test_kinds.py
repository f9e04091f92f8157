"""The kinds: what passes, what is red and how it says so, and what can't be seen."""

from __future__ import annotations

import hashlib
import json

import pytest
from pydantic import TypeAdapter, ValidationError

from containerdeploy.check import CannotObserve, ImageInfo, Outcome
from containerdeploy.checks.judging import event_of, judge
from containerdeploy.checks.kinds import KINDS, docs
from containerdeploy.checks.kinds.command import Command
from containerdeploy.checks.kinds.file import File
from containerdeploy.checks.kinds.http import Http
from containerdeploy.checks.kinds.image import Image
from containerdeploy.checks.text import Text
from tests.unit.checks.subjects import Blind, PlainSubject, answer, folder, link, ran, regular

WEB = ImageInfo(
    id="sha256:1",
    entrypoint=("/bin/web",),
    command=("--port", "8000"),
    env=("PATH=/usr/bin", "MODE=prod", "EMPTY="),
    labels=(("team", "shop"),),
    user="10001",
    workdir="/app",
    exposed_ports=("8000/tcp",),
    volumes=("/data",),
    size=50 * 1024**2,
)


def verdict(check, **subject):
    """The verdict of a check on a plain subject."""
    return judge("web", check, PlainSubject(**subject)).verdict


IMAGE = [
    (Image(entrypoint=("/bin/web",), cmd=("--port", "8000")), ""),
    (Image(env={"MODE": "prod", "EMPTY": ""}, labels={"team": Text(contains="sh")}), ""),
    (Image(user="10001", workdir="/app", exposed_ports=("8000",), volumes=("/data",)), ""),
    (Image(absent_env=("SECRET",), max_size="50M"), ""),
    (Image(user=""), 'user = "10001"'),
    (Image(cmd=("--port", "9000")), 'cmd = ["--port", "8000"]'),
    (Image(env={"MODE": "dev"}), "env MODE: 'prod'"),
    (Image(env={"DEBUG": "1"}), "no env DEBUG (there are EMPTY, MODE, PATH)"),
    (Image(labels={"team": Text(matches="^b")}), "nothing matches '^b'"),
    (Image(absent_env=("MODE",)), "env MODE is set"),
    (Image(exposed_ports=()), 'exposed_ports = ["8000/tcp"]'),
    (Image(volumes=("/data", "/x")), 'volumes = ["/data"]'),
    (Image(max_size="10M"), "50.0M"),
]

CONF = regular("/etc/app.conf", mode=0o640, size=10, uid=5, gid=6)
FILES = {
    "paths": [
        CONF,
        folder("/etc"),
        link("/etc/current", "app.conf"),
        link("/etc/twice", "/etc/current"),
        link("/etc/dangling", "nowhere"),
        link("/etc/a", "b"),
        link("/etc/b", "a"),
    ],
    "content": {"/etc/app.conf": b"port = 80\nuser = web\n"},
}
DIGEST = hashlib.sha256(FILES["content"]["/etc/app.conf"]).hexdigest()
FILE = [
    (File(path="/etc/app.conf"), ""),
    (File(path="/etc/app.conf", type="file", mode="0640", owner=5, group=6, size=10), ""),
    (File(path="/etc/app.conf", sha256=DIGEST, contains=("port", "web"), matches="^user"), ""),
    (File(path="/etc", type="directory", mode="755"), ""),
    (File(path="/etc/current", type="link", link_target="app.conf"), ""),
    (File(path="/etc/current", link_target="/etc/app.conf"), ""),
    (File(path="/etc/twice", type="file", mode="0640", contains="port"), ""),
    (File(path="/nothing", exists=False), ""),
    (File(path="/etc/app.conf", exists=False), "a file, mode 0640, 10 bytes"),
    (File(path="/etc/dangling", exists=False), "a link to nowhere"),
    (File(path="/etc/app/x.conf"), "nothing at /etc/app/x.conf (the directory /etc is there)"),
    (File(path="/etc/app.conf", mode="0644"), "mode 0640"),
    (File(path="/etc/app.conf", owner=0, group=0), "owner 5; group 6"),
    (File(path="/etc/app.conf", size=11), "10 bytes"),
    (File(path="/etc/app.conf", type="directory"), "a file"),
    (File(path="/etc/app.conf", sha256="0" * 64), f"sha256 {DIGEST}"),
    (File(path="/etc/app.conf", contains="nope"), "no 'nope' in 'port = 80"),
    (File(path="/etc/app.conf", link_target="x"), "a file, mode 0640"),
    (File(path="/etc/current", link_target="/etc/other"), "a link to app.conf"),
    (File(path="/etc/dangling", mode="0644"), "a link to nowhere, which is not there"),
    (File(path="/etc/a", mode="0644"), "a link to b, which is not there"),
    (File(path="/etc", contains="x"), "a directory, which has no content"),
]

COMMAND = [
    (Command(run=("app", "-v")), ran(), ""),
    (Command(run=("app",), stdout="1.2", stderr=Text(matches="^w")), ran(0, "1.2\n", "warn"), ""),
    (Command(run=("app",), exit=3), ran(3), ""),
    (Command(run=("app",)), ran(3, "", "no config"), "exit code 3, output 'no config'"),
    (Command(run=("app",), exit=3), ran(0), "exit code 0"),
    (Command(run=("app",), stdout="1.3"), ran(0, "1.2\n"), "stdout: '1.2\\n'"),
    (Command(run=("app",), stdout="a\nb"), ran(0, "a\nc"), "-b"),
    (Command(run=("app",), stderr=Text(contains="x")), ran(), "no 'x' in an empty text"),
]

OK = answer(200, '{"status": "ok", "parts": [1, {"up": true}]}', content_type="text/plain")
HTTP = [
    (Http(path="/", status=200), OK, ""),
    (Http(path="/", status=(200, 204)), OK, ""),
    (Http(path="/", contains="ok", matches="par.s"), OK, ""),
    (Http(path="/", header={"Content-Type": Text(contains="text")}), OK, ""),
    (Http(path="/", json={"status": "ok"}), OK, ""),
    (Http(path="/", json={"parts": [1, {"up": True}]}), OK, ""),
    (Http(path="/", status=404), answer(404), ""),
    (Http(path="/", status=200), answer(500, "no db"), "status 500, body 'no db'"),
    (Http(path="/", contains="db"), answer(500, "no db"), "status 500"),
    (Http(path="/", contains="nope"), OK, "body: no 'nope' in"),
    (Http(path="/", header={"x-a": "1"}), OK, "no header x-a (there are content-type)"),
    (Http(path="/", header={"content-type": "a"}), OK, "header content-type: 'text/plain'"),
    (Http(path="/", json={"a": 1}), OK, "JSON has no a (there are status, parts)"),
    (Http(path="/", json={"parts": [1, {"up": 1}]}), OK, "JSON parts.1.up is 'true'"),
    (Http(path="/", json={"parts": [1]}), OK, "JSON parts has 2 entries"),
    (Http(path="/", json=[]), answer(200, "<html>"), "body is not JSON: '<html>'"),
    (Http(path="/", status=200), answer(500, "x" * 999), "(999 characters)"),
]


def expect(seen, found):
    """A pass when nothing is to be found, else a failure that says it."""
    assert seen.outcome is (Outcome.FAIL if found else Outcome.PASS), seen
    assert found in seen.found
    assert seen.expected


@pytest.mark.parametrize(("check", "found"), IMAGE)
def test_image(check, found):
    """Each key is compared; a red one says what the image has."""
    expect(verdict(check, image=WEB), found)


@pytest.mark.parametrize(("check", "found"), FILE)
def test_file(check, found):
    """Each key is compared, of what a link leads to; a red one says what is there."""
    expect(verdict(check, **FILES), found)


@pytest.mark.parametrize(("check", "came", "found"), COMMAND)
def test_command(check, came, found):
    """Exit code and output are compared; a red one says what came."""
    expect(verdict(check, ran=came), found)


@pytest.mark.parametrize(("check", "came", "found"), HTTP)
def test_http(check, came, found):
    """Status, headers and body are compared; without a status, below 400 is asked for."""
    check = type(check)(**{**vars(check), "timeout": 0.01})
    expect(verdict(check, answers=[came]), found)


@pytest.mark.parametrize(
    "check",
    [
        Image(absent_env=("SECRET",)),
        File(path="/secret", exists=False),
        Command(run=("false",), exit=1),
        Http(path="/", status=404, timeout=0.01),
    ],
)
def test_what_cannot_be_seen_is_an_error(check):
    """No check passes, negated or not, because nothing could be seen."""
    seen = judge("web", check, Blind()).verdict
    assert seen.outcome is Outcome.ERROR
    assert "no engine" in seen.found


@pytest.mark.parametrize("exit_code", [1, 126, 127])
def test_a_command_that_could_not_be_run_is_an_error(exit_code):
    """Even where the expected exit code is the one that the runtime uses for it."""
    check = Command(run=("nothing",), exit=exit_code)
    seen = verdict(check, ran=ran(None, "", "executable file not found"))
    assert seen.outcome is Outcome.ERROR
    assert "executable file not found" in seen.found


def test_http_asks_again_until_it_is_as_expected():
    """A service that warms up is asked until it answers as expected."""
    answers = [CannotObserve("refused"), answer(503), answer(503), answer(200)]
    assert verdict(Http(path="/", status=200), answers=answers).outcome is Outcome.PASS


def test_http_stops_when_the_container_is_gone():
    """There is nothing to wait for then, and the reason is told."""
    check = Http(path="/", status=200, timeout=3600)
    seen = verdict(check, answers=[CannotObserve("refused")], gone="exit code 3")
    assert seen.outcome is Outcome.ERROR
    assert seen.found == "exit code 3"


@pytest.mark.parametrize("method", ["POST", "put", "DELETE", "PATCH"])
def test_what_may_change_something_is_sent_once(method):
    """A POST is not repeated, whatever its answer."""
    subject = PlainSubject(answers=[answer(500), answer(200)])
    check = Http(path="/", method=method, body="x", status=200)
    assert judge("web", check, subject).verdict.outcome is Outcome.FAIL
    assert len(subject.asked) == 1


def test_http_sends_what_was_written():
    """Method, host, headers and body arrive as given."""
    subject = PlainSubject(answers=[answer(200)])
    check = Http(
        path="/a?b=c", method="post", host="shop", headers={"X-A": "1"}, body="é", status=200
    )
    judge("web", check, subject)
    assert subject.asked == [("POST", "/a?b=c", {"host": "shop", "X-A": "1"}, "é".encode())]


def test_a_skipped_check_is_not_run():
    """Its reason is the finding, and it is neither green nor red."""
    result = judge("web", Command(run=("x",), skip="flaky"), Blind())
    assert result.verdict.outcome is Outcome.SKIP
    assert result.verdict.found == "flaky"
    assert not result.red


PROBLEMS = [
    (Image(), "", "asserts nothing"),
    (Image(env={}), "", "asserts nothing"),
    (Image(max_size="big"), "max_size", "is no size"),
    (Image(env={"A": Text(matches="(")}), "env.A.matches", "no regular expression"),
    (File(path="etc"), "path", "absolute"),
    (File(path="/x", mode="0999"), "mode", "octal"),
    (File(path="/x", mode="rw"), "mode", "octal"),
    (File(path="/x", sha256="abc"), "sha256", "64 hex digits"),
    (File(path="/x", owner=-1), "owner", "0 or more"),
    (File(path="/x", matches="["), "matches", "no regular expression"),
    (File(path="/x", exists=False, mode="0644"), "exists", "mode can't hold"),
    (File(path="/x", type="directory", contains="a"), "type", "no content"),
    (File(path="/x", type="file", link_target="a"), "type", "only a"),
    (Command(run=()), "run", "name a program"),
    (Command(run=("x",), exit=300), "exit", "0 to 255"),
    (Command(run=("x",), stdout=Text()), "stdout", "asserts nothing"),
    (Command(run=("x",), stderr=Text(matches="*")), "stderr.matches", "no regular expression"),
    (Http(path="x", status=200), "path", 'start with "/"'),
    (Http(path="/"), "", "asserts nothing"),
    (Http(path="/", contains=()), "", "asserts nothing"),
    (Http(path="/", status=99), "status", "100 to 599"),
    (Http(path="/", method="G T", status=200), "method", "a word"),
    (Http(path="/", matches="("), "matches", "no regular expression"),
    (Http(path="/", header={"A": Text()}), "header.A", "asserts nothing"),
]


@pytest.mark.parametrize(("check", "key", "message"), PROBLEMS)
def test_problems(check, key, message):
    """What types can't express is found, at its key."""
    ((found_key, found_message),) = check.problems()
    assert found_key == key
    assert message in found_message


@pytest.mark.parametrize("check", [case[0] for case in (*IMAGE, *FILE, *COMMAND, *HTTP)])
def test_no_problem(check):
    """The checks of the tables above are well written."""
    assert check.problems() == []
    assert check.title().split()[0] in (check.kind, "no")


@pytest.mark.parametrize("check", [case[0] for case in (*IMAGE, *FILE, *COMMAND, *HTTP)])
def test_a_check_survives_being_kept(check):
    """Its content as JSON and back judges as before: nested tables are revived."""
    content = {k: v for k, v in json.loads(json.dumps(check.content())).items() if k != "kind"}
    again = KINDS[check.kind](**{k: untie(v) for k, v in content.items()})
    subject = {"image": WEB, "ran": ran(0, "1.2\n"), "answers": [OK], **FILES}
    if isinstance(check, Http):
        again = Http(**{**vars(again), "timeout": 0.01})
        check = Http(**{**vars(check), "timeout": 0.01})
    before, after = verdict(check, **subject), verdict(again, **subject)
    assert (before.outcome, before.expected) == (after.outcome, after.expected)


def untie(value):
    """JSON's lists as tuples."""
    return tuple(value) if isinstance(value, list) else value


@pytest.mark.parametrize("kind", KINDS.values())
def test_every_key_is_documented_and_validated(kind):
    """A kind's fields are its keys: each has a text, and an unknown one is refused."""
    assert all(docs(kind).values()), docs(kind)
    assert "file" not in docs(kind)
    assert TypeAdapter(kind).json_schema()["properties"]
    with pytest.raises(ValidationError, match="statsu"):
        TypeAdapter(kind).validate_python({"path": "/", "run": ["x"], "statsu": 1})


def test_an_event_says_all_there_is():
    """Where it was written, what was expected and what was found."""
    check = Command(run=("x",), name="it runs", file="stack.toml", line=7)
    data = event_of(judge("web", check, Blind())).data
    assert data["service"] == "web"
    assert data["check"] == "it runs"
    assert data["outcome"] == "error"
    assert (data["file"], data["line"]) == ("stack.toml", 7)
    json.dumps(data)
