"""One expectation on an image or a container, and what came of it."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping


class Outcome(StrEnum):
    """What a check came to. `ERROR` means it could not observe: never a pass."""

    PASS = "pass"
    FAIL = "fail"
    ERROR = "error"
    SKIP = "skip"


class Phase(StrEnum):
    """When a check can run: on the image or an unstarted container, or on a running one."""

    IMAGE = "image"
    RUNTIME = "runtime"


@dataclass(frozen=True, slots=True)
class Verdict:
    """The outcome of one check on one subject.

    Attributes:
        outcome: pass, fail, error or skip.
        expected: what the check asked for, in words.
        found: what was there instead, or why nothing could be seen.
        seconds: how long the check took, waiting included.
    """

    outcome: Outcome
    expected: str = ""
    found: str = ""
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP response as a check sees it. Header names are lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Ran:
    """What a command in a container came to; `exit_code` is None when it could not be run."""

    exit_code: int | None
    stdout: str
    stderr: str


@dataclass(frozen=True, slots=True)
class PathInfo:
    """A path inside a container. `mode` has permission bits only (no type bits)."""

    path: str
    type: str  # "file", "directory", "link" or "other"
    mode: int
    size: int
    link_target: str = ""
    uid: int | None = None
    gid: int | None = None


@dataclass(frozen=True, slots=True)
class ImageInfo:
    """What the engine says of an image; `id` is its content address (``sha256:...``)."""

    id: str
    tags: tuple[str, ...] = ()
    entrypoint: tuple[str, ...] = ()
    command: tuple[str, ...] = ()
    env: tuple[str, ...] = ()
    labels: tuple[tuple[str, str], ...] = ()
    user: str = ""
    workdir: str = ""
    exposed_ports: tuple[str, ...] = ()
    volumes: tuple[str, ...] = ()
    has_healthcheck: bool = False
    size: int = 0
    layers: tuple[str, ...] = ()
    architecture: str = ""


class CannotObserve(Exception):
    """Raised by a subject when it could not look: the check's outcome is then ERROR."""


class Subject(Protocol):
    """What a check looks at. Every method raises `CannotObserve` when it can't see."""

    @property
    def image(self) -> ImageInfo:
        """The image under test."""
        ...

    def stat(self, path: str) -> PathInfo | None:
        """The path inside the container, or None when nothing is there."""
        ...

    def read(self, path: str) -> bytes:
        """The content of a regular file."""
        ...

    def run(self, argv: tuple[str, ...], *, user: str, timeout: float) -> Ran:
        """Run a command inside the container, without a shell."""
        ...

    def http(
        self,
        method: str,
        path: str,
        *,
        headers: Mapping[str, str],
        body: bytes | None,
        timeout: float,
    ) -> Answer:
        """One HTTP request to the service's port; redirects are not followed."""
        ...

    def exited(self) -> str:
        """Why the container is gone (exit code, OOM), or "" while it runs."""
        ...


@dataclass(frozen=True, kw_only=True)
class Check:
    """One expectation. A kind subclasses this, adds its keys as fields, and writes `judge`.

    A field is a key of the stack file; its `Annotated` text documents the key
    (`containerdeploy.checks.kinds.docs`). `file` and `line` are no keys.

    Attributes:
        file: the stack file that holds it.
        line: its line in that file, from 1.
    """

    kind: ClassVar[str]
    phase: ClassVar[Phase]
    # Read by whoever validates with pydantic; a misspelt key must not be ignored.
    __pydantic_config__: ClassVar[dict[str, Any]] = {"extra": "forbid"}

    name: Annotated[str, "what you call this check; the kind's own words when empty"] = ""
    skip: Annotated[str, "a reason not to run it; it is then reported as skipped"] = ""
    timeout: Annotated[float, "seconds that it may take, waiting included"] = 10.0
    file: str = ""
    line: int = 0

    def title(self) -> str:
        """The check in a few words, such as ``http GET /healthz``."""
        raise NotImplementedError

    def judge(self, subject: Subject) -> Verdict:
        """Look once or until the timeout, and judge.

        Raises:
            CannotObserve: the subject could not look; the verdict is then an error.
        """
        raise NotImplementedError

    def problems(self) -> list[tuple[str, str]]:
        """What is wrong with the check as it was written, beyond its types: (key, message).

        An empty key means the check as a whole.
        """
        return []

    def content(self) -> dict[str, Any]:
        """Everything that the check asks for; not where it was written."""
        fields = dataclasses.asdict(self)
        return {"kind": self.kind} | {
            key: value for key, value in fields.items() if key not in ("file", "line")
        }


def digest(checks: tuple[Check, ...]) -> str:
    """The identity of a set of checks: same checks in the same order, same digest."""
    text = json.dumps([check.content() for check in checks], sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


@dataclass(frozen=True, slots=True)
class CheckResult:
    """A check of a service together with its verdict.

    Attributes:
        log: the container's last lines when the result is red and there was one.
    """

    service: str
    check: Check
    verdict: Verdict
    log: str = ""

    @property
    def red(self) -> bool:
        """Whether this result stops a rollout."""
        return self.verdict.outcome in (Outcome.FAIL, Outcome.ERROR)
