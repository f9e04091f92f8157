"""Base images: here, else pulled, else made from Debian's archive.

Where no registry can be reached, ``debian:<suite>[-slim]`` is made by mmdebstrap,
said aloud, and labelled, so that the Dockerfiles stay the same.
"""

from __future__ import annotations

import re
import shutil
import tempfile
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from containerdeploy.bootstrap.apt import Apt
from containerdeploy.bootstrap.base import Finding
from containerdeploy.bootstrap.process import run as run_program
from containerdeploy.errors import HostNotReady, ImageUnavailable
from containerdeploy.events import Event

if TYPE_CHECKING:
    from collections.abc import Callable

    from containerdeploy.bootstrap.process import Ended
    from containerdeploy.engines.base import Engine
    from containerdeploy.events import Emit

REF = "debian:trixie-slim"
WHY = "images are built FROM it, the edge's own among them"
MADE = re.compile(r"debian:(?P<suite>[a-z]+)(-slim)?")
"""References that can be made from Debian's archive: those that name a suite."""
LABEL = "cdeploy.made=mmdebstrap"
MADE_WORDS = ", made from Debian's archive"
FIRST_WORD = 20.0
"""Seconds for a registry to say anything at all."""
PULL_TIMEOUT = 900.0
MAKE_TIMEOUT = 600.0
KEYRING = "debian-archive-keyring"


@dataclass(slots=True)
class BaseImagePiece:
    """One base image, in the engine."""

    connect: Callable[[], Engine]
    ref: str = REF
    apt: Apt = field(default_factory=Apt)
    run: Callable[..., Ended] = run_program
    which: Callable[[str], str | None] = shutil.which
    first_word: float = FIRST_WORD
    pull_timeout: float = PULL_TIMEOUT
    name: str = "base image"

    def check(self) -> Finding:
        """Whether the engine has it."""
        image = self.connect().image(self.ref)
        if image is None:
            cure = f"`cdeploy bootstrap` pulls it, or makes it; or run `docker pull {self.ref}`"
            return Finding(False, f"{self.ref} is not here", WHY, cure)
        key, _, value = LABEL.partition("=")
        made = dict(image.labels).get(key) == value
        return Finding(True, f"{self.ref}{MADE_WORDS if made else ''}")

    def mend(self, emit: Emit) -> str:
        """Pull it, or make it.

        Raises:
            ImageUnavailable: no registry has it, and it is none that can be made.
            HostNotReady: it can't be made here (no mmdebstrap, no archive).
        """
        _say(emit, f"pulling {self.ref}")
        try:
            self._pull(emit)
        except ImageUnavailable as error:
            match = MADE.fullmatch(self.ref)
            if match is None:
                raise
            _say(
                emit,
                f"making {self.ref} from Debian's archive with mmdebstrap, because it "
                f"can't be pulled: {error.message}",
            )
            self._make(match["suite"])
            return f"made {self.ref} from Debian's archive (no registry answered)"
        return f"pulled {self.ref}"

    def _pull(self, emit: Emit) -> None:
        """Pull with a short deadline for the first word, and a long one for the rest.

        The pull runs in a thread of its own, because a registry that drops packets
        keeps the engine silent for minutes; that thread ends with the process.
        """
        heard = threading.Event()
        ended = threading.Event()
        failed: list[BaseException] = []

        def progress(line: str) -> None:
            heard.set()
            _say(emit, line)

        def pull() -> None:
            try:
                self.connect().pull(self.ref, progress)
            except BaseException as error:  # noqa: BLE001 - raised again below, by our caller
                failed.append(error)
            finally:
                heard.set()
                ended.set()

        threading.Thread(target=pull, name=f"pull {self.ref}", daemon=True).start()
        if not heard.wait(self.first_word):
            raise ImageUnavailable(
                f"no registry answered within {self.first_word:.0f} s",
                hint="is there a way out to the registry from the engine?",
            )
        if not ended.wait(self.pull_timeout):
            raise ImageUnavailable(
                f"{self.ref} was not pulled within {self.pull_timeout:.0f} s",
                hint=f"`docker pull {self.ref}` by hand",
            )
        if failed:
            raise failed[0]

    def _make(self, suite: str) -> None:
        if self.which("mmdebstrap") is None:
            keyring = (KEYRING,) if self.apt.known(KEYRING) else ()
            self.apt.install("mmdebstrap", *keyring)
        with tempfile.TemporaryDirectory(prefix="cdeploy-base-") as folder:
            tar = Path(folder) / "root.tar"
            argv = ("mmdebstrap", "--variant=minbase", "--quiet", suite, str(tar))
            ended = self.run(argv, timeout=MAKE_TIMEOUT)
            if ended.code != 0:
                raise HostNotReady(
                    f"{self.ref} can be neither pulled nor made: mmdebstrap failed",
                    hint="a registry or Debian's archive must be in reach; "
                    f"or load it from another machine: `docker save {self.ref} | docker load`",
                    detail=ended.last,
                )
            self.connect().import_image(str(tar), self.ref, command=("bash",), label=LABEL)


def _say(emit: Emit, text: str) -> None:
    emit(Event("bootstrap", {"item": "base image", "state": "doing", "what": text}))
