"""Lines of containers, interleaved, each with its service and replica in front."""

from __future__ import annotations

from typing import TYPE_CHECKING

from containerdeploy.report.json_lines import to_line

if TYPE_CHECKING:
    from containerdeploy.logs import ServiceLine
    from containerdeploy.report.output import Output


class LineWriter:
    """Writes lines as they come: ``web-1  | text``, each service in its colour.

    Args:
        json: write objects with event "line" instead.
    """

    def __init__(self, out: Output, *, json: bool = False) -> None:
        self._out = out
        self._json = json
        self._services: dict[str, int] = {}
        self._wide = 0

    def write(self, line: ServiceLine) -> None:
        """Write one line. The text is the container's own and is not changed."""
        if self._json:
            self._out.line(
                to_line(
                    {
                        "event": "line",
                        "service": line.service,
                        "replica": line.replica,
                        "release": line.release,
                        "stream": line.stream,
                        "text": line.text,
                        "at": line.at,
                    }
                )
            )
            return
        number = self._services.setdefault(line.service, len(self._services))
        name = f"{line.service}-{line.replica}"
        self._wide = max(self._wide, len(name))
        self._out.line(f"{self._out.tint(f'{name:<{self._wide}} |', number)} {line.text}")
