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
from containerdeploy.interrupts import interrupts
from containerdeploy.plan import EditEdge

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


class _Asked(Exception):
    """The user asked to stop, and now is a place where that can be done."""


class Executor:
    """Walks one plan of one rollout."""

    def __init__(self, actions: Actions, ledger: Ledger, rollout: str, emit: Emit) -> None:
        self.actions = actions
        self.ledger = ledger
        self.rollout = rollout
        self.emit = emit
        # None in it says that the user asked to stop; only a SimpleQueue takes what a
        # signal handler puts (docs.python.org/3/library/queue.html, "SimpleQueue").
        self._results: queue.SimpleQueue[tuple[Step, CdeployError | None] | None]
        self._results = queue.SimpleQueue()
        self._begun: list[Step] = []
        self._done: set[str] = set()

    def walk(self, plan: Plan) -> Walk:
        """Do the plan. On an error, Ctrl-C or SIGTERM before the switch, undo it.

        A plan without a switch is done like one whose switch is its end. After the switch
        Ctrl-C finishes in short order. A second one means now: KeyboardInterrupt, and the
        next run does the rest.
        """
        with interrupts(lambda: self._results.put(None)):
            return self._walk(plan)

    def _walk(self, plan: Plan) -> Walk:
        walk = Walk()
        before = plan.before_switch if plan.switch else plan.steps
        try:
            self._do_all(before)
            if plan.switch:
                self._do_all((plan.switch,), done=before)
        except (CdeployError, _Asked) as error:
            self._give_up(error)
            if plan.switch is None or plan.switch.id not in self._done:
                walk.error = error if isinstance(error, CdeployError) else _interrupted()
                self._undo()
                return walk
            # It came while the switch was done: the new releases serve, nothing may be undone.
            self._hasten()
        walk.switched = True
        if plan.switch:
            done = (*before, plan.switch)
            walk.later = self._do_rest(plan.steps[len(done) :], done)
        return walk

    def _do_all(
        self,
        steps: Iterable[Step],
        done: Iterable[Step] = (),
        errors: list[CdeployError] | None = None,
    ) -> None:
        """Do steps in the order of their `after`.

        Args:
            errors: takes the errors, and a step that failed counts as done; without it
                the first one is raised.
        """
        waiting = list(steps)
        finished = {step.id for step in done}
        running: dict[str, float] = {}
        while waiting or running:
            for step in self._startable(waiting, finished, running):
                waiting.remove(step)
                running[step.id] = time.monotonic() + step.timeout
                self._start(step)
            id_, error = self._next(running)
            del running[id_]
            if error is not None:
                if errors is None:
                    raise error
                errors.append(error)
            finished.add(id_)

    def _do_rest(self, steps: Iterable[Step], done: Iterable[Step]) -> list[CdeployError]:
        """Do the steps after the switch; one that fails doesn't stop the others."""
        errors: list[CdeployError] = []
        rest, finished = list(steps), list(done)
        while rest:
            try:
                # What is under way goes on when another fails: a drain must not be cut short.
                self._do_all(rest, finished, errors)
            except _Asked:
                self._hasten()
            except CdeployError as error:  # the ledger can't be written, say
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
        self._begun.append(step)
        self.ledger.step_begun(self.rollout, step)
        self._tell(step, "begun")
        threading.Thread(target=self._run, args=(step,), name=step.id, daemon=True).start()

    def _run(self, step: Step) -> None:
        begun = time.monotonic()
        error = self._attempt(step)
        if error is None:
            self._done.add(step.id)
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

    def _next(self, running: dict[str, float]) -> tuple[str, CdeployError | None]:
        """The next step that ended, by its id; with `StepTimeout` when it passed its deadline."""
        while True:
            late = min(running, key=lambda one: running[one])
            left = running[late] - time.monotonic()
            if left <= 0:
                limit = next(step.timeout for step in self._begun if step.id == late)
                return late, StepTimeout(
                    f"{late}: not done after {limit:g} s",
                    hint="look at `cdeploy doctor` and at the engine's own log",
                )
            try:
                result = self._results.get(timeout=left)
            except queue.Empty:
                continue
            if result is None:
                raise _Asked
            step, error = result
            if step.id in running:  # else: a straggler of a part that was given up
                return step.id, error

    def _hasten(self) -> None:
        """The new releases serve: finish in short order instead of leaving a half."""
        self.actions.hurry.set()
        self.emit(Event("warn", {"text": "switched already: finishing in short order"}))

    def _collect(self) -> None:
        """Wait until the steps under way have ended (bounded)."""
        deadline = time.monotonic() + GRACE
        names = {step.id for step in self._begun}
        for thread in threading.enumerate():
            if thread.name in names and thread is not threading.current_thread():
                thread.join(max(0.0, deadline - time.monotonic()))
        while not self._results.empty():
            if self._results.get_nowait() is None:
                self.actions.hurry.set()

    def _give_up(self, why: CdeployError | _Asked) -> None:
        self.actions.cancel.set()
        if isinstance(why, _Asked):
            text = "stopping; interrupt once more to leave the rest to the next `cdeploy up`"
            self.emit(Event("warn", {"text": text}))
        self._collect()

    def _undo(self) -> None:
        """Take back the begun steps, the latest first."""
        for step in reversed(self._begun):
            taken_back = all(self._take_back(step, undo) for undo in step.undo)
            if step.undo:
                self._note_undone(step)
            if not taken_back and isinstance(step, EditEdge) and step.is_switch:
                # What was new may serve: it stays beside the old until the next run decides.
                return

    def _take_back(self, step: Step, undo: Step) -> bool:
        self._tell(undo, "begun", undo=True)
        error = self._attempt(undo)
        if error is None:
            self._tell(undo, "done", undo=True)
            return True
        self._tell(undo, "failed", undo=True, error=str(error))
        text = f"could not undo {step.id}: {error}; the next `cdeploy up` will"
        self.emit(Event("warn", {"text": text}))
        return False

    def _note_undone(self, step: Step) -> None:
        try:
            self.ledger.step_ended(self.rollout, step, "undone")
        except CdeployError as error:  # a full disk, say, must not keep the rest from its undo
            self.emit(Event("warn", {"text": str(error)}))

    def _tell(self, step: Step, state: str, **data: object) -> None:
        known = {"id": step.id, "service": step.service, "state": state, "why": step.why}
        self.emit(Event("step", {**known, **{k: v for k, v in data.items() if v != ""}}))


def _interrupted() -> Interrupted:
    return Interrupted(
        "interrupted before the switch: everything new was removed, what served before serves",
        hint="run the same command again when you are ready",
    )
