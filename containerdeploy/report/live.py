"""Events on a terminal: a row for each service with what it does now, and for how long."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from rich.console import Console, Group
from rich.live import Live
from rich.spinner import Spinner
from rich.text import Text

from containerdeploy.report.plain import bootstrap_text, check_text, warning_text
from containerdeploy.report.reporter import Reporter
from containerdeploy.report.words import duration, printable

if TYPE_CHECKING:
    from rich.console import ConsoleOptions, RenderResult

    from containerdeploy.events import Event
    from containerdeploy.report.output import Output
    from containerdeploy.report.story import Finished, Story, Track

REFRESH = 10
"""Pictures a second."""
ROOM = 2
"""Lines of the terminal that are left free, for the cursor and the count of hidden rows."""


class LiveReporter(Reporter):
    """Rows that move while work is going on, a compact summary when it is done.

    The rows begin with the first work: a run with nothing to do shows its last
    line only.
    """

    def __init__(self, command: str, story: Story, out: Output, err: Output) -> None:
        super().__init__(command, story, out, err)
        self._console = Console(
            file=out.stream, no_color=not out.colour, highlight=False, soft_wrap=False
        )
        self._spinner = Spinner("dots")
        self._live: Live | None = None

    def show(self, event: Event) -> None:
        """Move the rows; say what is worth a line of its own above them."""
        if event.event == "warn":
            self._above(Text(f"warning: {warning_text(event.data)}", style="yellow"))
        elif event.event == "note":
            service = event.data.get("service", "")
            text = printable(str(event.data.get("text", "")))
            self._above(Text(f"{service}: {text}" if service else text))
        elif event.event == "log":
            text = f"the last lines of {event.data['container']} are kept in {event.data['file']}"
            self._above(Text(text, style="dim"))
        elif event.event == "check":
            self._check(event)
        elif event.event == "bootstrap":
            self._bootstrap(event)
        if self._live is None and any(track.doing for track in self.story.tracks.values()):
            self._start()

    def close(self) -> None:
        """Take the rows away, leave a line for each service that was worked on, and end."""
        with self._lock:
            self._leave()
            super().close()

    def _leave(self) -> None:
        if self._live is None:
            return
        live, self._live = self._live, None
        live.stop()
        self.story.built(self.story.latest)
        for track in self.story.tracks.values():
            if track.finished or track.failed or track.undone:
                self._console.print(_summary(track, self._wide()), overflow="fold")

    def _start(self) -> None:
        self._live = Live(
            _Rows(self),
            console=self._console,
            refresh_per_second=REFRESH,
            transient=True,
            redirect_stdout=False,
            redirect_stderr=False,
        )
        self._live.start()

    def _above(self, text: Text) -> None:
        self._console.print(text, overflow="fold")

    def _check(self, event: Event) -> None:
        if event.data.get("outcome") in ("fail", "error", "skip"):
            service = event.data.get("service", "")
            self._above(Text.from_ansi(f"{service}: {check_text(event.data, self.out)}"))

    def _bootstrap(self, event: Event) -> None:
        if event.data.get("state") in ("missing", "done", "failed"):
            self._above(Text(f"{event.data.get('item', '')}: {bootstrap_text(event.data)}"))

    def _wide(self) -> int:
        return max((len(name) for name in self.story.tracks), default=0)

    def rows(self, width: int, height: int) -> list[Text]:
        """The rows as they stand, those at work first where there are too many.

        Called by the refreshing thread: takes the lock.
        """
        with self._lock:
            tracks = list(self.story.tracks.values())
            room = max(1, height - ROOM)
            hidden = 0
            if len(tracks) > room:
                order = sorted(tracks, key=lambda t: (not t.failed, not t.doing))
                chosen = {track.name for track in order[:room]}
                hidden = len(tracks) - room
                tracks = [track for track in tracks if track.name in chosen]
            now, wide = time.time(), self._wide()
            frame = self._spinner.render(time.monotonic())
            mark = frame if isinstance(frame, Text) else Text("*")
            rows = [_row(track, wide, mark, now) for track in tracks]
            if hidden:
                rows.append(Text(f"  … and {hidden} more", style="dim"))
            for row in rows:
                row.truncate(max(1, width - 1), overflow="ellipsis")
            return rows


class _Rows:
    """What `Live` draws: asks for the rows anew each time, so a resize is followed."""

    def __init__(self, reporter: LiveReporter) -> None:
        self._reporter = reporter

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        yield Group(*self._reporter.rows(options.max_width, console.size.height))


def _row(track: Track, wide: int, mark: Text, now: float) -> Text:
    row = Text(no_wrap=True)
    if track.doing:
        row.append_text(mark.copy())
    else:
        row.append_text(_mark(track))
    row.append(f" {track.name:<{wide}} ", style="bold")
    if track.doing:
        since = min(doing.begun for doing in track.doing.values())
        texts = ", ".join(doing.text for doing in track.doing.values())
        row.append(f" {duration(max(0.0, now - since)):>7}  ", style="cyan")
        row.append(texts)
        if track.finished:
            row.append("  ")
    elif track.failed:
        row.append(f" {track.failed} failed  ", style="red")
    row.append(_finished(track), style="dim")
    return row


def _mark(track: Track) -> Text:
    if track.failed:
        return Text("✘", style="red")
    if track.undone:
        return Text("↩", style="yellow")
    if track.finished:
        return Text("✔", style="green")
    return Text("·", style="dim")


def _summary(track: Track, wide: int) -> Text:
    row = _mark(track)
    row.append(f" {track.name:<{wide}} ", style="bold")
    if track.failed:
        row.append(f" {track.failed} failed; " if track.finished else f" {track.failed} failed")
    row.append(_finished(track), style="dim")
    if track.undone:
        row.append("; undone", style="dim")
    return row


def _finished(track: Track) -> str:
    return " · ".join(_piece(word, done) for word, done in track.finished.items())


def _piece(word: str, done: Finished) -> str:
    times = f" x{done.count}" if done.count > 1 else ""
    return f"{word}{times} {duration(done.seconds)}"
