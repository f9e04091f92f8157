"""Every error that cdeploy raises, as one tree.

    CdeployError
    ├── BadInput            exit 2   the stack file, host.toml or an argument is wrong
    │   └── Conflict        exit 2   two stacks claim the same host, path or port
    ├── ChecksRed           exit 3   a check failed or could not observe
    ├── HostNotReady        exit 4   no engine, no edge, no builder, no state folder
    ├── Locked              exit 5   another cdeploy holds the stack
    ├── Interrupted         exit 130 Ctrl-C or SIGTERM before the switch
    └── Failed              exit 1   the rollout did not go through; the old release serves
        ├── EngineError     exit 1   the engine refused or did not answer
        │   └── NotFound    exit 1   the engine has no such object
        ├── BuildFailed     exit 1   an image could not be built
        ├── ImageUnavailable exit 1  an image could not be found or pulled
        ├── EdgeError       exit 1   the edge refused or did not answer
        ├── CandidateFailed exit 1   a new container died or never became ready
        └── StepTimeout     exit 1   a step passed its deadline

Drivers translate their library's exceptions into these; only the CLI turns
them into exit codes (`containerdeploy.cli.exits`).
"""

from __future__ import annotations

from dataclasses import dataclass


class CdeployError(Exception):
    """An error a user can act on.

    Args:
        message: what happened and where, in one sentence.
        hint: the cure: what to change, or the command to run next.
        detail: further lines (log lines, a builder's last words), printed below.
    """

    def __init__(self, message: str, *, hint: str = "", detail: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.detail = detail


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong with an input file.

    Attributes:
        file: the file as the user named it.
        line: its line, counted from 1; 0 where no line applies.
        key: the dotted key, such as ``service.web.health.path``.
        message: what is wrong and what is allowed.
        hint: the nearest known key or another cure; may be empty.
    """

    file: str
    line: int
    key: str
    message: str
    hint: str = ""

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}" if self.line else self.file
        key = f"{self.key}: " if self.key else ""
        hint = f" ({self.hint})" if self.hint else ""
        return f"{place}: {key}{self.message}{hint}"


class BadInput(CdeployError):
    """What the user gave can't be used; `problems` names all of it at once."""

    def __init__(
        self,
        message: str,
        *,
        problems: tuple[Problem, ...] = (),
        hint: str = "",
        detail: str = "",
    ) -> None:
        super().__init__(message, hint=hint, detail=detail)
        self.problems = problems


class Conflict(BadInput):
    """Two stacks claim the same host, path or port."""


class ChecksRed(CdeployError):
    """At least one check failed, or could not observe."""


class HostNotReady(CdeployError):
    """This host lacks something that a rollout needs; `cdeploy bootstrap` mends it."""


class Locked(CdeployError):
    """Another cdeploy process holds the lock of this stack."""


class Interrupted(CdeployError):
    """The user or the system asked to stop before the switch."""


class Failed(CdeployError):
    """A rollout did not go through; what served before still serves."""


class EngineError(Failed):
    """The container engine refused a request or did not answer."""


class NotFound(EngineError):
    """The engine has no such container, image, network or volume."""


class BuildFailed(Failed):
    """An image could not be built."""


class ImageUnavailable(Failed):
    """An image is neither here nor can it be pulled."""


class EdgeError(Failed):
    """The edge refused a command, a configuration, or did not answer."""


class CandidateFailed(Failed):
    """A new container died or did not become ready."""


class StepTimeout(Failed):
    """A step passed its deadline."""
