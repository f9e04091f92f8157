"""What `cdeploy init` writes: a first stack that deploys as it is."""

from __future__ import annotations

from importlib import resources
from typing import TYPE_CHECKING

from containerdeploy.errors import BadInput
from containerdeploy.stackfile import values
from containerdeploy.stackfile.problems import Wrong, shown, unusable

if TYPE_CHECKING:
    from pathlib import Path

FILES = ("stack.toml", "app/Dockerfile", "app/app.py")


def init_template(name: str) -> dict[str, str]:
    """The files of the example by their paths, for a stack of this name.

    Raises:
        BadInput: the name can't be that of a stack.
    """
    try:
        values.name(name)
    except Wrong as wrong:
        raise BadInput(f"the stack's name {wrong.message}, not {shown(name)}") from wrong
    root = resources.files(__package__)
    return {
        path: root.joinpath(path).read_text(encoding="utf-8").replace("@NAME@", name)
        for path in FILES
    }


def write_example(folder: Path, name: str) -> tuple[Path, ...]:
    """Write a first stack into a folder, which is made when it is not there.

    Args:
        name: the stack's name.

    Returns:
        the files written, stack.toml first.

    Raises:
        BadInput: a file of the example is there already (nothing is written
            then), the name is none, or the folder can't be written.
    """
    contents = {folder / path: text for path, text in init_template(name).items()}
    there = [path for path in contents if path.exists() or path.is_symlink()]
    if there:
        raise BadInput(
            f"there already: {', '.join(str(path) for path in there)}",
            hint="nothing was written; choose another folder",
        )
    for path, text in contents.items():
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("x", encoding="utf-8") as file:
                file.write(text)
        except OSError as error:
            raise unusable(str(path), f"can't be written: {error.strerror or error}") from error
    return tuple(contents)
