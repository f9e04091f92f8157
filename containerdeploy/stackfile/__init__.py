"""TOML in, `containerdeploy.stack` values out; pydantic lives here and nowhere else.

The names below are loaded when they are first asked for, so that importing this
package costs nothing.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from containerdeploy.stackfile.example import init_template, write_example
    from containerdeploy.stackfile.host_file import load_host, write_host
    from containerdeploy.stackfile.load import load_stack
    from containerdeploy.stackfile.schema import documented_keys, stack_schema

_HOME = {
    "documented_keys": "schema",
    "init_template": "example",
    "load_host": "host_file",
    "load_stack": "load",
    "stack_schema": "schema",
    "write_example": "example",
    "write_host": "host_file",
}

__all__ = [
    "documented_keys",
    "init_template",
    "load_host",
    "load_stack",
    "stack_schema",
    "write_example",
    "write_host",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(name)
    return getattr(importlib.import_module(f"{__name__}.{_HOME[name]}"), name)
