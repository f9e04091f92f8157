"""`python -m tests.benchmarks`: run the scenarios, print the table, leave nothing behind."""

from __future__ import annotations

import argparse
import os
import platform
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from containerdeploy.engines.docker import DockerEngine
from containerdeploy.errors import CdeployError
from containerdeploy.stackfile import write_host
from tests.benchmarks import lost, rollouts, start, through
from tests.benchmarks.bench import Bench
from tests.benchmarks.cdeploy import Cdeploy
from tests.benchmarks.command import CommandFailed
from tests.benchmarks.peer import NoPeer, find_compose
from tests.benchmarks.table import Row, markdown
from tests.engine.isolation import isolated_host, leftovers

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.benchmarks.peer import Compose

SCENARIOS: dict[str, Callable[[Bench], Iterator[Row]]] = {
    "line": rollouts.changed_line,
    "idle": rollouts.nothing_to_do,
    "many": rollouts.many,
    "through": through.through_the_edge,
    "lost": lost.lost_requests,
    "start": start.start,
}
BEGIN, END = "<!-- table -->", "<!-- end of table -->"


def main() -> int:
    """Parse, run, print; 1 when a scenario failed or something was left behind."""
    arguments = _arguments()
    rows: list[Row] = []
    failed = False
    engine = DockerEngine()
    try:
        version = engine.info().version
        compose = _peer()
        with isolated_host(engine) as host, tempfile.TemporaryDirectory() as folder:
            write_host(host)
            cdeploy = Cdeploy(host)
            _say("the edge of this instance: cdeploy bootstrap")
            cdeploy("bootstrap")
            bench = Bench(cdeploy, compose, Path(folder), arguments.repeat, _say)
            for name in arguments.only or SCENARIOS:
                begun = time.monotonic()
                try:
                    rows += SCENARIOS[name](bench)
                except (CommandFailed, TimeoutError) as error:
                    _say(f"{name} failed: {error}")
                    failed = True
                _say(f"{name}: {time.monotonic() - begun:.0f} s")
    except CdeployError as error:
        _say(f"{error}\n{error.hint}")
        return 1
    finally:
        engine.close()
    machine = _machine(version, compose.version if compose else "not here", arguments.repeat)
    table = f"{machine}\n\n{markdown(rows)}"
    sys.stdout.write(table)
    if arguments.write and not failed:
        _write(Path(arguments.write), table)
    left = leftovers()
    for line in left:
        _say(f"left behind: {line}")
    return int(failed or bool(left))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument("--repeat", type=int, default=7, help="measurements of each side")
    parser.add_argument("--only", nargs="+", choices=SCENARIOS, help="these scenarios")
    parser.add_argument("--write", metavar="FILE", help="put the table into this document")
    return parser.parse_args()


def _peer() -> Compose | None:
    try:
        compose = find_compose()
    except NoPeer as error:
        _say(f"WITHOUT COMPOSE, so without ratios: {error}")
        return None
    _say(f"Compose {compose.version} from Debian trixie's packages")
    return compose


def _machine(engine: str, compose: str, repeat: int) -> str:
    """Where this was measured, in a sentence."""
    kernel = ".".join(platform.release().split(".")[:2])
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return (
        f"{os.cpu_count()} cores, {memory:.0f} GB, Linux {kernel}, "
        f"Python {platform.python_version()}, Engine {engine}, Compose {compose}; "
        f"medians of {repeat}, in turn, on {time.strftime('%Y-%m-%d')}."
    )


def _write(file: Path, table: str) -> None:
    """Exchange what is between the marks of a document."""
    text = file.read_text()
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    file.write_text(f"{before}{BEGIN}\n{table}\n{END}{after}")
    _say(f"wrote {file}")


def _say(text: str) -> None:
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()


if __name__ == "__main__":
    sys.exit(main())
