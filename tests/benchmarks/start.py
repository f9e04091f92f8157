"""How long the command takes to say what it is."""

from __future__ import annotations

import sys
from functools import partial
from typing import TYPE_CHECKING

from tests.benchmarks.command import run
from tests.benchmarks.table import Row

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.benchmarks.bench import Bench


def start(bench: Bench) -> Iterator[Row]:
    """`--version` and `--help`, beside a Python that does nothing."""
    for option in ("--version", "--help"):
        own, bare = bench.beside(partial(_cdeploy, bench, option), _python)
        yield Row(f"cdeploy {option}", own * 1000, bare * 1000, unit="ms", peer="bare Python")


def _cdeploy(bench: Bench, option: str) -> float:
    return bench.cdeploy(option).seconds


def _python() -> float:
    return run((sys.executable, "-c", "pass")).seconds
