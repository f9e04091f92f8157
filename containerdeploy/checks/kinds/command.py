"""``[[service.X.test.command]]``: a command run inside the running container."""

from dataclasses import dataclass
from typing import Annotated, ClassVar

from containerdeploy.check import CannotObserve, Check, Outcome, Phase, Subject, Verdict
from containerdeploy.checks.text import Text, as_text, expectation_problems, revived, shown


@dataclass(frozen=True, kw_only=True)
class Command(Check):
    """Expectations on what a command comes to. It runs once, and without a shell."""

    kind: ClassVar[str] = "command"
    phase: ClassVar[Phase] = Phase.RUNTIME

    run: Annotated[tuple[str, ...], 'the program and its arguments, as ["python3", "--version"]']
    exit: Annotated[int, "the exit code"] = 0
    stdout: Annotated[
        str | Text | None, "the standard output: a text, or { contains, matches, equals }"
    ] = None
    stderr: Annotated[
        str | Text | None, "the error output: a text, or { contains, matches, equals }"
    ] = None
    user: Annotated[str, "run as this user; the container's own when empty"] = ""

    def __post_init__(self) -> None:
        for key in ("stdout", "stderr"):
            object.__setattr__(self, key, revived(getattr(self, key)))

    def title(self) -> str:
        """``command python3 --version``."""
        return f"command {' '.join(self.run)}"

    def problems(self) -> list[tuple[str, str]]:
        """Nothing to run, an exit code that can't be, patterns that don't compile."""
        found = []
        if not self.run or not self.run[0]:
            found.append(("run", 'should name a program, as ["python3", "--version"]'))
        if not 0 <= self.exit <= 255:
            found.append(("exit", f"{self.exit} should be 0 to 255"))
        found += expectation_problems("stdout", self.stdout)
        found += expectation_problems("stderr", self.stderr)
        return found

    def judge(self, subject: Subject) -> Verdict:
        """Run it and compare; a command that can't be run is an error, whatever was expected."""
        ran = subject.run(tuple(self.run), user=self.user, timeout=self.timeout)
        if ran.exit_code is None:
            raise CannotObserve(
                f"can't run {self.run[0]}: {ran.stderr.strip() or 'no reason given'}"
            )
        asked = [f"exit code {self.exit}"]
        wrong = []
        if ran.exit_code != self.exit:
            words = shown(ran.stderr or ran.stdout)
            wrong.append(f"exit code {ran.exit_code}, output {words}")
        for name, expected, found in (
            ("stdout", self.stdout, ran.stdout),
            ("stderr", self.stderr, ran.stderr),
        ):
            if expected is None:
                continue
            text = as_text(expected)
            asked.append(f"{name} {text.words()}")
            if mismatch := text.mismatch(found):
                wrong.append(f"{name}: {mismatch}")
        outcome = Outcome.FAIL if wrong else Outcome.PASS
        return Verdict(outcome, expected=", ".join(asked), found="; ".join(wrong))
