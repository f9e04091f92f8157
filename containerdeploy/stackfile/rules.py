"""What must hold between the keys of a service and between the services of a stack."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from containerdeploy.stackfile.problems import nearest

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Set

    from containerdeploy.stack import Service
    from containerdeploy.stackfile.problems import Path, Problems


@dataclass(frozen=True)
class Rules:
    """The rules of one stack.

    Attributes:
        services: those that could be read, by name, in the file's order.
        names: all names in the file, also of services that could not be read.
        broken: keys whose problem is told already, by service.
        problems: takes what is wrong.
    """

    services: Mapping[str, Service]
    names: Set[str]
    problems: Problems
    broken: Mapping[str, Set[str]] = field(default_factory=dict)

    def check(self) -> None:
        """Apply all rules."""
        for service in self.services.values():
            self._port(service)
            self._strategy(service)
            self._uses(service)
        self._circles()
        self._routes()
        self._ports()

    def _sound(self, service: Service, *keys: str) -> bool:
        """Whether these keys could be read, so that more can be said of them."""
        return not self.broken.get(service.name, set()) & set(keys)

    def _port(self, service: Service) -> None:
        place: Path = ("service", service.name)
        if service.port is None and self._sound(service, "port"):
            hint = "give the port that the function listens on"
            if service.routes:
                self.problems.add((*place, "route"), "needs a port to lead to", hint)
            if service.health.path:
                self.problems.add((*place, "health", "path"), "needs a port to ask", hint)
            for check in service.checks:
                if check.kind == "http":
                    self._at_check(service, check.line, "needs a port to ask", hint)
        if service.protocol == "http" and any(route.tcp for route in service.routes):
            hint = 'give protocol = "tcp": the edge then passes its bytes through as they are'
            why = "can't be a TCP port for a service that speaks http"
            if self._sound(service, "protocol", "route"):
                self.problems.add((*place, "route"), why, hint)
        if service.protocol == "tcp" and self._sound(service, "protocol"):
            why = 'can\'t be with protocol = "tcp"'
            if any(route.host for route in service.routes):
                self.problems.add((*place, "protocol"), f"a route with a host {why}")
            elif service.health.path:
                self.problems.add((*place, "protocol"), f"a health path {why}")

    def _at_check(self, service: Service, line: int, message: str, hint: str) -> None:
        place: Path = ("service", service.name, "test", "http")
        places = [(*place, index) for index in range(len(service.checks))]
        found = next((each for each in places if self.problems.line(each) == line), place)
        self.problems.add(found, message, hint)

    def _strategy(self, service: Service) -> None:
        if service.strategy == "replace" and service.replicas > 1:
            place: Path = ("service", service.name, "replicas")
            if self._sound(service, "replicas", "strategy"):
                self.problems.add(
                    place,
                    'must be 1 with strategy = "replace": there is one writer at a time',
                    'use strategy = "beside" for several',
                )

    def _uses(self, service: Service) -> None:
        by_port: dict[int, str] = {}
        for index, name in enumerate(service.uses):
            place: Path = ("service", service.name, "uses", index)
            if name == service.name:
                self.problems.add(place, "a service can't use itself")
                continue
            if name not in self.names:
                others = ", ".join(sorted(self.names - {service.name})) or "none"
                hint = nearest(name, self.names - {service.name})
                message = f'there is no service "{name}" in this stack; there are: {others}'
                self.problems.add(place, message, hint)
                continue
            used = self.services.get(name)
            if used is None:
                continue
            if used.port is None:
                if self._sound(used, "port"):
                    message = f'"{name}" has no port to call'
                    self.problems.add(place, message, f"give service.{name} a port")
            elif used.protocol == "tcp":
                other = by_port.setdefault(used.port, name)
                if other != name:
                    self.problems.add(
                        place,
                        f'"{name}" and "{other}" both speak TCP on port {used.port}, and one '
                        "caller can't tell them apart there",
                        "give one of them another port",
                    )

    def _circles(self) -> None:
        """Tell each circle once, at the `uses` that closes it."""
        done: set[str] = set()
        for start in self.services:
            trail: list[str] = []
            todo = [(start, 0)]
            while todo:
                name, index = todo.pop()
                if index == 0:
                    if name in done:
                        continue
                    trail.append(name)
                uses = self.services[name].uses
                if index >= len(uses):
                    done.add(trail.pop())
                    continue
                todo.append((name, index + 1))
                below = uses[index]
                if below in trail and below != name:
                    circle = [*trail[trail.index(below) :], below]
                    place: Path = ("service", name, "uses", index)
                    hint = "nothing could start first; one of these calls has to go"
                    self.problems.add(place, f"is a circle: {' uses '.join(circle)}", hint)
                elif below not in trail and below in self.services:
                    todo.append((below, 0))

    def _routes(self) -> None:
        taken: dict[str, str] = {}
        for service in self.services.values():
            own: set[str] = set()
            for route in service.routes:
                place = self._route_place(service, route.key)
                if route.key in own:
                    self.problems.add(place, f"the route {route} is named twice")
                elif route.key in taken:
                    message = f'"{taken[route.key]}" has the route {route} already'
                    self.problems.add(place, message, "a route leads to one service")
                own.add(route.key)
                taken.setdefault(route.key, service.name)

    def _route_place(self, service: Service, key: str) -> Path:
        """The last place of a route in its service: the one that is too many."""
        if not self._sound(service, "route"):
            return ("service", service.name, "route")
        index = max(i for i, route in enumerate(service.routes) if route.key == key)
        return ("service", service.name, "route", index)

    def _ports(self) -> None:
        by_port: defaultdict[int, list[Service]] = defaultdict(list)
        for service in self.services.values():
            if service.port is not None and self._sound(service, "protocol", "route", "test"):
                by_port[service.port].append(service)
        for port, services in by_port.items():
            first, *others = services
            for service in _different(first, others):
                self.problems.add(
                    ("service", service.name, "port"),
                    f'"{service.name}" speaks {service.protocol} and "{first.name}" '
                    f"{first.protocol} on port {port}: on one port of a stack all speak the same",
                    "give one of them another port, or say its protocol",
                )


def _different(first: Service, others: Iterable[Service]) -> Iterable[Service]:
    return (service for service in others if service.protocol != first.protocol)
