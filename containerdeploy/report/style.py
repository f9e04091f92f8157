"""Which reporter a command gets: live on a terminal, plain in a pipe, JSON when asked."""

from __future__ import annotations

from typing import TYPE_CHECKING

from containerdeploy.report.json_lines import JsonReporter
from containerdeploy.report.output import Output, is_terminal
from containerdeploy.report.plain import PlainReporter

if TYPE_CHECKING:
    from collections.abc import Mapping

    from containerdeploy.report.reporter import Reporter
    from containerdeploy.report.story import Story


def reporter_for(
    command: str,
    story: Story,
    out: Output,
    err: Output,
    *,
    env: Mapping[str, str],
    json: bool = False,
    quiet: bool = False,
    verbose: bool = False,
) -> Reporter:
    """The reporter for these outputs. `rich` is loaded only for the live one."""
    if json:
        return JsonReporter(command, story, out, err)
    if is_terminal(out.stream, env) and not quiet and not verbose:
        from containerdeploy.report.live import LiveReporter

        return LiveReporter(command, story, out, err)
    return PlainReporter(command, story, out, err, quiet=quiet, verbose=verbose)
