"""A candidate asked through the edge; and the text of red results."""

from __future__ import annotations

import pytest

from containerdeploy.check import CannotObserve, CheckResult, Outcome, Verdict
from containerdeploy.checks.failure import again, checks_red, red_text, red_texts
from containerdeploy.checks.kinds.command import Command
from containerdeploy.checks.kinds.http import Http
from containerdeploy.checks.kinds.image import Image
from containerdeploy.checks.smoke import EdgeSubject, smoke
from containerdeploy.errors import EdgeError
from containerdeploy.stack import Route, Service, Stack
from tests.unit.checks.subjects import answer, raised


class Edge:
    """An edge that remembers what it was asked, and answers as told."""

    def __init__(self, *answers):
        self._answers = list(answers)
        self.asked = []

    def request(self, key, colour, method, path, *, host, headers, body, timeout):
        """The next answer."""
        self.asked.append((key, colour, method, path, host, dict(headers)))
        return raised(self._answers.pop(0) if len(self._answers) > 1 else self._answers[0])


WEB = Service(
    "web",
    routes=(Route(tcp=5), Route(host="shop.localhost")),
    checks=(
        Image(user="x"),
        Http(path="/", status=200, timeout=0.1),
        Http(path="/own", host="other", headers={"A": "b"}, status=200, timeout=0.1),
        Http(path="/order", method="POST", status=200),
        Command(run=("true",)),
    ),
)


def test_only_http_and_only_what_changes_nothing():
    """The route's host is asked for; a POST is skipped with its reason."""
    edge = Edge(answer(200))
    results = smoke(edge, "shop/web", "green", WEB)
    assert [str(r.verdict.outcome) for r in results] == ["pass", "pass", "skip"]
    assert edge.asked == [
        ("shop/web", "green", "GET", "/", "shop.localhost", {}),
        ("shop/web", "green", "GET", "/own", "other", {"a": "b"}),
    ]
    assert "smoke = true" in results[2].verdict.found


def test_smoke_can_be_asked_for_and_refused():
    """The key `smoke` decides where it is given."""
    checks = (
        Http(path="/order", method="POST", status=200, smoke=True),
        Http(path="/", status=200, smoke=False),
    )
    edge = Edge(answer(200))
    results = smoke(edge, "shop/web", "green", WEB, checks)
    assert [str(r.verdict.outcome) for r in results] == ["pass", "skip"]
    assert [asked[2] for asked in edge.asked] == ["POST"]


def test_a_red_smoke():
    """A wrong answer fails; an edge that does not answer, or a dead candidate, is an error."""
    checks = (Http(path="/", status=200, timeout=0.1),)
    (failed,) = smoke(Edge(answer(503, "no")), "shop/web", "green", WEB, checks)
    assert failed.verdict.outcome is Outcome.FAIL
    (silent,) = smoke(Edge(EdgeError("socket gone")), "shop/web", "green", WEB, checks)
    assert silent.verdict.outcome is Outcome.ERROR
    assert "socket gone" in silent.verdict.found
    slow = (Http(path="/", status=200, timeout=3600),)
    (dead,) = smoke(Edge(answer(503)), "shop/web", "green", WEB, slow, gone=lambda: "exit code 1")
    assert dead.verdict.found == "exit code 1"


def test_nothing_else_is_seen_through_the_edge():
    """Files, commands and images are errors there."""
    subject = EdgeSubject(Edge(), "shop/web", "green", host="web")
    for look in (
        lambda: subject.image,
        lambda: subject.stat("/x"),
        lambda: subject.read("/x"),
        lambda: subject.run(("x",), user="", timeout=1),
    ):
        with pytest.raises(CannotObserve, match="through the edge"):
            look()
    assert subject.exited() == ""


STACK = Stack("shop", (WEB,), file="my stack.toml", environment="production")


def red(outcome, found, *, log="", expected="status 200", line=12):
    """A red result."""
    check = Http(path="/", status=200, file="stack.toml", line=line)
    return CheckResult("web", check, Verdict(outcome, expected, found), log)


def test_a_red_result_says_all():
    """Place, expectation, finding (a diff below it), last lines."""
    text = red_text(red(Outcome.FAIL, "a different text:\n-a\n+b", log="boot\ncrash"))
    assert text.splitlines() == [
        "stack.toml:12: web: http GET /: failed",
        "    expected:  status 200",
        "    found:     a different text:",
        "               -a",
        "               +b",
        "    the last lines of its container:",
        "      | boot",
        "      | crash",
    ]


def test_what_several_share_is_said_once():
    """A service that did not start is told once, with its log."""
    dead = [red(Outcome.ERROR, "it ended", log="boom", expected="", line=n) for n in (1, 2)]
    assert red_texts([*dead, red(Outcome.PASS, "")]).splitlines() == [
        "stack.toml:1: web: http GET /: could not observe",
        "    can't see: it ended",
        "    the last lines of its container:",
        "      | boom",
        "stack.toml:2: web: http GET /: could not observe",
        "    can't see: the same",
    ]


def test_the_error_names_who_is_red_and_how_to_run_it_again():
    """With file and environment, fit for a shell."""
    error = checks_red(STACK, [red(Outcome.FAIL, "x"), red(Outcome.PASS, "")])
    assert error.message == "1 check of web red"
    command = "cdeploy test 'my stack.toml' --service web --env production"
    assert error.hint == f"run again: {command}"
    assert again(STACK, "web") == command
