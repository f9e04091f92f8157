"""Removing what tests made, while the work goes on."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import TYPE_CHECKING

from containerdeploy.errors import CdeployError
from containerdeploy.events import Event

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from types import TracebackType

    from containerdeploy.events import Emit

WORKERS = 4


class Removals:
    """Removes things in the background. A context manager; `close` must come before the
    process ends, and waits until everything is gone.

    Args:
        emit: told with a ``warn`` event what could not be removed.
    """

    def __init__(self, emit: Emit) -> None:
        self._emit = emit
        self._pool = ThreadPoolExecutor(WORKERS, thread_name_prefix="cdeploy-remove")
        self._last: list[tuple[str, Callable[[], None]]] = []
        self._under_way: list[Future[None]] = []

    def remove(self, steps: Sequence[tuple[str, Callable[[], None]]]) -> None:
        """Do these steps (what is removed, and how) one after another, some time soon.

        A step that fails is reported; the others are done all the same.
        """
        self._under_way.append(self._pool.submit(self._walk, tuple(steps)))

    def at_last(self, what: str, step: Callable[[], None]) -> None:
        """Do this in `close`, when everything else is removed; the latest such step first."""
        self._last.append((what, step))

    def nothing_more(self) -> None:
        """Nothing further comes: what was kept for the end is done once all else is removed,
        in the background as well."""
        earlier, last = tuple(self._under_way), tuple(self._last[::-1])
        self._last = []
        self._under_way.append(self._pool.submit(self._after, earlier, last))

    def _after(
        self, earlier: tuple[Future[None], ...], steps: tuple[tuple[str, Callable[[], None]], ...]
    ) -> None:
        wait(earlier)
        self._walk(steps)

    def close(self) -> None:
        """Wait until everything is removed. Raises nothing for what could not be."""
        self._pool.shutdown(wait=True)
        steps, self._last = self._last[::-1], []
        self._walk(tuple(steps))
        for done in self._under_way:
            done.result()

    def _walk(self, steps: tuple[tuple[str, Callable[[], None]], ...]) -> None:
        for what, step in steps:
            try:
                step()
            except CdeployError as error:
                text = f"{what} could not be removed: {error.message}"
                hint = "the next test run tries again"
                self._emit(Event("warn", {"text": text, "hint": hint}))

    def __enter__(self) -> Removals:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
