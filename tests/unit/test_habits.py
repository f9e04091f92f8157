"""The habits of this code base that Ruff and mypy can't hold: who imports whom, what is fast."""

from __future__ import annotations

import ast
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "containerdeploy"
TESTS = ROOT / "tests"
LONGEST = {PACKAGE: 400, TESTS: 600}
LONGER = {
    "containerdeploy/engines/fake.py": "a port with 35 methods, and one class that keeps them"
}
"""Files that may be longer, with the reason."""

ONLY_IN = {
    "typer": ("cli",),
    "click": ("cli",),
    "rich": ("report", "cli"),
    "docker": ("engines", "images"),
    "httpx": ("checks", "probe", "edge"),
    "pydantic": ("stackfile",),
    "requests": ("engines",),
    "urllib3": ("engines",),
    # Completion reads names only, in the time between two keys.
    "tomllib": ("stackfile", "cli"),
    "sqlite3": ("ledger", "cli"),
}
"""Which parts (the first name below the package) may import a library."""

LAYERS = (
    ("errors",),
    ("check", "stack", "events", "host", "files"),
    ("release", "addresses"),
    ("edge.table", "engines.base"),
    ("edge.edits", "edge.base", "observed", "spec"),
    ("plan",),
    ("rollout", "situation", "claims"),
    ("execute", "actions"),
    ("deploy",),
    ("cli",),
)
"""Imports go up this list only: a module may import its own layer and those above it."""

PURE = ("stack", "release", "plan", "rollout", "observed", "edge.table", "addresses")
"""They decide and do nothing: no I/O, clock or randomness."""
IMPURE = {"os", "time", "random", "secrets", "subprocess", "socket", "threading", "pathlib", "uuid"}

DRIVERS = ("engines.docker", "edge.haproxy")
MAY_KNOW_DRIVERS = ("site", "bootstrap", "engines", "edge", "cli")

HEAVY = ("docker", "pydantic", "httpx", "sqlite3", "rich.live", "asyncio")
"""Not wanted by `--version` and `--help`."""


def modules() -> list[tuple[str, Path]]:
    """(dotted name below the package, file) of every module."""
    found = []
    for file in sorted(PACKAGE.rglob("*.py")):
        parts = list(file.relative_to(PACKAGE).with_suffix("").parts)
        if parts[-1] == "__init__":
            parts.pop()
        found.append((".".join(parts), file))
    return found


@cache
def tree(file: Path) -> ast.Module:
    return ast.parse(file.read_text(encoding="utf-8"), filename=str(file))


def imports(file: Path, *, typing: bool = True) -> set[str]:
    """Every module that a file imports, at any depth; `typing`: also those for types only."""
    found: set[str] = set()

    def visit(node: ast.AST) -> None:
        if isinstance(node, ast.If) and not typing and _for_types(node.test):
            return
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        if isinstance(node, ast.ImportFrom) and node.module:
            assert node.level == 0, f"{file}:{node.lineno}: a relative import"
            found.add(node.module)
            found.update(f"{node.module}.{alias.name}" for alias in node.names)
        for child in ast.iter_child_nodes(node):
            visit(child)

    visit(tree(file))
    return found


def _for_types(test: ast.expr) -> bool:
    return isinstance(test, ast.Name) and test.id == "TYPE_CHECKING"


def below(name: str, prefix: str) -> bool:
    return name == prefix or name.startswith(prefix + ".")


def layer(name: str) -> int | None:
    """The layer of a module, by its longest known name."""
    known = [(len(p), n) for n, layer in enumerate(LAYERS) for p in layer if below(name, p)]
    return max(known)[1] if known else None


def test_imports_go_one_way():
    """A module imports its own layer and those it stands on, never one above it."""
    wrong = []
    for name, file in modules():
        own = layer(name)
        if own is None:
            continue
        for imported in imports(file, typing=False):
            if not below(imported, "containerdeploy"):
                continue
            other = layer(imported.removeprefix("containerdeploy."))
            if other is not None and other > own:
                wrong.append(f"{file.relative_to(ROOT)} imports {imported}")
    assert wrong == []


def test_libraries_stay_in_their_parts():
    """Each library is imported in its own part only, so it can be replaced there."""
    wrong = []
    for name, file in modules():
        part = name.partition(".")[0]
        for imported in imports(file):
            library = imported.partition(".")[0]
            if library in ONLY_IN and part not in ONLY_IN[library]:
                wrong.append(f"{file.relative_to(ROOT)} imports {imported}")
    assert wrong == []


def test_deciding_does_nothing():
    """The planner and its values import nothing that acts: no I/O, clock, or randomness."""
    files = dict(modules())
    wrong = []
    for name in PURE:
        for imported in imports(files[name], typing=False):
            if imported.partition(".")[0] in IMPURE:
                wrong.append(f"{name} imports {imported}")
    assert wrong == []


def test_drivers_are_known_to_few():
    """Only those that put the parts together name a driver; all else knows the ports."""
    wrong = []
    for name, file in modules():
        if any(below(name, part) for part in MAY_KNOW_DRIVERS):
            continue
        for imported in imports(file):
            if any(below(imported, f"containerdeploy.{driver}") for driver in DRIVERS):
                wrong.append(f"{file.relative_to(ROOT)} imports {imported}")
    assert wrong == []


def test_nobody_imports_the_cli():
    """The command line is on top: nothing but itself imports it."""
    wrong = [
        f"{file.relative_to(ROOT)} imports {imported}"
        for name, file in modules()
        if not below(name, "cli")
        for imported in imports(file)
        if below(imported, "containerdeploy.cli")
    ]
    assert wrong == []


def test_files_are_short():
    """One noun a file: what grows beyond 400 lines is two. Tests are lists, and may be longer."""
    long = {
        str(file.relative_to(ROOT)): count
        for folder, longest in LONGEST.items()
        for file in folder.rglob("*.py")
        if (count := len(file.read_text(encoding="utf-8").splitlines())) > longest
    }
    assert long == {}


def test_programs_have_deadlines():
    """Every program that is run to its end has a timeout."""
    wrong = []
    for _, file in modules():
        for node in ast.walk(tree(file)):
            if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
                continue
            called = ast.unparse(node.func)
            if called in ("subprocess.run", "subprocess.check_output", "subprocess.check_call"):
                given = {keyword.arg for keyword in node.keywords}
                if not given & {"timeout", None}:
                    wrong.append(f"{file.relative_to(ROOT)}:{node.lineno}")
    assert wrong == []


# -- the tests themselves ---------------------------------------------------------------


def functions(file: Path) -> list[ast.FunctionDef]:
    """The test functions and methods of a file."""
    return [
        node
        for node in ast.walk(tree(file))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and node.name.startswith("test_")
    ]


def test_every_test_states_a_behaviour():
    """Each test's docstring says what holds."""
    wrong = [
        f"{file.relative_to(ROOT)}:{node.lineno}: {node.name}"
        for file in sorted(TESTS.rglob("*.py"))
        for node in functions(file)
        if not (ast.get_docstring(node) or "").strip()
    ]
    assert wrong == []


def test_every_engine_test_is_marked():
    """A test in tests/engine carries the marker `engine`, so that it can be left out."""
    wrong = []
    for file in sorted((TESTS / "engine").rglob("test_*.py")):
        marked = any(
            isinstance(node, ast.Assign)
            and "pytestmark" in {t.id for t in node.targets if isinstance(t, ast.Name)}
            and "pytest.mark.engine" in ast.unparse(node.value)
            for node in tree(file).body
        )
        if marked:
            continue
        wrong += [
            f"{file.relative_to(ROOT)}:{node.lineno}: {node.name}"
            for node in functions(file)
            if not any("pytest.mark.engine" in ast.unparse(d) for d in node.decorator_list)
        ]
    assert wrong == []


def test_unit_tests_need_no_engine():
    """Nothing in tests/unit talks to an engine: it runs in seconds, anywhere."""
    wrong = [
        f"{file.relative_to(ROOT)} imports {imported}"
        for file in sorted((TESTS / "unit").rglob("*.py"))
        for imported in imports(file)
        if below(imported, "tests.engine")
    ]
    assert wrong == []


def test_every_test_folder_is_a_package():
    """So files of the same name in two folders don't collide."""
    folders = {file.parent for file in TESTS.rglob("*.py")}
    assert [
        str(f.relative_to(ROOT)) for f in sorted(folders) if not (f / "__init__.py").is_file()
    ] == []


# -- the command line ---------------------------------------------------------------------


@pytest.mark.skipif(not (PACKAGE / "cli/main.py").exists(), reason="there is no command line yet")
@pytest.mark.parametrize("option", ["--version", "--help"])
def test_the_command_line_starts_light(option):
    """`--version` and `--help` import none of the heavy libraries."""
    script = (
        "import sys\n"
        f"sys.argv = ['cdeploy', {option!r}]\n"
        "from containerdeploy.cli.main import main\n"
        "try:\n"
        "    main(sys.argv[1:])\n"
        "except SystemExit as ended:\n"
        "    assert not ended.code, ended.code\n"
        f"heavy = [name for name in {HEAVY!r} if name in sys.modules]\n"
        "print('heavy:', *heavy)\n"
    )
    ended = subprocess.run(
        (sys.executable, "-c", script), capture_output=True, text=True, timeout=60, check=False
    )
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.splitlines()[-1].strip() == "heavy:"
