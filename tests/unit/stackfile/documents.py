"""Made-up TOML documents and stack files, for properties."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import strategies as st

BARE = st.from_regex(r"[A-Za-z0-9_-]{1,6}", fullmatch=True)
KEYS = st.one_of(BARE, st.text(st.characters(codec="utf-8", exclude_categories=["Cs"]), max_size=6))
SCALARS = st.one_of(
    st.booleans(),
    st.integers(-(2**40), 2**40),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(st.characters(codec="utf-8", exclude_categories=["Cs"]), max_size=12),
    st.sampled_from(["${X}", "${X:-y}", "${", "$$", "30s", "256M", "web", "/x", "a:/b", "\0"]),
)
VALUES: st.SearchStrategy[Any] = st.recursive(
    SCALARS,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(KEYS, inner, max_size=3)),
    max_leaves=8,
)
NAMES = st.sampled_from(["web", "db", "cache", "worker", "mail", "api"])


def quoted(text: str) -> str:
    """A TOML basic string."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def inline(value: Any) -> str:
    """A value as inline TOML."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return quoted(value)
    if isinstance(value, list | tuple):
        return "[" + ", ".join(inline(item) for item in value) + "]"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{quoted(k)} = {inline(v)}" for k, v in value.items()) + "}"
    return repr(value)


def written(data: dict[str, Any]) -> str:
    """A document: a table for each section's entry, its keys a line each."""
    lines: list[str] = []

    def table(path: tuple[str, ...], content: dict[str, Any]) -> None:
        lines.append("[" + ".".join(quoted(part) for part in path) + "]")
        below = []
        for key, value in content.items():
            if isinstance(value, dict) and value and len(path) < 4:
                below.append((key, value))
            else:
                lines.append(f"{quoted(key)} = {inline(value)}")
        for key, value in below:
            table((*path, key), value)

    top = {key: value for key, value in data.items() if not isinstance(value, dict)}
    lines.extend(f"{quoted(key)} = {inline(value)}" for key, value in top.items())
    for key, value in data.items():
        if isinstance(value, dict):
            table((key,), value)
    return "\n".join(lines) + "\n"


@st.composite
def good(draw: st.DrawFn) -> dict[str, Any]:
    """A stack file without mistakes: `uses` only points back, ports differ by service."""
    names = draw(st.lists(NAMES, min_size=1, max_size=5, unique=True))
    services: dict[str, Any] = {}
    for index, name in enumerate(names):
        service: dict[str, Any] = {"image": draw(st.sampled_from(["debian", "a.b:5/c/d:e"]))}
        service |= draw(
            st.fixed_dictionaries(
                {},
                optional={
                    "command": st.lists(st.sampled_from(["a", "-b", "c d"]), max_size=3),
                    "env": st.dictionaries(
                        st.sampled_from("ABC"), st.integers(0, 9) | st.booleans()
                    ),
                    "secrets": st.lists(st.sampled_from(["S", "T"]), unique=True),
                    "drain": st.sampled_from(["30s", "none", "1m30s", 5, 0.5]),
                    "read_only": st.booleans(),
                    "keep": st.integers(0, 50),
                    "restart": st.sampled_from(["no", "always"]),
                    "limits": st.just({"memory": "64M", "cpus": 0.5, "pids": 5}),
                    "tmpfs": st.just(["/run/a", "/run/b"]),
                    "labels": st.just({"a.b": "c"}),
                    "before_switch": st.just(["true"]),
                    "capabilities": st.just(["CHOWN", "KILL"]),
                    "stop_signal": st.just("SIGINT"),
                },
            )
        )
        if draw(st.booleans()):
            service["port"] = 1000 + index
            if draw(st.booleans()):
                service["route"] = draw(
                    st.sampled_from([f"{name}.x", [f"{name}.x/a", f"{name}.y"]])
                )
                check = {"path": "/", "status": 200}
                service["test"] = draw(st.sampled_from([{}, {"http": check}, {"http": [check]}]))
        if draw(st.booleans()):
            service["replicas"] = draw(st.integers(1, 3))
        callable_ = [other for other in services if "port" in services[other]]
        service["uses"] = (
            draw(st.lists(st.sampled_from(callable_), unique=True)) if callable_ else []
        )
        services[name] = service
    order = draw(st.permutations(list(services)))
    return {"stack": {"name": "shop"}, "service": {name: services[name] for name in order}}


@st.composite
def mutated(draw: st.DrawFn) -> dict[str, Any]:
    """A good stack file with some of its values replaced, added or taken away."""
    data = draw(good())
    for _ in range(draw(st.integers(1, 4))):
        at: Any = data
        while True:
            keys = list(at) if isinstance(at, dict) else list(range(len(at)))
            if not keys:
                break
            key = draw(st.sampled_from(keys))
            if isinstance(at[key], dict | list) and at[key] and draw(st.integers(0, 4)):
                at = at[key]
                continue
            what = draw(st.sampled_from(["replace", "add", "drop"]))
            if what == "drop":
                del at[key]
            elif what == "replace" or isinstance(at, list):
                at[key] = draw(VALUES)
            else:
                at[draw(KEYS | st.sampled_from(WORDS))] = draw(VALUES)
            break
    return data


WORDS = [
    "build", "image", "args", "port", "protocol", "route", "uses", "env", "env_file", "secrets",
    "volumes", "tmpfs", "health", "hold", "strategy", "test", "before_switch", "environment",
    "service", "stack", "path", "http", "file", "timeout", "tcp", "host",
]  # fmt: skip
