"""A stack file, read: TOML and an environment in, a `Stack` or every problem out."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, TypeVar

from containerdeploy.stack import Service, Stack
from containerdeploy.stackfile import values
from containerdeploy.stackfile.checks import parse_checks
from containerdeploy.stackfile.interpolate import fill
from containerdeploy.stackfile.overlay import merged
from containerdeploy.stackfile.problems import Problems, Wrong, nearest, shown
from containerdeploy.stackfile.table import read_table, unknown
from containerdeploy.stackfile.toml import read_toml

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path as FilePath

    from containerdeploy.check import Check
    from containerdeploy.stackfile.problems import Path
    from containerdeploy.stackfile.table import Table

_T = TypeVar("_T", bound="Table")
SECTIONS = ("stack", "service", "environment")


def load_stack(
    path: FilePath,
    *,
    environment: str = "",
    default_environment: str = "",
    env: Mapping[str, str],
    kinds: Mapping[str, type[Check]] | None = None,
) -> Stack:
    """The stack that a file describes.

    Args:
        path: the stack file; paths inside it are relative to its folder.
        environment: the name of the overlay to lay over the services; "" for none.
        default_environment: the overlay when none is asked for (the host's), laid over
            the services only where the file has it.
        env: what ``${NAME}`` stands for.
        kinds: the kinds of checks; those of `containerdeploy.checks.kinds` by default.

    Raises:
        BadInput: with everything that is wrong, by file and line.
    """
    if kinds is None:
        from containerdeploy.checks.kinds import KINDS

        kinds = KINDS
    document = read_toml(path, missing_hint="cdeploy init writes a first one")
    problems = Problems(document.file, document.lines)
    return _Reading(document.data, problems, env, kinds).stack(
        path, environment, default_environment
    )


class _Reading:
    """One reading of one file."""

    def __init__(
        self,
        data: dict[str, Any],
        problems: Problems,
        env: Mapping[str, str],
        kinds: Mapping[str, type[Check]],
    ) -> None:
        self._data = data
        self._problems = problems
        self._env = env
        self._kinds = kinds

    def stack(self, path: FilePath, environment: str, default: str) -> Stack:
        """The whole story: sections, overlays, variables, tables, services, rules."""
        for key in self._data:
            if key not in SECTIONS:
                self._problems.add_all((), [unknown(key, list(SECTIONS))], self._data)
        base = self._tables(self._data.get("service"), ("service",), "services")
        overlays = self._overlays(base)
        environment = environment or (default if default in overlays else "")
        written = self._lay(base, overlays, environment)
        name = self._name()
        filled = fill(written, self._env, self._unfilled, ("service",))
        services = self._services(filled, written, os.path.abspath(path.parent))  # noqa: PTH100
        for other, tables in overlays.items():
            if other != environment:
                self._unused(other, tables)
        self._problems.check()
        return Stack(name, tuple(services), file=self._problems.file, environment=environment)

    def _name(self) -> str:
        from containerdeploy.stackfile.subtables import StackTable

        if "stack" not in self._data:
            self._problems.add(("stack",), "is missing", 'begin with [stack] and name = "..."')
            return ""
        raw = self._data["stack"]
        if not isinstance(raw, dict):
            self._problems.add(("stack",), f"should be a table, not {shown(raw)}")
            return ""
        filled = fill(raw, self._env, self._unfilled, ("stack",))
        table, _ = self._read(StackTable, filled, raw, ("stack",))
        return "" if table is None else table.name

    def _tables(self, raw: Any, place: Path, what: str) -> dict[str, dict[str, Any]]:
        """The tables below a section, by their names; what is none is told and left out."""
        if raw is None:
            return {}
        if not isinstance(raw, dict):
            message = f"should be a table of {what} such as [{place[-1]}.web], not {shown(raw)}"
            self._problems.add(place, message)
            return {}
        found = {}
        for name, table in raw.items():
            if isinstance(table, dict):
                found[name] = table
            else:
                self._problems.add((*place, name), f"should be a table, not {shown(table)}")
        return found

    def _overlays(self, base: Mapping[str, Any]) -> dict[str, dict[str, dict[str, Any]]]:
        """The overlays by environment and service."""
        found: dict[str, dict[str, dict[str, Any]]] = {}
        environments = self._tables(self._data.get("environment"), ("environment",), "environments")
        for name, raw in environments.items():
            place: Path = ("environment", name)
            for key in raw:
                if key != "service":
                    self._problems.add_all(place, [unknown(key, ["service"])], raw)
            found[name] = self._tables(raw.get("service"), (*place, "service"), "services")
            for service, table in list(found[name].items()):
                if service not in base and not {"build", "image"} & set(table):
                    message = "there is no such service to lay this over, and it has no image"
                    hint = nearest(service, base)
                    self._problems.add((*place, "service", service), message, hint)
                    del found[name][service]
        return found

    def _lay(
        self,
        base: dict[str, dict[str, Any]],
        overlays: Mapping[str, dict[str, dict[str, Any]]],
        environment: str,
    ) -> dict[str, dict[str, Any]]:
        if not environment:
            return base
        if environment not in overlays:
            known = ", ".join(overlays) or "none"
            hint = nearest(environment, overlays)
            message = f'there is no environment "{environment}" in this file; there are: {known}'
            self._problems.add(("environment",), message, hint)
            return base
        place: Path = ("environment", environment, "service")
        result, moved = merged(base, overlays[environment], at=("service",), written=place)
        self._problems.moved(moved)
        return result

    def _services(
        self, filled: dict[str, Any], written: dict[str, Any], folder: str
    ) -> list[Service]:
        from containerdeploy.stackfile.convert import Converter
        from containerdeploy.stackfile.model import ServiceTable
        from containerdeploy.stackfile.rules import Rules

        if not self._data.get("service", {}) and not filled:
            self._problems.add(("service",), "is missing", "describe a service: [service.web]")
        converter = Converter(folder, self._problems)
        found: dict[str, Service] = {}
        broken: dict[str, set[str]] = {}
        for name, raw in filled.items():
            place: Path = ("service", name)
            self._check_name(name, place)
            table, broken[name] = self._read(ServiceTable, raw, written[name], place)
            if table is None:
                continue
            shown_test = written[name].get("test", {})
            checks = parse_checks(
                table.test, shown_test, (*place, "test"), self._kinds, self._problems
            )
            found[name] = converter.service(name, table, checks, broken[name])
        Rules(found, set(filled), self._problems, broken).check()
        return list(found.values())

    def _unused(self, environment: str, tables: Mapping[str, dict[str, Any]]) -> None:
        """Read an overlay that is not chosen, for its own mistakes.

        Its variables need not be set: this run does not need them.
        """
        from containerdeploy.stackfile.model import ServiceTable

        for name, written in tables.items():
            place: Path = ("environment", environment, "service", name)
            self._check_name(name, place)
            filled = fill(written, self._env, lambda at, *_: self._problems.silence(at), place)
            table, _ = self._read(ServiceTable, filled, written, place, partial=True)
            if table is not None:
                test = written.get("test", {})
                parse_checks(
                    table.test, test, (*place, "test"), self._kinds, self._problems, partial=True
                )

    def _check_name(self, name: str, place: Path) -> None:
        try:
            values.service_name(name)
        except Wrong as wrong:
            self._problems.add(place, wrong.message, wrong.hint)

    def _read(
        self,
        model: type[_T],
        raw: dict[str, Any],
        written: dict[str, Any],
        place: Path,
        *,
        partial: bool = False,
    ) -> tuple[_T | None, set[str]]:
        """A table of the language, and its keys that could not be read.

        Those are told and left out, so that the rest can be judged too.
        """
        table, wrongs, broken = read_table(model, raw, partial=partial)
        self._problems.add_all(place, wrongs, written)
        return table, broken | {key for key in raw if self._problems.silent((*place, key))}

    def _unfilled(self, place: Path, message: str, hint: str) -> None:
        self._problems.add(place, message, hint)
        self._problems.silence(place)
