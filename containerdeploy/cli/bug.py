"""An exception that nobody expected: kept in a file, and said in two lines."""

from __future__ import annotations

import os
import sys
import tempfile
import time
import traceback
from pathlib import Path
from typing import TYPE_CHECKING

from containerdeploy.cli.exits import BUG
from containerdeploy.errors import Failed

if TYPE_CHECKING:
    from containerdeploy.cli.session import Session


def tell(error: Exception, session: Session) -> int:
    """Write the traceback to a file of its own, say so, and give the exit code (70).

    A traceback holds code and file names but no values of variables, so no secrets.
    """
    text = "".join(traceback.format_exception(error))
    place = _keep(text, session.known_state)
    where = f"its traceback is in {place}" if place else "its traceback could not be kept"
    session.fail(
        Failed(
            f"a bug in cdeploy: {type(error).__name__}: {error}",
            hint=f"please report it; {where}",
            detail=text if session.verbose or not place else "",
        ),
        code=BUG,
    )
    return BUG


def _keep(text: str, state: Path | None) -> Path | None:
    """Write it into the state folder, or else the folder for temporary files."""
    head = f"cdeploy {' '.join(sys.argv[1:])}\nPython {sys.version}\n\n"
    name = time.strftime("crash-%Y%m%d-%H%M%S-")
    folders = [state] if state and state.is_dir() else []
    for folder in [*folders, Path(tempfile.gettempdir())]:
        try:
            handle, path = tempfile.mkstemp(prefix=name, suffix=".txt", dir=folder)
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                file.write(head + text)
        except OSError:
            continue  # a full disk: try the next folder, then say that it wasn't kept
        return Path(path)
    return None
