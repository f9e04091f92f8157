"""Walks a plan: everything that can run at once does, each step through the ledger.

No opinions here: what to do and what undoes it is in the plan; how it is done is
in `containerdeploy.actions`.
"""

from __future__ import annotations

import queue
import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from containerdeploy.errors import CdeployError, Interrupted, StepTimeout
from containerdeploy.events import Emit, Event

if TYPE_CHECKING:
    from collections.abc import Iterable

    from containerdeploy.ledger import Ledger
    from containerdeploy.plan import Plan, Step

AT_ONCE = 16
"""Steps done at the same time; the engine serialises much of its work anyway."""
GRACE = 15.0
"""Seconds that steps under way get to notice that the rollout was given up."""


class Actions(Protocol):
    """Does steps. `cancel` is set when the rollout is given up, `hurry` to cut drains short."""

    cancel: threading.Event
    hurry: threading.Event

    def do(self, step: Step) -> None:
        """Do one step; repeating it is harmless. Raises `CdeployError`."""
        ...


@dataclass
class Walk:
    """What came of walking a plan.

    Attributes:
        switched: whether the switch was done: from there on the new releases serve.
        error: the first error before the switch (the plan was undone), or None.
        later: errors after the switch; the new releases serve all the same.
    """

    switched: bool = False
    error: BaseException | None = None
    later: list[CdeployError] = field(default_factory=list)


class Executor:
    """Walks one plan of one rollout."""

    def __init__(self, actions: Actions, ledger: Ledger, rollout: str, emit: Emit) -> None:
        self.actions = actions
        self.ledger = ledger
        self.rollout = rollout
        self.emit = emit
        self._results: queue.Queue[tuple[Step, CdeployError | None]] = queue.Queue()
        self._begun: list[Step] = []

    def walk(self, plan: Plan) -> Walk:
        """Do the plan. On an error, Ctrl-C or SIGTERM before the switch, undo it.

        A plan without a switch is done like one whose switch is its end.
        """
        walk = Walk()
        before = plan.before_switch if plan.switch else plan.steps
        try:
            self._do_all(before)
            if plan.switch:
                self._do_all((plan.switch,), done=before)
        except (CdeployError, KeyboardInterrupt) as error:
            walk.error = error if isinstance(error, CdeployError) else _interrupted()
            self._give_up()
            self._undo()
            return walk
        walk.switched = True
        if plan.switch:
            done = (*before, plan.switch)
            walk.later = self._do_rest(plan.steps[len(done) :], done)
        return walk

    def _do_all(self, steps: Iterable[Step], done: Iterable[Step] = ()) -> None:
        """Do steps in the order of their `after`; raises the first error."""
        waiting = list(steps)
        finished = {step.id for step in done}
        running: dict[str, float] = {}
        while waiting or running:
            for step in self._startable(waiting, finished, running):
                waiting.remove(step)
                running[step.id] = time.monotonic() + step.timeout
                self._start(step)
            step, error = self._next(running)
            del running[step.id]
            if error is not None:
                raise error
            finished.add(step.id)

    def _do_rest(self, steps: Iterable[Step], done: Iterable[Step]) -> list[CdeployError]:
        """Do the steps after the switch; one that fails doesn't stop the others."""
        errors: list[CdeployError] = []
        rest, finished = list(steps), list(done)
        while rest:
            try:
                self._do_all(rest, finished)
            except KeyboardInterrupt:
                # The new releases serve: finish in short order instead of leaving a half.
                self.actions.hurry.set()
                self.emit(Event("warn", {"text": "switched already: finishing in short order"}))
            except CdeployError as error:
                errors.append(error)
            else:
                break
            self._collect()
            begun = {step.id for step in self._begun}
            finished += [step for step in rest if step.id in begun]
            rest = [step for step in rest if step.id not in begun]
        return errors

    def _startable(
        self, waiting: list[Step], finished: set[str], running: dict[str, float]
    ) -> list[Step]:
        free = AT_ONCE - len(running)
        known = finished | running.keys() | {step.id for step in waiting}
        return [
            step
            for step in waiting
            if all(one in finished or one not in known for one in step.after)
        ][:free]

    def _start(self, step: Step) -> None:
        # Daemon threads: a step that hangs in a library call past its deadline must
        # not keep the process from ending.
        self.ledger.step_begun(self.rollout, step)
        self._begun.append(step)
        self._tell(step, "begun")
        threading.Thread(target=self._run, args=(step,), name=step.id, daemon=True).start()

    def _run(self, step: Step) -> None:
        begun = time.monotonic()
        error = self._attempt(step)
        seconds = time.monotonic() - begun
        state = "failed" if error else "done"
        try:
            self.ledger.step_ended(self.rollout, step, state, str(error or ""))
        except CdeployError as caught:
            error = error or caught
        self._tell(step, state, seconds=round(seconds, 4), error=str(error or ""))
        self._results.put((step, error))

    def _attempt(self, step: Step) -> CdeployError | None:
        try:
            self.actions.do(step)
        except CdeployError as caught:
            return caught
        except Exception as caught:  # noqa: BLE001  a bug fails the rollout; it never hangs or half-undoes it
            error = CdeployError(
                f"{step.id}: {type(caught).__name__}: {caught}", hint="this is a bug in cdeploy"
            )
            error.__cause__ = caught
            return error
        return None

    def _next(self, running: dict[str, float]) -> tuple[Step, CdeployError | None]:
        """The next step that ended; raises `StepTimeout` when one passed its deadline."""
        while True:
            late = min(running, key=lambda one: running[one])
            left = running[late] - time.monotonic()
            if left <= 0:
                limit = next(step.timeout for step in self._begun if step.id == late)
                raise StepTimeout(
                    f"{late}: not done after {limit:g} s",
                    hint="look at `cdeploy doctor` and at the engine's own log",
                )
            try:
                step, error = self._results.get(timeout=left)
            except queue.Empty:
                continue
            if step.id in running:  # else: a straggler of a part that was given up
                return step, error

    def _collect(self) -> None:
        """Wait until the steps under way have ended (bounded)."""
        deadline = time.monotonic() + GRACE
        names = {step.id for step in self._begun}
        for thread in threading.enumerate():
            if thread.name in names and thread is not threading.current_thread():
                thread.join(max(0.0, deadline - time.monotonic()))
        while not self._results.empty():
            self._results.get_nowait()

    def _give_up(self) -> None:
        self.actions.cancel.set()
        try:
            self._collect()
        except KeyboardInterrupt:
            text = "undoing what was begun; interrupted again, the next `cdeploy up` does it"
            self.emit(Event("warn", {"text": text}))

    def _undo(self) -> None:
        """Take back the begun steps, the latest first."""
        for step in reversed(self._begun):
            for undo in step.undo:
                self._tell(undo, "begun", undo=True)
                error = self._attempt(undo)
                if error is None:
                    self._tell(undo, "done", undo=True)
                    continue
                self._tell(undo, "failed", undo=True, error=str(error))
                text = f"could not undo {step.id}: {error}; the next `cdeploy up` will"
                self.emit(Event("warn", {"text": text}))
            if step.undo:
                self.ledger.step_ended(self.rollout, step, "undone")

    def _tell(self, step: Step, state: str, **data: object) -> None:
        known = {"id": step.id, "service": step.service, "state": state, "why": step.why}
        self.emit(Event("step", {**known, **{k: v for k, v in data.items() if v != ""}}))


def _interrupted() -> Interrupted:
    return Interrupted(
        "interrupted before the switch: everything new was removed, what served before serves",
        hint="run the same command again when you are ready",
    )
