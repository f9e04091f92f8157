"""``[service.X.test.image]``: what the image says of itself."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Annotated, ClassVar

from containerdeploy.check import Check, Outcome, Phase, Subject, Verdict
from containerdeploy.checks.size import parse_size, size_problems, size_words
from containerdeploy.checks.text import Text, as_text, expectation_problems, revived


@dataclass(frozen=True, kw_only=True)
class Image(Check):
    """Expectations on the image's metadata; each key that is given must hold."""

    kind: ClassVar[str] = "image"
    phase: ClassVar[Phase] = Phase.IMAGE

    entrypoint: Annotated[tuple[str, ...] | None, "the image's ENTRYPOINT, word by word"] = None
    cmd: Annotated[tuple[str, ...] | None, "the image's CMD, word by word"] = None
    env: Annotated[
        dict[str, str | Text] | None, "environment variables that the image sets, with their values"
    ] = None
    absent_env: Annotated[
        tuple[str, ...] | None, "environment variables that the image must not set"
    ] = None
    labels: Annotated[dict[str, str | Text] | None, "labels that the image carries"] = None
    user: Annotated[str | None, "the image's USER"] = None
    workdir: Annotated[str | None, "the image's WORKDIR"] = None
    exposed_ports: Annotated[
        tuple[str, ...] | None, 'all ports that the image exposes, as "8000/tcp" or "8000"'
    ] = None
    volumes: Annotated[tuple[str, ...] | None, "all VOLUMEs of the image"] = None
    max_size: Annotated[
        int | str | None, 'the most that the image may take, in bytes or as "200M"'
    ] = None

    def __post_init__(self) -> None:
        for key in ("env", "labels"):
            if (values := getattr(self, key)) is not None:
                texts = {name: revived(value) for name, value in values.items()}
                object.__setattr__(self, key, texts)

    def title(self) -> str:
        """``image user, exposed_ports``."""
        return f"image {', '.join(self._asked())}".rstrip()

    def problems(self) -> list[tuple[str, str]]:
        """Nothing asserted, a pattern that does not compile, or a size that is none."""
        if not self._asked():
            return [("", 'asserts nothing: give at least one key, such as user = "10001"')]
        found = [] if self.max_size is None else size_problems("max_size", self.max_size)
        for key, expected in (("env", self.env), ("labels", self.labels)):
            for name, value in (expected or {}).items():
                found += expectation_problems(f"{key}.{name}", value)
        return found

    def judge(self, subject: Subject) -> Verdict:
        """Compare every asked key with the image; all mismatches are named."""
        image = subject.image
        asked: list[str] = []
        wrong: list[str] = []

        def same(key: str, expected: object, found: object) -> None:
            if expected is None:
                return
            asked.append(f"{key} = {_words(expected)}")
            if expected != found:
                wrong.append(f"{key} = {_words(found)}")

        def entries(key: str, expected: dict[str, str | Text] | None, all_: dict[str, str]) -> None:
            for name, value in (expected or {}).items():
                text = as_text(value)
                asked.append(f"{key} {name} {text.words()}")
                if name not in all_:
                    wrong.append(f"no {key} {name}{_there(all_)}")
                elif mismatch := text.mismatch(all_[name]):
                    wrong.append(f"{key} {name}: {mismatch}")

        env = dict(entry.partition("=")[::2] for entry in image.env)
        same("entrypoint", _tuple(self.entrypoint), image.entrypoint)
        same("cmd", _tuple(self.cmd), image.command)
        entries("env", self.env, env)
        for name in self.absent_env or ():
            asked.append(f"no env {name}")
            if name in env:
                # Not its value: what should not be there may well be a secret.
                wrong.append(f"env {name} is set")
        entries("label", self.labels, dict(image.labels))
        same("user", self.user, image.user)
        same("workdir", self.workdir, image.workdir)
        same("exposed_ports", _ports(self.exposed_ports), _ports(image.exposed_ports))
        same("volumes", _sorted(self.volumes), _sorted(image.volumes))
        if self.max_size is not None:
            asked.append(f"at most {size_words(parse_size(self.max_size))}")
            if image.size > parse_size(self.max_size):
                wrong.append(f"{size_words(image.size)} ({image.size} bytes)")
        outcome = Outcome.FAIL if wrong else Outcome.PASS
        return Verdict(outcome, expected="; ".join(asked), found="; ".join(wrong))

    def _asked(self) -> list[str]:
        keys = (
            "entrypoint", "cmd", "env", "absent_env", "labels",
            "user", "workdir", "exposed_ports", "volumes", "max_size",
        )  # fmt: skip
        # An empty list asks for something ("exposes nothing"), except where each
        # of its entries would be an expectation.
        by_entry = ("env", "absent_env", "labels")
        values = {key: getattr(self, key) for key in keys}
        return [
            key
            for key, value in values.items()
            if (value if key in by_entry else value is not None)
        ]


def _tuple(value: Iterable[str] | None) -> tuple[str, ...] | None:
    return None if value is None else tuple(value)


def _sorted(value: Iterable[str] | None) -> tuple[str, ...] | None:
    return None if value is None else tuple(sorted(value))


def _ports(value: Iterable[str] | None) -> tuple[str, ...] | None:
    if value is None:
        return None
    return tuple(sorted(port if "/" in port else f"{port}/tcp" for port in value))


def _words(value: object) -> str:
    if isinstance(value, tuple):
        return "[" + ", ".join(f'"{item}"' for item in value) + "]"
    return f'"{value}"'


def _there(names: dict[str, str]) -> str:
    return f" (there are {', '.join(sorted(names))})" if names else " (there are none)"
