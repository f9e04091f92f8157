"""The three styles: plain lines to the letter, JSON, and the rows of the live display."""

from __future__ import annotations

import io
import json
import threading

import pytest

from containerdeploy.events import Event
from containerdeploy.report.json_lines import JsonReporter
from containerdeploy.report.live import LiveReporter
from containerdeploy.report.output import Output, is_terminal
from containerdeploy.report.plain import PlainReporter
from containerdeploy.report.story import Story
from containerdeploy.report.style import reporter_for
from containerdeploy.report.words import age, duration, size

STEP = {"id": "start web 1", "service": "web", "why": "image changed"}
EVENTS = (
    ("bootstrap", {"item": "engine", "state": "missing", "what": "none", "why": "to run"}),
    ("bootstrap", {"item": "engine", "state": "done", "what": "installed docker.io"}),
    ("note", {"text": "pulling debian:trixie-slim", "service": "web"}),
    ("build", {"service": "web", "step": 1, "total": 2, "text": "FROM debian", "stage": ""}),
    ("build", {"service": "web", "step": 1, "total": 2, "text": "FROM debian", "output": "sha"}),
    ("build", {"service": "web", "step": 2, "total": 2, "text": "RUN make", "output": "cc x.c"}),
    ("plan", {"stack": "shop", "steps": ["start web 1: image changed"]}),
    ("check", {"service": "db", "known": True, "checks": 3, "outcome": "pass"}),
    ("check", {"service": "web", "check": "GET /", "outcome": "pass", "seconds": 0.012}),
    (
        "check",
        {
            "service": "web",
            "check": "GET /x",
            "outcome": "fail",
            "seconds": 0.5,
            "found": "status 500\nmore",
            "file": "stack.toml",
            "line": 9,
        },
    ),
    ("check", {"service": "web", "check": "GET /y", "outcome": "skip", "found": "not yet"}),
    ("rollout", {"rollout": "r1", "stack": "shop"}),
    ("step", {**STEP, "state": "begun"}),
    ("step", {**STEP, "state": "done", "seconds": 0.31}),
    ("step", {"id": "smoke web", "service": "web", "why": "w", "state": "begun"}),
    (
        "step",
        {
            "id": "smoke web",
            "service": "web",
            "why": "w",
            "state": "failed",
            "seconds": 2.0,
            "error": "red\nmore",
        },
    ),
    ("step", {"id": "remove x", "service": "web", "why": "undo", "state": "begun", "undo": True}),
    ("step", {"id": "remove x", "service": "web", "why": "undo", "state": "done", "undo": True}),
    ("log", {"container": "shop-web-a-1", "file": "/state/logs/x.log"}),
    ("warn", {"text": "could not remove y", "hint": "try again"}),
)

PLAIN = """\
   0.0 s  engine    none (needed: to run)
   0.1 s  engine    installed docker.io
   0.2 s  web       pulling debian:trixie-slim
   0.3 s  web       build 1/2 FROM debian
   0.5 s  web       build 2/2 RUN make
   0.6 s  shop      plan: 1 step
   0.7 s  db        3 checks: known green
   0.8 s  web       check GET /: pass (12 ms)
   0.9 s  web       check GET /x: fail (500 ms): stack.toml:9: status 500
   1.0 s  web       check GET /y: skipped (not yet)
   1.1 s  shop      rollout r1
   1.3 s  web       start web 1 (310 ms)
   1.5 s  web       smoke web failed (2.0 s): red
   1.7 s  web       undone: remove x
   1.8 s  shop      the last lines of shop-web-a-1 are in /state/logs/x.log
"""


def events() -> list[Event]:
    return [Event(kind, dict(data), 100.0 + i / 10) for i, (kind, data) in enumerate(EVENTS)]


def told(**options: bool) -> tuple[str, str]:
    out, err = io.StringIO(), io.StringIO()
    reporter = PlainReporter("up", Story("shop"), Output(out), Output(err), **options)
    with reporter:
        for event in events():
            reporter(event)
    return out.getvalue(), err.getvalue()


def test_plain_lines_to_the_letter():
    """One line for each thing that is done, with time and service; warnings to stderr."""
    assert told() == (PLAIN, "warning: could not remove y (try again)\n")


def test_quiet_leaves_warnings_only():
    """--quiet says nothing but warnings and errors."""
    assert told(quiet=True) == ("", "warning: could not remove y (try again)\n")


def test_verbose_says_why_and_every_line():
    """--verbose adds what begins, the reasons, the plan and the builder's own lines."""
    out, _ = told(verbose=True)
    for line in ("start web 1 ...: image changed", "  | cc x.c", "start web 1: image changed"):
        assert line in out


def test_json_has_one_event_a_line():
    """Each line is one object with its event and time."""
    out = io.StringIO()
    with JsonReporter("up", Story("shop"), Output(out), Output(out)) as reporter:
        for event in events():
            reporter(event)
    lines = [json.loads(line) for line in out.getvalue().splitlines()]
    assert [line["event"] for line in lines] == [kind for kind, _ in EVENTS]
    assert lines[3] == {"event": "build", **EVENTS[3][1], "at": 100.3}


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


def live(stack: str = "shop", services: tuple[str, ...] = ("web", "db")) -> LiveReporter:
    out = Terminal()
    return LiveReporter("up", Story(stack, services), Output(out), Output(out))


def test_live_rows_tell_what_each_service_does():
    """A row a service: what it does now, or what it has done with its times."""
    reporter = live()
    for event in events()[:14]:
        reporter.story.take(event)
    rows = [row.plain for row in reporter.rows(200, 40)]
    assert rows[0].startswith("✘ web")
    assert "build" in rows[0]
    assert "start 310 ms" in rows[0]
    assert rows[1].startswith("· db")


@pytest.mark.parametrize("width", [10, 30, 80])
def test_live_rows_fit_narrow_terminals(width):
    """No row is wider than the terminal, however long a build's line is."""
    reporter = live()
    data = {"service": "web", "step": 1, "total": 9, "text": "RUN " + "x" * 300 + "\x1b[2J"}
    reporter.story.take(Event("build", data, 100.0))
    rows = reporter.rows(width, 24)
    assert all(row.cell_len < width for row in rows)
    assert all("\x1b" not in row.plain for row in rows)


def test_live_rows_fit_low_terminals():
    """With more services than lines, those at work are shown and the rest are counted."""
    names = tuple(f"s{number}" for number in range(50))
    reporter = live(services=names)
    reporter.story.take(Event("build", {"service": "s49", "text": "x"}, 100.0))
    rows = [row.plain for row in reporter.rows(80, 10)]
    assert len(rows) <= 9
    assert any("s49" in row for row in rows)
    assert rows[-1] == "  … and 42 more"


def test_live_ends_with_a_summary_and_the_last_word():
    """When it is over the rows are gone, and each service has a line with its times."""
    reporter = live()
    with reporter:
        for event in events()[:14]:
            reporter(event)
        data = {"result": "switched", "services": {"web": {"outcome": "new"}}, "rollout": "r1"}
        reporter(Event("done", data, 110.0))
    said = reporter.out.stream.getvalue()
    assert "shop is up: " in said.rsplit("\x1b", 1)[-1]
    reporter.close()
    assert reporter.out.stream.getvalue() == said


def test_live_with_nothing_to_do_draws_nothing():
    """A run with nothing to do moves no cursor: only its last line is there."""
    reporter = live()
    with reporter:
        reporter(Event("check", {"service": "web", "known": True, "checks": 2, "outcome": "pass"}))
        reporter(Event("plan", {"stack": "shop", "steps": []}))
        data = {"result": "unchanged", "services": {"web": {}}, "seconds": 0.1}
        reporter(Event("done", data))
    assert reporter.out.stream.getvalue() == (
        "✔ nothing to do: 1 service of shop runs as described (100 ms)\n"
    )


def test_events_come_from_many_threads():
    """Lines of many threads never mix."""
    out = io.StringIO()
    reporter = PlainReporter("up", Story("shop"), Output(out), Output(out))

    def say(name: str) -> None:
        for _ in range(200):
            reporter(Event("note", {"text": "x" * 50, "service": name}))

    threads = [threading.Thread(target=say, args=(f"s{number}",)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    lines = out.getvalue().splitlines()
    assert len(lines) == 1600
    assert all(line.endswith(" " + "x" * 50) for line in lines)


@pytest.mark.parametrize(
    ("stream", "env", "options", "kind"),
    [
        (Terminal, {"TERM": "xterm"}, {}, LiveReporter),
        (Terminal, {"TERM": "dumb"}, {}, PlainReporter),
        (Terminal, {"TERM": "xterm"}, {"verbose": True}, PlainReporter),
        (Terminal, {"TERM": "xterm"}, {"json": True}, JsonReporter),
        (io.StringIO, {"TERM": "xterm"}, {}, PlainReporter),
    ],
)
def test_the_style_follows_the_reader(stream, env, options, kind):
    """Live on a terminal that can move its cursor, plain elsewhere, JSON when asked."""
    out = Output(stream())
    assert type(reporter_for("up", Story(), out, out, env=env, **options)) is kind


def test_a_terminal_without_cursor_is_none():
    """TERM=dumb, or no TERM at all, is a terminal that can only print lines."""
    assert not is_terminal(Terminal(), {"TERM": "dumb"})
    assert not is_terminal(Terminal(), {})


def test_colours_only_where_they_are_wanted():
    """Text is painted on an output with colours, and left alone elsewhere."""
    assert Output(io.StringIO(), colour=True).paint("x", "red") == "\x1b[31mx\x1b[0m"
    assert Output(io.StringIO()).paint("x", "red") == "x"


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (0.0017, "1.7 ms"),
        (0.35, "350 ms"),
        (0.9999, "1.0 s"),
        (59.97, "1 min"),
        (125.0, "2 min 5 s"),
    ],
)
def test_durations_read_well(seconds, said):
    """A span is said in the unit that fits, and never as 1000 ms or 60 s."""
    assert duration(seconds) == said


def test_ages_and_sizes_read_well():
    """Ages are coarse, sizes count in thousands."""
    assert [age(s) for s in (5, 300, 7200, 200_000)] == ["5 s", "5 min", "2 h", "2 d"]
    assert [size(n) for n in (12, 1500, 124_000_000, 2_500_000_000)] == [
        "12 B",
        "1.5 kB",
        "124 MB",
        "2.5 GB",
    ]
