"""Exit codes: what a script learns without reading."""

from __future__ import annotations

from containerdeploy.errors import (
    BadInput,
    CdeployError,
    ChecksRed,
    HostNotReady,
    Interrupted,
    Locked,
)

DONE = 0
FAILED = 1
BAD_INPUT = 2
RED = 3
NOT_READY = 4
LOCKED = 5
BUG = 70
INTERRUPTED = 130

MEANINGS = {
    DONE: "done, or nothing was to be done",
    FAILED: "failed; what served before still serves",
    BAD_INPUT: "bad input: the stack file, host.toml, an argument or an option",
    RED: "checks are red; nothing was switched",
    NOT_READY: "this host is not ready; `cdeploy bootstrap` mends it",
    LOCKED: "another cdeploy is at work on this stack",
    BUG: "a bug in cdeploy; the message says where its traceback is",
    INTERRUPTED: "interrupted by Ctrl-C or SIGTERM",
}

_BY_CLASS: tuple[tuple[type[CdeployError], int], ...] = (
    (BadInput, BAD_INPUT),
    (ChecksRed, RED),
    (HostNotReady, NOT_READY),
    (Locked, LOCKED),
    (Interrupted, INTERRUPTED),
)


def code_of(error: CdeployError) -> int:
    """The exit code of an error, by its class (the tree in `containerdeploy.errors`)."""
    return next((code for kind, code in _BY_CLASS if isinstance(error, kind)), FAILED)
