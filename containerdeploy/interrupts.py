"""Ctrl-C and SIGTERM at a place of our choosing: asked for, not thrown into the middle.

Python raises KeyboardInterrupt between any two instructions of the main thread, inside
`Thread.start` or a database write too (docs.python.org/3/library/signal.html, "Note on
Signal Handlers and Exceptions"). Here the first signal is only noted, and told by a call;
a second one means now.
"""

from __future__ import annotations

import signal
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import FrameType

SIGNALS = (signal.SIGINT, signal.SIGTERM)


@contextmanager
def interrupts(told: Callable[[], None]) -> Iterator[None]:
    """Call `told` on the first signal; raise KeyboardInterrupt on every further one.

    Args:
        told: runs in a signal handler: it may only do what is reentrant, such as
            `queue.SimpleQueue.put`.

    Outside of the main thread, where no signal arrives, nothing is changed.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    seen = 0

    def handler(_signal: int, _frame: FrameType | None) -> None:
        nonlocal seen
        seen += 1
        if seen > 1:
            raise KeyboardInterrupt
        told()

    before = {number: signal.signal(number, handler) for number in SIGNALS}
    try:
        yield
    finally:
        for number, known in before.items():
            signal.signal(number, known)
