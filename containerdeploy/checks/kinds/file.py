"""``[[service.X.test.file]]``: a path in the image, seen without starting anything."""

import hashlib
import posixpath
import re
from dataclasses import dataclass, replace
from typing import Annotated, ClassVar, Literal

from containerdeploy.check import Check, Outcome, PathInfo, Phase, Subject, Verdict
from containerdeploy.checks.text import Text, pattern_problems, several

MAX_LINKS = 40
"""Links followed before we call it a circle (Linux's own bound, path_resolution(7))."""


@dataclass(frozen=True, kw_only=True)
class File(Check):
    """Expectations on a path; each key that is given must hold.

    `type = "link"` and `link_target` look at a link itself, everything else at
    what it leads to.
    """

    kind: ClassVar[str] = "file"
    phase: ClassVar[Phase] = Phase.IMAGE

    path: Annotated[str, "the absolute path in the container"]
    exists: Annotated[bool, "false: nothing may be there"] = True
    type: Annotated[Literal["file", "directory", "link"] | None, "what it is"] = None
    mode: Annotated[str | None, 'permission bits in octal, as "0644"'] = None
    owner: Annotated[int | None, "the number of the user that owns it"] = None
    group: Annotated[int | None, "the number of the group that owns it"] = None
    size: Annotated[int | None, "its size in bytes"] = None
    sha256: Annotated[str | None, "the SHA-256 of its content, 64 hex digits"] = None
    contains: Annotated[
        str | tuple[str, ...] | None, "a text, or a list of texts, found in its content"
    ] = None
    matches: Annotated[
        str | tuple[str, ...] | None,
        "a regular expression, or a list of them, found in its content (^ and $ at every line)",
    ] = None
    link_target: Annotated[str | None, "where the link points, as written or as absolute path"] = (
        None
    )

    def title(self) -> str:
        """``file /etc/app.conf``, ``no file /etc/app.conf``."""
        return f"{'' if self.exists else 'no '}file {self.path}"

    def problems(self) -> list[tuple[str, str]]:
        """A relative path, a mode that is not octal, expectations on what must not exist."""
        found = []
        if not self.path.startswith("/"):
            found.append(("path", f'{self.path!r} should be absolute, starting with "/"'))
        if self.mode is not None and not re.fullmatch(r"(0o)?[0-7]{3,5}", self.mode):
            found.append(("mode", f'{self.mode!r} should be octal permission bits, as "0644"'))
        if self.sha256 is not None and not re.fullmatch(r"(sha256:)?[0-9a-fA-F]{64}", self.sha256):
            found.append(("sha256", "should be 64 hex digits"))
        for key, number in (("owner", self.owner), ("group", self.group), ("size", self.size)):
            if number is not None and number < 0:
                found.append((key, f"{number} should be 0 or more"))
        found += pattern_problems("matches", self.matches)
        if not self.exists and (asked := self._asked()):
            message = f"says that nothing is there, so {', '.join(asked)} can't hold as well"
            found.append(("exists", message))
        if self.type in ("directory", "link") and self._content_asked():
            found.append(("type", f"a {self.type} has no content to compare"))
        if self.link_target is not None and self.type not in (None, "link"):
            found.append(("type", 'only a "link" has a link_target'))
        return found

    def judge(self, subject: Subject) -> Verdict:
        """Look at the path; all mismatches are named."""
        there = subject.stat(self.path)
        if not self.exists:
            found = "" if there is None else f"a {_words(there)}"
            return Verdict(_outcome(not found), f"nothing at {self.path}", found)
        expected = self._expected()
        if there is None:
            return Verdict(Outcome.FAIL, expected, f"nothing at {self.path}{_near(subject, self)}")
        wrong = self._link_mismatches(there)
        if self._follows():
            target = there if there.type != "link" else _followed(subject, there)
            if target is None:
                wrong.append(f"a link to {there.link_target}, which is not there")
            else:
                wrong += self._mismatches(target)
                wrong += self._content_mismatches(subject, target)
        return Verdict(_outcome(not wrong), expected, "; ".join(wrong))

    def _link_mismatches(self, there: PathInfo) -> list[str]:
        if (self.type == "link" or self.link_target is not None) and there.type != "link":
            return [f"a {_words(there)}"]
        if self.link_target is not None:
            wanted = {self.link_target, _absolute(self.path, self.link_target)}
            if not wanted & {there.link_target, _absolute(self.path, there.link_target)}:
                return [f"a link to {there.link_target}"]
        return []

    def _mismatches(self, there: PathInfo) -> list[str]:
        wrong = []
        if self.type is not None and self.type != there.type:
            wrong.append(f"a {there.type}")
        if self.mode is not None and int(self.mode, 8) != there.mode:
            wrong.append(f"mode {there.mode:04o}")
        for key, wanted, found in (
            ("owner", self.owner, there.uid),
            ("group", self.group, there.gid),
        ):
            if wanted is not None and wanted != found:
                wrong.append(f"{key} {'unknown' if found is None else found}")
        if self.size is not None and self.size != there.size:
            wrong.append(f"{there.size} bytes")
        return wrong

    def _content_mismatches(self, subject: Subject, there: PathInfo) -> list[str]:
        if not self._content_asked():
            return []
        if there.type != "file":
            return [] if self.type else [f"a {there.type}, which has no content to compare"]
        content = subject.read(there.path)
        wrong = []
        if self.sha256 is not None:
            digest = hashlib.sha256(content).hexdigest()
            if digest != self.sha256.lower().removeprefix("sha256:"):
                wrong.append(f"sha256 {digest}")
        text = Text(contains=self.contains, matches=self.matches)
        mismatch = text.mismatch(content.decode(errors="replace"))
        return [*wrong, mismatch] if mismatch else wrong

    def _expected(self) -> str:
        parts = [f"{self.path} exists"]
        parts += [f"is a {self.type}"] if self.type else []
        parts += [
            f"{key} {value}"
            for key in ("mode", "owner", "group", "size", "sha256")
            if (value := getattr(self, key)) is not None
        ]
        parts += [f"contains {part!r}" for part in several(self.contains)]
        parts += [f"matches {part!r}" for part in several(self.matches)]
        parts += [f"links to {self.link_target}"] if self.link_target is not None else []
        return ", ".join(parts)

    def _asked(self) -> list[str]:
        keys = ("type", "mode", "owner", "group", "size", "sha256", "contains", "matches")
        return [key for key in (*keys, "link_target") if getattr(self, key) is not None]

    def _content_asked(self) -> bool:
        return any(value is not None for value in (self.sha256, self.contains, self.matches))

    def _follows(self) -> bool:
        """Whether anything is asked of what a link leads to."""
        about_links = {"link_target"} | ({"type"} if self.type == "link" else set())
        return bool(set(self._asked()) - about_links)


def _followed(subject: Subject, link: PathInfo) -> PathInfo | None:
    path, there = link.path, link
    for _ in range(MAX_LINKS):
        path = _absolute(path, there.link_target)
        found = subject.stat(path)
        if found is None or found.type != "link":
            return None if found is None else replace(found, path=path)
        there = found
    return None


def _absolute(path: str, target: str) -> str:
    return posixpath.normpath(posixpath.join(posixpath.dirname(path), target))


def _near(subject: Subject, check: File) -> str:
    """The nearest folder above that is there, to tell a wrong name from a wrong place."""
    parent = posixpath.dirname(check.path)
    while parent != "/":
        there = subject.stat(parent)
        if there is not None:
            return f" (the {there.type} {parent} is there)"
        parent = posixpath.dirname(parent)
    return ""


def _words(there: PathInfo) -> str:
    link = f" to {there.link_target}" if there.type == "link" else ""
    return f"{there.type}{link}, mode {there.mode:04o}, {there.size} bytes"


def _outcome(holds: bool) -> Outcome:
    return Outcome.PASS if holds else Outcome.FAIL
