"""Fixtures of the tests with a real engine. See `isolation` for how they keep apart."""

from __future__ import annotations

import textwrap
from pathlib import Path

import pytest

from containerdeploy.bootstrap import edge_image_id
from containerdeploy.bootstrap.base_image import REF
from containerdeploy.engines.docker import DockerEngine
from containerdeploy.events import quiet
from tests.engine.isolation import build, isolated_host, leftovers, new_instance, remove_all

PYTHON = f"""\
FROM {REF}
RUN apt-get update \\
 && apt-get install -y --no-install-recommends python3 \\
 && rm -rf /var/lib/apt/lists/*
"""


@pytest.fixture(scope="session")
def engine():
    """The engine of this machine; without one the tests fail and name the cure."""
    engine = DockerEngine()
    engine.info()
    yield engine
    engine.close()


@pytest.fixture
def host(engine):
    """A host of the test's own; nothing of it is left afterwards."""
    with isolated_host(engine) as host:
        yield host


@pytest.fixture(scope="module")
def module_host(engine):
    """The same, for all tests of a module."""
    with isolated_host(engine) as host:
        yield host


@pytest.fixture(scope="session")
def edge_image(engine):
    """The id of the edge's image. It is kept between runs, by what it was made from."""
    return edge_image_id(engine, quiet)


@pytest.fixture(scope="session")
def python_image(engine, tmp_path_factory):
    """The name of an image with python3 and nothing else.

    The name is the session's own; the layer comes from the builder's cache.
    """
    instance = new_instance()
    folder = tmp_path_factory.mktemp("python")
    (folder / "Dockerfile").write_text(PYTHON)
    ref = f"cdeploy-test/python:{instance}"
    build(folder, ref, instance)
    yield ref
    remove_all(engine, instance)


@pytest.fixture
def app_folder(tmp_path, python_image):
    """Writes a folder with a Dockerfile and one Python program: (name, source) -> its path."""

    def write(name: str, source: str, *, more: str = "") -> Path:
        folder = tmp_path / name
        folder.mkdir(exist_ok=True)
        (folder / "app.py").write_text(textwrap.dedent(source))
        (folder / "Dockerfile").write_text(
            f"FROM {python_image}\n{more}COPY app.py /app.py\n"
            'USER 10001\nCMD ["python3", "-u", "/app.py"]\n'
        )
        return folder

    return write


@pytest.fixture
def stack_file(tmp_path):
    """Writes a stack.toml into the test's folder: text -> its path."""

    def write(text: str, *, name: str = "stack.toml") -> Path:
        path = tmp_path / name
        path.write_text(textwrap.dedent(text))
        return path

    return write


def pytest_collection_modifyitems(items):
    """A test with a real engine may take its time, a hung one not."""
    for item in items:
        if "tests/engine" in str(item.path) and item.get_closest_marker("timeout") is None:
            item.add_marker(pytest.mark.timeout(300))


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session):
    """The run fails when anything of its instances is left."""
    left = leftovers()
    if left:
        session.config.get_terminal_writer().line()
        for line in left:
            session.config.get_terminal_writer().line(f"left behind: {line}", red=True)
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
