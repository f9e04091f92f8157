"""One build, from its start to an image id or to a message that names the failing line."""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import subprocess
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from containerdeploy.errors import BuildFailed, Interrupted, StepTimeout
from containerdeploy.events import Event
from containerdeploy.images.builder import find_builder
from containerdeploy.images.digest import dockerfile_text
from containerdeploy.images.dockerfile import line_of
from containerdeploy.images.progress import Progress

if TYPE_CHECKING:
    import threading
    from collections.abc import Mapping

    from containerdeploy.events import Emit
    from containerdeploy.images.builder import Builder
    from containerdeploy.stack import Build

TIMEOUT = 3600.0
"""Seconds that a build may take."""
LOOK = 0.1
"""Seconds between looks at whether the build was called off while it is silent."""
GRACE = 5.0


def build_image(
    build: Build,
    *,
    service: str,
    tags: tuple[str, ...],
    labels: Mapping[str, str],
    emit: Emit,
    builder: Builder | None = None,
    cancel: threading.Event | None = None,
    no_cache: bool = False,
    timeout: float = TIMEOUT,
) -> str:
    """Build an image with BuildKit; returns its id (``sha256:...``).

    Emits ``build`` events: ``service``, ``stage``, ``step``, ``total``, ``text`` (the
    instruction), and ``output`` for a line of its output.

    Args:
        service: for messages and events.
        cancel: when set, the build is ended.
        timeout: seconds for the whole build.

    Raises:
        BuildFailed: names service, Dockerfile, line and instruction; the last lines of
            output are its detail.
        Interrupted, StepTimeout, HostNotReady.
    """
    builder = builder or find_builder()
    with tempfile.TemporaryDirectory(prefix="cdeploy-build-") as folder:
        iidfile = Path(folder) / "id"
        argv, environ = builder.command(
            build, tags=tags, labels=labels, iidfile=str(iidfile), no_cache=no_cache
        )
        progress = Progress()
        code = _run(argv, environ, service, progress, emit, cancel, timeout)
        if code == 0 and iidfile.exists():
            return iidfile.read_text(encoding="ascii").strip()
    raise _failure(build, service, progress, code, builder)


def _run(
    argv: list[str],
    environ: dict[str, str],
    service: str,
    progress: Progress,
    emit: Emit,
    cancel: threading.Event | None,
    timeout: float,
) -> int:
    """Run the builder in a process group of its own, which is ended however this ends."""
    deadline = time.monotonic() + timeout
    process = subprocess.Popen(
        argv,
        env=environ,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    out = process.stdout
    assert out is not None  # noqa: S101 - it was asked for
    try:
        with selectors.DefaultSelector() as selector:
            selector.register(out, selectors.EVENT_READ)
            rest = b""
            while True:
                if cancel is not None and cancel.is_set():
                    raise Interrupted(f"the build of {service} was called off")
                if time.monotonic() > deadline:
                    raise StepTimeout(
                        f"the build of {service} took more than {timeout:g} s",
                        hint=f"it was busy with: {progress.current}",
                    )
                if not selector.select(LOOK):
                    continue
                data = os.read(out.fileno(), 65536)
                if not data:
                    break
                *lines, rest = (rest + data).split(b"\n")
                for line in lines:
                    _tell(service, progress, line, emit)
            _tell(service, progress, rest, emit)
        return process.wait(timeout=max(GRACE, deadline - time.monotonic()))
    finally:
        _end(process)
        out.close()


def _tell(service: str, progress: Progress, line: bytes, emit: Emit) -> None:
    said = progress.take(line.decode(errors="replace"))
    if said is None:
        return
    step, output = said
    data = {
        "service": service,
        "stage": step.stage,
        "step": step.step,
        "total": step.total,
        "text": step.text,
    }
    emit(Event("build", {**data, **({"output": output} if output else {})}))


def _end(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is not None:
        return
    for ask in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):  # it has just ended
            os.killpg(process.pid, ask)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(GRACE)
            return


def _failure(
    build: Build, service: str, progress: Progress, code: int, builder: Builder
) -> BuildFailed:
    step = progress.failed
    if step is None:
        return BuildFailed(
            f"{service}: the image can't be built from {build.dockerfile}",
            hint=f"the builder ({builder.name}) ended with exit code {code}; its last lines are "
            "below",
            detail=progress.words,
        )
    line = progress.line or line_of(dockerfile_text(build), step.text)
    place = f"{build.dockerfile}:{line}" if line else build.dockerfile
    return BuildFailed(
        f"{service}: {place}: the build failed at: {step.text}",
        hint="correct that instruction or what it copies; its last lines are below",
        detail=progress.words,
    )
