"""What `cdeploy init` writes."""

import http.client
import os
import signal
import socket
import subprocess
import sys
import time

import pytest

from containerdeploy.errors import BadInput
from containerdeploy.stackfile import init_template, load_stack, write_example


def test_example_loads_as_it_is(tmp_path):
    """The first stack loads, has checks of two phases, and an overlay."""
    written = write_example(tmp_path / "new" / "shop", "my-shop")
    assert [path.name for path in written] == ["stack.toml", "Dockerfile", "app.py"]
    stack = load_stack(written[0], env={})
    assert stack.name == "my-shop"
    assert [check.kind for check in stack["web"].checks] == ["image", "http", "http"]
    assert stack["web"].routes[0].host == "my-shop.localhost"
    assert load_stack(written[0], environment="production", env={})["web"].replicas == 2
    assert not any("@NAME@" in path.read_text() for path in written)


def test_example_never_overwrites(tmp_path):
    """When a file is there, it is named and nothing is written."""
    (tmp_path / "app").mkdir()
    (tmp_path / "app" / "app.py").write_text("mine")
    with pytest.raises(BadInput, match=r"there already: .*app\.py"):
        write_example(tmp_path, "shop")
    assert (tmp_path / "app" / "app.py").read_text() == "mine"
    assert not (tmp_path / "stack.toml").exists()


@pytest.mark.parametrize("name", ["Shop", "", "1a", "x" * 41])
def test_example_takes_names_of_stacks_only(tmp_path, name):
    """A name that no stack can have is refused before anything is written."""
    with pytest.raises(BadInput, match="the stack's name should be"):
        write_example(tmp_path, name)
    assert not list(tmp_path.iterdir())


def test_example_in_a_folder_that_cannot_be(tmp_path):
    """A folder that can't be made is a clear error."""
    (tmp_path / "file").write_text("")
    with pytest.raises(BadInput) as caught:
        write_example(tmp_path / "file" / "x", "shop")
    assert "can't be written" in caught.value.problems[0].message


def test_app_answers_and_ends_at_once(tmp_path):
    """The app answers / and /healthz on kept-alive connections, and SIGTERM ends it with 0."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    app = tmp_path / "app.py"
    text = init_template("shop")["app/app.py"]
    assert '("", 8000)' in text
    app.write_text(text.replace('("", 8000)', f'("127.0.0.1", {port})'))
    env = {**os.environ, "GREETING": "Moin"}
    with subprocess.Popen([sys.executable, str(app)], env=env, stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout is not None
            deadline = time.monotonic() + 20
            while True:
                try:
                    socket.create_connection(("127.0.0.1", port), timeout=5).close()
                    break
                except ConnectionRefusedError:
                    assert process.poll() is None
                    assert time.monotonic() < deadline
                    time.sleep(0.02)
            client = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
            for path, status, body in [
                ("/", 200, b"Moin from shop\n"),
                ("/healthz", 200, b"ok\n"),
                ("/x", 404, b"not found\n"),
            ]:
                client.request("GET", path)
                answer = client.getresponse()
                assert (answer.status, answer.read()) == (status, body)
            # The connection is still open: it must not keep the process from ending.
            process.send_signal(signal.SIGTERM)
            assert process.wait(timeout=10) == 0
            client.close()
        finally:
            process.kill()


def test_template_files_are_in_the_package():
    """The files are where the installed package finds them."""
    assert set(init_template("x")) == {"stack.toml", "app/Dockerfile", "app/app.py"}
    assert "USER 10001" in init_template("x")["app/Dockerfile"]
