"""One run of cdeploy: its options, its outputs, this host, and how it ends."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from containerdeploy.cli.exits import code_of
from containerdeploy.report.output import Output, is_terminal, outputs
from containerdeploy.report.story import Story

if TYPE_CHECKING:
    from collections.abc import Mapping

    from containerdeploy.errors import CdeployError
    from containerdeploy.host import Host
    from containerdeploy.report.reporter import Reporter
    from containerdeploy.site import Site
    from containerdeploy.stack import Stack


@dataclass
class Session:
    """What every command works with.

    Attributes:
        env: the environment of this process.
        command: the command that runs; "" before it is known.
        json, quiet, verbose, colour, host_file: the global options.
    """

    env: Mapping[str, str]
    command: str = ""
    json: bool = False
    quiet: bool = False
    verbose: bool = False
    colour: bool | None = None
    host_file: str = ""
    _story: Story = field(default_factory=Story)
    _reporter: Reporter | None = None
    _host: Host | None = None
    _site: Site | None = None

    # -- what is worked on ---------------------------------------------------------

    @property
    def host(self) -> Host:
        """This host's settings; raises BadInput when host.toml is wrong."""
        if self._host is None:
            from containerdeploy.stackfile import load_host

            file = Path(self.host_file) if self.host_file else None
            self._host = load_host(file, self.env)
        return self._host

    def settle(self, host: Host) -> None:
        """These are this host's settings from now on."""
        self._host, self._site = host, None

    @property
    def known_state(self) -> Path | None:
        """The state folder, when the host's settings have been read."""
        return self._host.state if self._host else None

    @property
    def site(self) -> Site:
        """This host with its engine, edge and ledger."""
        if self._site is None:
            from containerdeploy.site import Site

            self._site = Site(self.host)
        return self._site

    def load(self, file: Path, environment: str) -> Stack:
        """The stack of a file, with the overlay that was asked for or that this host has.

        Raises BadInput with everything that is wrong.
        """
        from containerdeploy.stackfile import load_stack

        return load_stack(
            file,
            environment=environment,
            default_environment=self.host.environment,
            env=self.env,
        )

    # -- what is said ----------------------------------------------------------------

    def outputs(self) -> tuple[Output, Output]:
        """Standard output and standard error, as the options want them."""
        return outputs(colour=self.colour, env=self.env)

    def reporter(self, stack: str = "", services: tuple[str, ...] = ()) -> Reporter:
        """For a command whose events are what it brings: they go to standard output."""
        out, err = self.outputs()
        return self._report(stack, services, out, err, json=self.json)

    def watcher(self, stack: str = "", services: tuple[str, ...] = ()) -> Reporter:
        """For a command that prints a result when its work is done.

        Progress shows on a terminal and goes to standard error otherwise, so that a
        pipe gets the result only.
        """
        out, err = self.outputs()
        where = out if is_terminal(out.stream, self.env) and not self.json else err
        return self._report(stack, services, where, err, json=False)

    def _report(
        self, stack: str, services: tuple[str, ...], out: Output, err: Output, *, json: bool
    ) -> Reporter:
        from containerdeploy.report.style import reporter_for

        self._story = Story(stack, services)
        self._reporter = reporter_for(
            self.command,
            self._story,
            out,
            err,
            env=self.env,
            json=json,
            quiet=self.quiet or (self.json and not json),
            verbose=self.verbose,
        )
        return self._reporter

    def show(self, lines: list[str]) -> None:
        """Print a result."""
        out, _ = self.outputs()
        for line in lines:
            out.line(line)

    def show_json(self, value: Any) -> None:
        """Print a result for a machine: one object on one line."""
        from containerdeploy.report.json_lines import to_line

        self.show([to_line(value)])

    def fail(self, error: CdeployError, *, code: int | None = None) -> int:
        """Say what went wrong, as the last word; the exit code (by the error's class)."""
        from containerdeploy.report.errors import error_event, error_lines, failed_event

        code = code_of(error) if code is None else code
        if self._reporter is not None:
            self._story.last = None
            self._reporter.close()
        _, err = self.outputs()
        if self.json:
            self.show_json(error_event(error, code).to_json())
            self.show_json(failed_event(error, self._story).to_json())
        else:
            for line in error_lines(error, err):
                err.line(line)
        return code
