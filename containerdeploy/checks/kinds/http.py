"""``[[service.X.test.http]]``: a request to the service's port, answered as expected in time."""

import json
import re
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

from containerdeploy.check import Answer, Check, Outcome, Phase, Subject, Verdict
from containerdeploy.checks.eventually import eventually
from containerdeploy.checks.text import (
    Text,
    as_text,
    expectation_problems,
    pattern_problems,
    revived,
    shown,
)

SAFE = ("GET", "HEAD", "OPTIONS")
"""Methods that change nothing (RFC 9110, 9.2.1), and so may be sent again and again."""


@dataclass(frozen=True, kw_only=True)
class Http(Check):
    """Expectations on the answer to one request; each key that is given must hold.

    A request that changes nothing (GET, HEAD, OPTIONS) is sent again until the
    answer is as expected or the time is up; any other is sent once.
    """

    kind: ClassVar[str] = "http"
    phase: ClassVar[Phase] = Phase.RUNTIME

    path: Annotated[str, "the path to ask for, with its query"]
    method: Annotated[str, "the request's method"] = "GET"
    host: Annotated[
        str, "the request's Host header; when empty the route's host, or the service's name"
    ] = ""
    headers: Annotated[dict[str, str] | None, "the request's further headers"] = None
    body: Annotated[str | None, "the request's body"] = None
    status: Annotated[
        int | tuple[int, ...] | None,
        "the answer's status, or a list of allowed ones; when not given, below 400",
    ] = None
    contains: Annotated[
        str | tuple[str, ...] | None, "a text, or a list of texts, found in the answer's body"
    ] = None
    matches: Annotated[
        str | tuple[str, ...] | None,
        "a regular expression, or a list of them, found in the answer's body",
    ] = None
    json: Annotated[
        Any, "the answer's body as JSON: of a table its keys must be there, all else must be equal"
    ] = None
    header: Annotated[
        dict[str, str | Text] | None, "headers of the answer: a text, or { contains, matches }"
    ] = None
    smoke: Annotated[
        bool | None,
        "whether it is also sent to a candidate before the switch, which sees real data; "
        "when not given, GET, HEAD and OPTIONS are",
    ] = None
    timeout: Annotated[float, "seconds until the answer must be as expected"] = 5.0

    def __post_init__(self) -> None:
        if self.header is not None:
            header = {name: revived(value) for name, value in self.header.items()}
            object.__setattr__(self, "header", header)

    def title(self) -> str:
        """``http GET /healthz``."""
        return f"http {self.method.upper()} {self.path}"

    @property
    def safe(self) -> bool:
        """Whether the request may be sent again."""
        return self.method.upper() in SAFE

    @property
    def smokes(self) -> bool:
        """Whether it is sent to a candidate before the switch."""
        return self.safe if self.smoke is None else self.smoke

    def problems(self) -> list[tuple[str, str]]:
        """A path without a slash, nothing asserted, a status or pattern that can't be."""
        found = []
        if not self.path.startswith("/"):
            found.append(("path", f'{self.path!r} should start with "/"'))
        if not re.fullmatch(r"[A-Za-z]+", self.method):
            found.append(("method", f"{self.method!r} should be a word such as GET or POST"))
        if not self._asserts():
            found.append(("", "asserts nothing: say what to expect, such as status = 200"))
        for status in self._statuses():
            if not 100 <= status <= 599:
                found.append(("status", f"{status} should be 100 to 599"))
        found += pattern_problems("matches", self.matches)
        for name, expected in (self.header or {}).items():
            found += expectation_problems(f"header.{name}", expected)
        return found

    def judge(self, subject: Subject) -> Verdict:
        """Ask, and again until the answer is as expected, the time is up, or nobody is there."""

        def look(remaining: float) -> Verdict:
            answer = subject.http(
                self.method.upper(),
                self.path,
                headers=self._request_headers(),
                body=None if self.body is None else self.body.encode(),
                timeout=remaining,
            )
            wrong = self._mismatches(answer)
            outcome = Outcome.FAIL if wrong else Outcome.PASS
            return Verdict(outcome, self._expected(), "; ".join(wrong))

        if not self.safe:
            return look(self.timeout)
        return eventually(look, timeout=self.timeout, gone=subject.exited)

    def _mismatches(self, answer: Answer) -> list[str]:
        body = answer.body.decode(errors="replace")
        wrong = []
        wanted = self._statuses()
        if answer.status not in wanted if wanted else answer.status >= 400:
            wrong.append(f"status {answer.status}, body {shown(body)}")
        for name, expected in (self.header or {}).items():
            value = answer.headers.get(name.lower())
            if value is None:
                wrong.append(f"no header {name} (there are {', '.join(sorted(answer.headers))})")
            elif mismatch := as_text(expected).mismatch(value):
                wrong.append(f"header {name}: {mismatch}")
        if mismatch := Text(contains=self.contains, matches=self.matches).mismatch(body):
            wrong.append(f"body: {mismatch}")
        if self.json is not None and (mismatch := _json_mismatch(self.json, body)):
            wrong.append(mismatch)
        return wrong

    def _request_headers(self) -> dict[str, str]:
        return {**({"host": self.host} if self.host else {}), **(self.headers or {})}

    def _statuses(self) -> tuple[int, ...]:
        if self.status is None:
            return ()
        return (self.status,) if isinstance(self.status, int) else tuple(self.status)

    def _asserts(self) -> bool:
        asked = (self._statuses(), self.contains, self.matches, self.header, self.json is not None)
        return any(asked)

    def _expected(self) -> str:
        statuses = " or ".join(str(status) for status in self._statuses())
        parts = [f"status {statuses or 'below 400'}"]
        parts += [f"header {k} {as_text(v).words()}" for k, v in (self.header or {}).items()]
        if body := Text(contains=self.contains, matches=self.matches).words():
            parts.append(f"body {body}")
        if self.json is not None:
            parts.append(f"JSON {json.dumps(self.json, default=str)}")
        return ", ".join(parts)


def _json_mismatch(expected: Any, body: str) -> str:
    try:
        found = json.loads(body)
    except ValueError:
        return f"body is not JSON: {shown(body)}"
    return _difference(expected, found, "")


def _difference(expected: Any, found: Any, path: str) -> str:
    """Where `found` first differs from `expected`; of an object, only the asked keys count."""
    if isinstance(expected, dict) and isinstance(found, dict):
        if missing := [key for key in expected if key not in found]:
            return f"JSON has no {path}{missing[0]} (there are {', '.join(found) or 'none'})"
        pairs = [(key, value, found[key]) for key, value in expected.items()]
    elif isinstance(expected, (list, tuple)) and isinstance(found, list):
        if len(expected) != len(found):
            return f"JSON {path.rstrip('.') or 'list'} has {len(found)} entries"
        pairs = [(str(i), *pair) for i, pair in enumerate(zip(expected, found, strict=True))]
    else:
        # In Python True == 1; in JSON they are different.
        same = isinstance(expected, bool) is isinstance(found, bool) and expected == found
        return "" if same else f"JSON {path.rstrip('.') or 'value'} is {shown(json.dumps(found))}"
    differences = (_difference(want, have, f"{path}{key}.") for key, want, have in pairs)
    return next((difference for difference in differences if difference), "")
