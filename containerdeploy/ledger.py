"""The host's memory: rollouts, steps (written ahead), releases and verdicts, in SQLite.

What runs is never read from here; the ledger is memory and intent.
"""

from __future__ import annotations

import json
import os
import sqlite3
import threading
import time
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any

from containerdeploy.errors import HostNotReady
from containerdeploy.files import private_folder

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from containerdeploy.check import CheckResult
    from containerdeploy.plan import Step
    from containerdeploy.release import Release

SCHEMA = (
    """
    CREATE TABLE rollouts (
        id TEXT PRIMARY KEY, stack TEXT NOT NULL, command TEXT NOT NULL,
        started REAL NOT NULL, ended REAL, outcome TEXT NOT NULL DEFAULT 'begun',
        who TEXT NOT NULL, git_commit TEXT NOT NULL, error TEXT NOT NULL DEFAULT '',
        description TEXT NOT NULL
    );
    CREATE INDEX rollouts_by_stack ON rollouts (stack, started);
    CREATE TABLE steps (
        rollout TEXT NOT NULL REFERENCES rollouts (id) ON DELETE CASCADE,
        id TEXT NOT NULL, service TEXT NOT NULL, why TEXT NOT NULL,
        state TEXT NOT NULL, started REAL NOT NULL, ended REAL, error TEXT NOT NULL DEFAULT ''
    );
    CREATE INDEX steps_by_rollout ON steps (rollout);
    CREATE TABLE releases (
        stack TEXT NOT NULL, service TEXT NOT NULL, id TEXT NOT NULL, image TEXT NOT NULL,
        first_seen REAL NOT NULL, description TEXT NOT NULL,
        PRIMARY KEY (stack, service, id)
    );
    CREATE TABLE verdicts (
        image TEXT NOT NULL, checks TEXT NOT NULL, at REAL NOT NULL, results TEXT NOT NULL,
        PRIMARY KEY (image, checks)
    );
    """,
)
"""One script a version; a ledger of version N has had the first N run on it."""


@dataclass(frozen=True, slots=True)
class Rollout:
    """One rollout as the ledger remembers it. Times: seconds since the epoch.

    Attributes:
        outcome: "begun", "switched", "unchanged", "removed", "failed", "red",
            "interrupted", or "died" (its process did, midway).
        description: the resolved stack and its releases, without secrets.
    """

    id: str
    stack: str
    command: str
    started: float
    ended: float | None
    outcome: str
    who: str
    git_commit: str
    error: str = ""
    description: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class StepRecord:
    """One step of a rollout: state "begun", "done", "failed" or "undone"."""

    id: str
    service: str
    why: str
    state: str
    started: float
    ended: float | None
    error: str


class Ledger:
    """The ledger of one host. Thread-safe; safe between processes (SQLite, WAL)."""

    def __init__(self, path: Path) -> None:
        private_folder(path.parent)
        try:
            os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
            self._db = sqlite3.connect(path, timeout=10.0, check_same_thread=False)
            self._open()
        except (OSError, sqlite3.Error) as error:
            raise HostNotReady(
                f"the ledger {path} can't be used: {error}",
                hint="make the state folder writable, or move the damaged ledger away",
            ) from error
        self._lock = threading.Lock()

    def _open(self) -> None:
        try:
            self._db.execute("PRAGMA journal_mode = WAL")
            # A killed process loses nothing with NORMAL; only a power cut may lose the
            # last records, and what runs is read from the engine anyway.
            self._db.execute("PRAGMA synchronous = NORMAL")
            self._migrate()
        except sqlite3.Error:
            self._db.close()
            raise

    def _migrate(self) -> None:
        version = self._db.execute("PRAGMA user_version").fetchone()[0]
        if version > len(SCHEMA):
            raise sqlite3.DatabaseError(
                f"it was written by a newer cdeploy (schema {version}, known {len(SCHEMA)})"
            )
        for number in range(version, len(SCHEMA)):
            self._db.executescript(
                f"BEGIN; {SCHEMA[number]} PRAGMA user_version = {number + 1}; COMMIT;"
            )

    def _write(self, sql: str, values: tuple[object, ...]) -> None:
        try:
            with self._lock, self._db:
                self._db.execute(sql, values)
        except sqlite3.Error as error:
            raise HostNotReady(
                f"the ledger can't be written: {error}", hint="is the disk full?"
            ) from error

    def _read(self, sql: str, values: tuple[object, ...] = ()) -> list[tuple[Any, ...]]:
        with self._lock:
            return self._db.execute(sql, values).fetchall()

    def close(self) -> None:
        """Close the database."""
        self._db.close()

    # -- rollouts ---------------------------------------------------------------

    def begin(self, rollout: Rollout) -> None:
        """Write that a rollout begins."""
        self._write(
            "INSERT INTO rollouts (id, stack, command, started, who, git_commit, description)"
            " VALUES (?, ?, ?, ?, ?, ?, ?)",
            (
                rollout.id,
                rollout.stack,
                rollout.command,
                rollout.started,
                rollout.who,
                rollout.git_commit,
                json.dumps(rollout.description, sort_keys=True),
            ),
        )

    def end(self, rollout: str, outcome: str, error: str = "") -> None:
        """Write how a rollout ended."""
        self._write(
            "UPDATE rollouts SET ended = ?, outcome = ?, error = ? WHERE id = ?",
            (time.time(), outcome, error, rollout),
        )

    def bury(self, stack: str) -> None:
        """Mark rollouts of a stack whose process died; called by who holds the stack's lock."""
        self._write(
            "UPDATE rollouts SET outcome = 'died', ended = COALESCE("
            " (SELECT MAX(COALESCE(ended, started)) FROM steps WHERE rollout = rollouts.id),"
            " started) WHERE stack = ? AND outcome = 'begun'",
            (stack,),
        )

    def rollouts(self, stack: str = "", limit: int = 20) -> tuple[Rollout, ...]:
        """The latest rollouts (of a stack), newest first."""
        where = "WHERE stack = ?" if stack else ""
        rows = self._read(
            "SELECT id, stack, command, started, ended, outcome, who, git_commit, error,"  # noqa: S608
            f" description FROM rollouts {where} ORDER BY started DESC LIMIT ?",
            (stack, limit) if stack else (limit,),
        )
        return tuple(_rollout(row) for row in rows)

    def rollout(self, id_: str) -> Rollout | None:
        """One rollout by its id."""
        rows = self._read(
            "SELECT id, stack, command, started, ended, outcome, who, git_commit, error,"
            " description FROM rollouts WHERE id = ?",
            (id_,),
        )
        return _rollout(rows[0]) if rows else None

    # -- steps ------------------------------------------------------------------

    def step_begun(self, rollout: str, step: Step) -> None:
        """Write ahead that a step is about to be done."""
        self._write(
            "INSERT INTO steps (rollout, id, service, why, state, started)"
            " VALUES (?, ?, ?, ?, 'begun', ?)",
            (rollout, step.id, step.service, step.why, time.time()),
        )

    def step_ended(self, rollout: str, step: Step, state: str, error: str = "") -> None:
        """Mark a step done, failed or undone."""
        self._write(
            "UPDATE steps SET state = ?, ended = ?, error = ? WHERE rollout = ? AND id = ?",
            (state, time.time(), error, rollout, step.id),
        )

    def steps(self, rollout: str) -> tuple[StepRecord, ...]:
        """The steps of a rollout, in the order in which they began."""
        rows = self._read(
            "SELECT id, service, why, state, started, ended, error FROM steps"
            " WHERE rollout = ? ORDER BY started, rowid",
            (rollout,),
        )
        return tuple(StepRecord(*row) for row in rows)

    # -- releases -----------------------------------------------------------------

    def remember(self, release: Release) -> None:
        """Keep a release's full description (fingerprints of secrets, never values)."""
        description = {"runtime": release.runtime.to_json()}
        self._write(
            "INSERT OR IGNORE INTO releases (stack, service, id, image, first_seen, description)"
            " VALUES (?, ?, ?, ?, ?, ?)",
            (
                release.stack,
                release.service,
                release.id,
                release.image,
                time.time(),
                json.dumps(description, sort_keys=True),
            ),
        )

    def release(self, stack: str, service: str, id_: str) -> dict[str, Any] | None:
        """A release's image and runtime description, as they were."""
        rows = self._read(
            "SELECT image, description FROM releases WHERE stack = ? AND service = ? AND id = ?",
            (stack, service, id_),
        )
        return {"image": rows[0][0], **json.loads(rows[0][1])} if rows else None

    # -- verdicts -----------------------------------------------------------------

    def known(self, image: str, checks: str) -> bool:
        """Whether these checks were all green on this image."""
        rows = self._read("SELECT 1 FROM verdicts WHERE image = ? AND checks = ?", (image, checks))
        return bool(rows)

    def record(self, image: str, checks: str, results: tuple[CheckResult, ...]) -> None:
        """Keep that these checks were all green on this image."""
        text = json.dumps([_result(r) for r in results])
        self._write(
            "INSERT OR REPLACE INTO verdicts (image, checks, at, results) VALUES (?, ?, ?, ?)",
            (image, checks, time.time(), text),
        )


def _rollout(row: tuple[Any, ...]) -> Rollout:
    names = [column.name for column in fields(Rollout)]
    known = dict(zip(names, row, strict=True))
    return Rollout(**{**known, "description": json.loads(known["description"])})


def _result(result: CheckResult) -> Mapping[str, object]:
    return {
        "service": result.service,
        "check": result.check.name or result.check.title(),
        "outcome": result.verdict.outcome.value,
        "seconds": round(result.verdict.seconds, 4),
    }
