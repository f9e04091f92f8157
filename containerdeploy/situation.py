"""Where one service stands: what is desired of it, and what of it runs. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from containerdeploy.edge.table import COLOURS, HOLD, Colour, Entry, other, slots_for

if TYPE_CHECKING:
    from containerdeploy.observed import Container, Observed
    from containerdeploy.release import Release
    from containerdeploy.stack import Service


@dataclass(frozen=True, slots=True)
class Situation:
    """One service: desired against observed.

    Attributes:
        entry: the service in the edge's table, if it is known there.
        live_release: the release that serves now; "" when none does.
        live: its running containers.
        kept: stopped containers, of whatever release.
        leftovers: containers that an interrupted rollout left behind.
    """

    service: Service
    release: Release
    entry: Entry | None
    live_release: str
    live: tuple[Container, ...]
    kept: tuple[Container, ...]
    leftovers: tuple[Container, ...]

    @property
    def key(self) -> str:
        """The service's key in the edge's table."""
        return f"{self.release.stack}/{self.service.name}"

    @property
    def fresh(self) -> bool:
        """Whether a candidate is needed: the release that is desired is not the live one."""
        return self.live_release != self.release.id

    @property
    def has_job(self) -> bool:
        """Whether `before_switch` has to run: once for each release that comes."""
        return bool(self.fresh and self.service.before_switch)

    @property
    def replaces(self) -> bool:
        """Whether the old one must stop before the new one starts."""
        return self.fresh and self.service.strategy == "replace" and bool(self.live)

    @property
    def live_colour(self) -> Colour | None:
        """The colour of the live release."""
        if self.entry is None:
            return None
        return self.entry.live_colour or self.entry.colour_of(self.live_release)

    @property
    def colour(self) -> Colour:
        """The colour that the desired release fills."""
        if not self.fresh:
            return self.live_colour or "blue"
        known = self.entry.colour_of(self.release.id) if self.entry else None
        if self.again and known is not None:
            return known
        taken = self.live_colour or self.abandoned_colour
        return other(taken) if taken else "blue"

    @property
    def abandoned(self) -> tuple[Container, ...]:
        """What a killed replacement stopped and did not replace: its callers are held still."""
        colour = self.abandoned_colour
        if self.entry is None or colour is None:
            return ()
        addresses = self.entry.addresses(colour)
        return tuple(c for c in self.kept if c.address in addresses)

    @property
    def again(self) -> bool:
        """Whether what a killed replacement stopped is just what is desired."""
        return any(c.release == self.release.id for c in self.abandoned)

    @property
    def abandoned_colour(self) -> Colour | None:
        """The colour of what a killed replacement stopped."""
        if self.entry is None or self.entry.live != HOLD or self.live:
            return None
        stopped = {(c.release, c.address) for c in self.kept}
        for colour in COLOURS:
            release = self.entry.releases[colour]
            if any((release, address) in stopped for address in self.entry.addresses(colour)):
                return colour
        return None

    @property
    def staying(self) -> tuple[Container, ...]:
        """Live containers that go on serving."""
        if self.fresh:
            return ()
        return tuple(c for c in self.live if c.replica <= self.service.replicas)

    @property
    def leaving(self) -> tuple[Container, ...]:
        """Live containers that are retired after the switch."""
        return tuple(c for c in self.live if c not in self.staying)

    @property
    def missing(self) -> tuple[int, ...]:
        """Replica numbers of the desired release that don't run yet."""
        there = {c.replica for c in self.staying}
        return tuple(n for n in range(1, self.service.replicas + 1) if n not in there)

    @property
    def outcome(self) -> str:
        """What a rollout makes of this service, in one word."""
        if self.fresh:
            if self.live:
                return "changed"
            ran = any(c.release == self.release.id for c in self.kept)
            return "mended" if ran else "new"
        if self.leaving or (self.missing and len(self.live) < self.service.replicas):
            return "scaled" if not self.missing or not self._gap else "mended"
        return "unchanged"

    @property
    def _gap(self) -> bool:
        """Whether a replica is missing that the edge still expects: it died or was removed."""
        if self.entry is None or self.live_colour is None:
            return bool(self.kept)
        expected = set(self.entry.addresses(self.live_colour))
        return bool(expected - {c.address for c in self.live})

    def wanted_entry(self) -> Entry | None:
        """The service's shape in the edge's table; None without a port."""
        service = self.service
        if service.port is None:
            return None
        return Entry(
            stack=self.release.stack,
            service=service.name,
            protocol=service.protocol,
            port=service.port,
            slots=slots_for(service.replicas),
            holds=service.strategy == "replace",
            hold_seconds=service.hold,
        )


def situation_of(service: Service, release: Release, observed: Observed) -> Situation:
    """Judge one service by what is observed; the engine's word goes before the table's."""
    entry = observed.table.entries.get(f"{release.stack}/{service.name}")
    containers = observed.of(service.name)
    running = [c for c in containers if c.running]
    live_release = _live_release(entry, running, release)
    live = tuple(c for c in running if c.release == live_release)
    kept = tuple(c for c in containers if c.state == "exited")
    leftovers = tuple(c for c in containers if c not in live and c not in kept)
    return Situation(
        service=service,
        release=release,
        entry=entry,
        live_release=live_release if live else "",
        live=live,
        kept=kept,
        leftovers=leftovers,
    )


def _live_release(entry: Entry | None, running: list[Container], desired: Release) -> str:
    if entry is None or (not desired.runtime.port and not entry.live_colour):
        # No port: nothing is routed, so what runs is live; the desired one first.
        releases = {c.release for c in running}
        if desired.id in releases:
            return desired.id
        return max(running, key=lambda c: c.created).release if running else ""
    if entry.live_colour is not None:
        return entry.releases[entry.live_colour]
    # Held or switched off midway: the colour whose container runs is the one that serves.
    runs = {c.release for c in running}
    return next((entry.releases[c] for c in COLOURS if entry.releases[c] in runs), "")
