"""The same services twice: as a stack of cdeploy and as a Compose project."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from tests.load import app

DOCKERFILE = """\
FROM debian:trixie-slim
RUN apt-get update \\
 && apt-get install -y --no-install-recommends python3 \\
 && rm -rf /var/lib/apt/lists/*
COPY app.py /app/app.py
USER 10001
EXPOSE 8000
CMD ["python3", "-u", "/app/app.py"]
"""
LINE = 'RELEASE = os.environ.get("RELEASE", "0")'
CHECKS = """
[service.{name}.test.image]
user = "10001"
exposed_ports = ["8000/tcp"]

[[service.{name}.test.http]]
path = "/healthz"
status = 200
"""


@dataclass
class Project:
    """A folder with an app, a stack.toml and a compose.yaml of the same services.

    Attributes:
        folder: where it is made; its `app` is what both build.
        name: of the stack and of the Compose project.
        services: how many, all alike.
        port: of 127.0.0.1 at which Compose publishes the first service; 0 for none.
        checks: whether the stack's services are tested; Compose has no such thing.
        drain: seconds that cdeploy gives to what is in flight.
    """

    folder: Path
    name: str
    services: int = 1
    port: int = 0
    checks: bool = False
    drain: float = 10.0
    revision: int = 0

    def __post_init__(self) -> None:
        (self.folder / "app").mkdir(parents=True)
        (self.folder / "app/Dockerfile").write_text(DOCKERFILE)
        shutil.copy(Path(app.__file__), self.source)
        self.write()

    @property
    def source(self) -> Path:
        """The program that a change changes."""
        return self.folder / "app/app.py"

    @property
    def stack(self) -> Path:
        """The stack.toml."""
        return self.folder / "stack.toml"

    @property
    def compose(self) -> Path:
        """The compose.yaml."""
        return self.folder / "compose.yaml"

    @property
    def names(self) -> list[str]:
        """The services' names."""
        return [f"s{n:02d}" for n in range(1, self.services + 1)]

    def route(self, name: str) -> str:
        """The host at which the edge knows a service."""
        return f"{name}.{self.name}.localhost"

    def change_line(self, release: str) -> None:
        """Change one line of the program: the release that it says it is."""
        lines = self.source.read_text().splitlines(keepends=True)
        place = next(n for n, line in enumerate(lines) if line.startswith("RELEASE = "))
        lines[place] = LINE.replace('"0"', f'"{release}"') + "\n"
        self.source.write_text("".join(lines))

    def change_settings(self) -> None:
        """Change an environment variable of every service."""
        self.revision += 1
        self.write()

    def write(self) -> None:
        """Write stack.toml and compose.yaml."""
        self.stack.write_text(
            f'[stack]\nname = "{self.name}"\n' + "".join(self._service(n) for n in self.names)
        )
        self.compose.write_text(
            f"name: {self.name}\nservices:\n" + "".join(self._peer(n) for n in self.names)
        )

    def _service(self, name: str) -> str:
        return f"""
[service.{name}]
build = "app"
port = 8000
route = "{self.route(name)}"
env = {{ NAME = "{name}", REVISION = "{self.revision}" }}
health = {{ path = "/healthz" }}
drain = "{self.drain:g}s"
""" + (CHECKS.format(name=name) if self.checks else "")

    def _peer(self, name: str) -> str:
        published = name == self.names[0] and self.port
        ports = f'    ports: ["127.0.0.1:{self.port}:8000"]\n' if published else ""
        return f"""\
  {name}:
    build: app
    environment: {{NAME: "{name}", REVISION: "{self.revision}"}}
    restart: unless-stopped
{ports}"""
