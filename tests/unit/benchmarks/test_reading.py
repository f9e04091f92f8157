"""What the benchmarks read and print: a figure that is misread would be a wrong promise."""

from __future__ import annotations

import tomllib

import pytest

from tests.benchmarks.command import CommandFailed
from tests.benchmarks.files import Project
from tests.benchmarks.table import Row, markdown
from tests.benchmarks.through import Seen, seen_by_wrk

WRK = """\
Running 4s test @ http://127.0.0.1:8080/
  1 threads and 50 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency     1.02ms    2.03ms  44.40ms   95.46%
    Req/Sec    65.10k     7.20k   75.33k    70.00%
  Latency Distribution
     50%  684.00us
     75%    0.98ms
     90%    1.60ms
     99%    1.05s
  259237 requests in 4.00s, 39.80MB read
Requests/sec:  64781.20
Transfer/sec:      9.94MB
"""


def test_the_figures_of_wrk_are_read_in_milliseconds():
    """wrk changes its unit from line to line; all become milliseconds."""
    assert seen_by_wrk(WRK) == Seen(rate=64781.20, p50=0.684, p99=1050.0)


def test_anything_else_than_wrk_is_no_figure():
    """Words of an error are not taken for a measurement."""
    with pytest.raises(CommandFailed, match="unable to connect"):
        seen_by_wrk("unable to connect to 127.0.0.1:8080 Connection refused")


@pytest.mark.parametrize(
    ("row", "reached"),
    [
        (Row("x", 1.0, 1.0, goal=1.25), True),
        (Row("x", 1.3, 1.0, goal=1.25), False),
        (Row("x", 9.0, None, goal=1.25), None),
        (Row("x", 4.9, unit="ms", limit=5), True),
        (Row("x", 5.1, unit="ms", limit=5), False),
        (Row("x", 0, 900, unit="", limit=0), True),
        (Row("x", 1.0, 2.0), None),
    ],
)
def test_a_goal_is_about_the_ratio_and_a_limit_about_our_own_value(row, reached):
    """Without Compose a goal is neither reached nor missed."""
    assert row.reached is reached


def test_the_table_is_markdown_that_reads_as_text():
    """Columns are aligned, a missed goal is bold, and empty cells stay empty."""
    rows = [Row("a", 1.5, 1.0, goal=1.25), Row("bb", 0.5, unit="ms", limit=5)]

    assert markdown(rows).splitlines() == [
        "| what | cdeploy | beside      | ratio | goal   |            |",
        "| ---- | ------- | ----------- | ----- | ------ | ---------- |",
        "| a    | 1.5 s   | 1 s Compose | 1.50  | ≤ 1.25 | **missed** |",
        "| bb   | 0.5 ms  |             |       | ≤ 5 ms | reached    |",
    ]


def test_a_changed_line_is_one_line_and_both_sides_build_it(tmp_path):
    """The change is in the folder that stack.toml and compose.yaml both build."""
    project = Project(tmp_path / "p", "bench", services=2, port=4711, checks=True)
    before = project.source.read_text().splitlines()

    project.change_line("line-1")

    after = project.source.read_text().splitlines()
    changed = [(a, b) for a, b in zip(before, after, strict=True) if a != b]
    assert [b for _, b in changed] == ['RELEASE = os.environ.get("RELEASE", "line-1")']
    stack = tomllib.loads(project.stack.read_text())
    assert {service["build"] for service in stack["service"].values()} == {"app"}
    assert project.compose.read_text().count("build: app") == 2
    assert project.compose.read_text().count("127.0.0.1:4711:8000") == 1


def test_changed_settings_change_every_service_of_both(tmp_path):
    """A new revision makes a new release of each service, and Compose recreates each."""
    project = Project(tmp_path / "p", "bench", services=3)

    project.change_settings()

    assert project.stack.read_text().count('REVISION = "1"') == 3
    assert project.compose.read_text().count('REVISION: "1"') == 3
