"""A host on which the tests run the real command line, and what is left of it to see."""

from __future__ import annotations

import http.client
import json
import os
import queue
import signal
import subprocess
import sys
import textwrap
import threading
import time
import uuid
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from containerdeploy.stackfile.host_file import write_host

if TYPE_CHECKING:
    from collections.abc import Iterator

    from containerdeploy.host import Host

CDEPLOY = str(Path(sys.executable).with_name("cdeploy"))
PATIENCE = 120.0
"""Seconds that one command, or one awaited event of it, may take on a busy machine."""


@dataclass(frozen=True)
class Answer:
    """What the edge answered. Header names are lower case."""

    status: int
    headers: dict[str, str]
    text: str

    @property
    def json(self):
        return json.loads(self.text)


@dataclass(frozen=True)
class Ended:
    """What a command of cdeploy came to."""

    code: int
    out: str
    err: str

    @property
    def events(self):
        """Its lines as values, of a command that ran with --json."""
        return [json.loads(line) for line in self.out.splitlines()]

    @property
    def json(self):
        """The one value that it printed."""
        (value,) = self.events
        return value

    @property
    def done(self):
        """The last event, which is `done`."""
        last = self.events[-1]
        assert last["event"] == "done", self
        return last

    @property
    def error(self):
        """The error event."""
        (found,) = [event for event in self.events if event["event"] == "error"]
        return found

    @property
    def told(self):
        """All words of the error: message, problems, hint, and what the container said."""
        error = self.error
        problems = [
            f"{p['file']}:{p['line']} {p['key']}: {p['message']} {p['hint']}"
            for p in error.get("problems", ())
        ]
        return "\n".join([error["message"], *problems, error["hint"], error["detail"]])

    @property
    def steps(self):
        """The ids of the steps that were done."""
        return [e["id"] for e in self.events if e["event"] == "step" and e["state"] == "done"]

    def outcomes(self):
        """service -> its outcome."""
        return {name: known["outcome"] for name, known in self.done["services"].items()}

    def releases(self):
        """service -> its release."""
        return {name: known["release"] for name, known in self.done["services"].items()}


class Running:
    """A command of cdeploy that runs; its events are read as they come."""

    def __init__(self, argv, folder, env):
        self._process = subprocess.Popen(
            argv, cwd=folder, env=env, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        self._lines = queue.SimpleQueue()
        self._out, self._err = [], []
        self._readers = [
            threading.Thread(target=self._read, args=(self._process.stdout, self._out, True)),
            threading.Thread(target=self._read, args=(self._process.stderr, self._err, False)),
        ]
        for reader in self._readers:
            reader.start()

    def _read(self, stream, kept, queued):
        for line in stream:
            kept.append(line)
            if queued:
                self._lines.put(line)
        if queued:
            self._lines.put(None)

    @property
    def pid(self):
        return self._process.pid

    def until(self, **wanted):
        """The next event with these values; fails when the command ends without it."""
        deadline = time.monotonic() + PATIENCE
        while (line := self._lines.get(timeout=max(0.1, deadline - time.monotonic()))) is not None:
            event = json.loads(line)
            if wanted.items() <= event.items():
                return event
        raise AssertionError(f"ended without {wanted}: {''.join(self._out + self._err)}")

    def until_step(self, step, state):
        """The event of a step that begun, done or failed."""
        return self.until(event="step", id=step, state=state)

    def send(self, number):
        """Send it a signal."""
        self._process.send_signal(number)

    def end(self):
        """Wait for its end."""
        try:
            self._process.wait(PATIENCE)
        finally:
            self.close()
        return Ended(self._process.returncode, "".join(self._out), "".join(self._err))

    def close(self):
        """End it if it still runs, and let go of its pipes."""
        self._process.kill()
        self._process.wait()
        for reader in self._readers:
            reader.join()
        self._process.stdout.close()
        self._process.stderr.close()


@dataclass(frozen=True)
class Traces:
    """Everything that a rollout could leave on a host.

    Attributes:
        containers: id -> (name, whether it runs).
        networks: their names.
        table: the edge's table.
        secrets: the secret files.
    """

    containers: dict[str, tuple[str, bool]]
    networks: frozenset[str]
    table: dict
    secrets: frozenset[str]


class Place:
    """A host with its folder of stack files, worked on by the command line alone."""

    def __init__(self, host: Host, folder: Path) -> None:
        self.host = host
        self.folder = folder
        write_host(host)

    # -- commands ------------------------------------------------------------------

    def _argv(self, argv):
        return (CDEPLOY, *map(str, argv))

    def _env(self, further):
        own = {k: v for k, v in os.environ.items() if not k.startswith("CDEPLOY_")}
        return {**own, "CDEPLOY_HOST_FILE": str(self.host.file), **further}

    def cdeploy(self, *argv, timeout=PATIENCE, **env) -> Ended:
        """Run cdeploy to its end."""
        ended = subprocess.run(
            self._argv(argv),
            cwd=self.folder,
            env=self._env(env),
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )
        return Ended(ended.returncode, ended.stdout, ended.stderr)

    @contextmanager
    def begun(self, *argv, **env) -> Iterator[Running]:
        """A command that runs; ended when the block ends."""
        running = Running(self._argv(argv), self.folder, self._env(env))
        try:
            yield running
        finally:
            running.close()

    def up(self, file="stack.toml", *argv, timeout=PATIENCE, **env) -> Ended:
        """`cdeploy up --json`."""
        return self.cdeploy("up", file, "--json", *argv, timeout=timeout, **env)

    def switched(self, file="stack.toml", *argv, **env) -> Ended:
        """`up` that must switch, and warn of nothing."""
        ended = self.up(file, *argv, **env)
        assert ended.code == 0, ended
        assert ended.done["result"] == "switched", ended
        assert "warnings" not in ended.done, ended
        return ended

    def write(self, text, name="stack.toml") -> Path:
        """Write a stack file, or another one."""
        path = self.folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(textwrap.dedent(text))
        return path

    def function(self, base, name="app", *, more=""):
        """A folder with the tests' own function, on an image that has python3."""
        self.write((Path(__file__).parent / "function.py").read_text(), f"{name}/app.py")
        self.write(
            f"FROM {base}\n{more}COPY app.py /app.py\nUSER 10001\n"
            'CMD ["python3", "-u", "/app.py"]\n',
            f"{name}/Dockerfile",
        )

    def kill(self, container):
        """End a container by force, so that the engine does not start it again."""
        docker("update", "--restart=no", container)
        docker("kill", container)

    # -- what is there ---------------------------------------------------------------

    def request(self, method, host, path="/", *, body=None, headers=None, timeout=30.0) -> Answer:
        """One request through the edge on a connection of its own."""
        connection = http.client.HTTPConnection("127.0.0.1", self.host.http, timeout=timeout)
        try:
            connection.request(method, path, body=body, headers={"Host": host, **(headers or {})})
            answer = connection.getresponse()
            text = answer.read().decode()
        finally:
            connection.close()
        found = {name.lower(): value for name, value in answer.getheaders()}
        return Answer(answer.status, found, text)

    def get(self, host, path="/", **further) -> Answer:
        """One GET through the edge."""
        return self.request("GET", host, path, **further)

    def containers(self, stack, service="", *, running=True):
        """name -> id of a stack's containers, as the engine says."""
        labels = {"instance": self.host.instance, "stack": stack, "service": service}
        filters = [f"--filter=label=cdeploy.{k}={v}" for k, v in labels.items() if v]
        every = [] if running else ["-a"]
        found = docker("ps", "--no-trunc", *every, *filters, "--format={{.Names}} {{.ID}}")
        return dict(line.split() for line in found.splitlines())

    def log(self, container):
        """Everything that a container wrote."""
        ended = subprocess.run(
            ("docker", "logs", container),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=60,
            check=True,
        )
        return ended.stdout

    def inspect(self, container):
        """What the engine knows of a container."""
        return json.loads(docker("inspect", container))[0]

    def traces(self) -> Traces:
        """What is on this host now."""
        own = f"--filter=label=cdeploy.instance={self.host.instance}"
        rows = docker("ps", "-a", "--no-trunc", own, "--format={{.ID}} {{.Names}} {{.State}}")
        containers = {}
        for row in rows.splitlines():
            id_, name, state = row.split()
            containers[id_] = (name, state == "running")
        names = docker("network", "ls", own, "--format={{.Name}}").split()
        table = json.loads((self.host.edge_state / "table.json").read_text())
        files = (str(p) for p in self.host.secrets.rglob("*") if p.is_file())
        return Traces(containers, frozenset(names), table, frozenset(files))


class Asking:
    """Asks one URL again and again, each time on a new connection, and keeps every answer."""

    def __init__(self, place, host, path="/", *, method="GET", body=None, pause=0.01):
        self.answers: list[Answer] = []
        self.failures: list[str] = []
        self._request = (method, host, path)
        self._body = body
        self._place = place
        self._pause = pause
        self._stop = threading.Event()
        self._news = threading.Condition()
        self._thread = threading.Thread(target=self._ask)

    def __enter__(self):
        self._thread.start()
        self.another()
        return self

    def __exit__(self, *_):
        self._stop.set()
        self._thread.join()

    def _ask(self):
        while not self._stop.is_set():
            try:
                answer = self._place.request(*self._request, body=self._body, timeout=60)
            except (OSError, http.client.HTTPException) as error:
                self.failures.append(repr(error))
            else:
                self.answers.append(answer)
                if answer.status >= 400:
                    self.failures.append(f"{answer.status} {answer.text}")
            with self._news:
                self._news.notify_all()
            self._stop.wait(self._pause)

    def another(self, count=1):
        """Wait until `count` more requests have come to their end."""
        with self._news:
            wanted = len(self.answers) + len(self.failures) + count
            assert self._news.wait_for(
                lambda: len(self.answers) + len(self.failures) >= wanted, PATIENCE
            )

    @property
    def texts(self):
        """The different answers, in the order of their first coming."""
        return list(dict.fromkeys(answer.text for answer in self.answers))


def docker(*argv) -> str:
    """What the engine's own CLI prints."""
    ended = subprocess.run(
        ("docker", *argv), capture_output=True, text=True, timeout=60, check=False
    )
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


def eventually(what, *, seconds=PATIENCE):
    """Wait until `what()` is true, or fail."""
    deadline = time.monotonic() + seconds
    while not (found := what()):
        assert time.monotonic() < deadline, "did not come true in time"
        time.sleep(0.02)
    return found


INTERRUPT, KILL = signal.SIGINT, signal.SIGKILL


class Post:
    """A POST that is sent but for the end of its body."""

    def __init__(self, place, host, path):
        self._connection = http.client.HTTPConnection("127.0.0.1", place.host.http, timeout=60)
        self._connection.putrequest("POST", path, skip_host=True)
        self._connection.putheader("Host", host)
        self._connection.putheader("Content-Length", "4")
        self._connection.endheaders(b"12")

    def finish(self):
        """Send the rest; (status, text)."""
        self._connection.send(b"34")
        answer = self._connection.getresponse()
        return answer.status, answer.read().decode()

    def close(self):
        self._connection.close()


@contextmanager
def open_post(place, stack, host, path="/") -> Iterator[Post]:
    """A POST in flight: the tests' own function has its head, and waits for its body's end."""
    path = f"{path}?token={uuid.uuid4().hex}"
    post = Post(place, host, path)
    try:
        eventually(lambda: any(path in place.log(name) for name in place.containers(stack)))
        yield post
    finally:
        post.close()
