"""The kinds of checks: one file a kind, its fields are the keys of the stack file."""

from __future__ import annotations

import dataclasses
from typing import Annotated, get_args, get_origin, get_type_hints

from containerdeploy.check import Check
from containerdeploy.checks.kinds.command import Command
from containerdeploy.checks.kinds.file import File
from containerdeploy.checks.kinds.http import Http
from containerdeploy.checks.kinds.image import Image

KINDS: dict[str, type[Check]] = {kind.kind: kind for kind in (Image, File, Command, Http)}
"""Every kind by its name in the stack file: ``[[service.web.test.<kind>]]``."""

PLACE = ("file", "line")
"""Fields of a check that say where it was written, and are no keys."""


def docs(kind: type[Check]) -> dict[str, str]:
    """The keys of a kind, in the order of its file and the common ones last, with their text."""
    hints = get_type_hints(kind, include_extras=True)
    common = {field.name for field in dataclasses.fields(Check)}
    names = [field.name for field in dataclasses.fields(kind) if field.name not in PLACE]
    names.sort(key=lambda name: name in common)
    return {name: _doc(hints[name]) for name in names}


def _doc(hint: object) -> str:
    if get_origin(hint) is not Annotated:
        return ""
    return next((extra for extra in get_args(hint)[1:] if isinstance(extra, str)), "")
