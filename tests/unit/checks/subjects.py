"""A subject made of plain values."""

from __future__ import annotations

from containerdeploy.check import Answer, CannotObserve, ImageInfo, PathInfo, Ran


class PlainSubject:
    """What the checks see is what a test put here.

    A value that is an exception is raised; a list of answers is gone through, and
    the last one stays.
    """

    def __init__(self, *, image=None, paths=(), content=None, ran=None, answers=(), gone=""):
        self._image = image or ImageInfo(id="sha256:1")
        self._paths = {path.path: path for path in paths}
        self._content = content or {}
        self._ran = ran
        self._answers = list(answers)
        self.gone = gone
        self.asked = []

    @property
    def image(self):
        """The image."""
        return self._image

    def stat(self, path):
        """The path, if a test put it here."""
        return self._paths.get(path)

    def read(self, path):
        """Its content."""
        return self._content[path]

    def run(self, argv, *, user, timeout):
        """What the test says it came to."""
        self.asked.append((argv, user, timeout))
        return raised(self._ran)

    def http(self, method, path, *, headers, body, timeout):
        """The next answer."""
        self.asked.append((method, path, dict(headers), body))
        answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        return raised(answer)

    def exited(self):
        """What the test says."""
        return self.gone


class Blind:
    """A subject that can't see anything."""

    @property
    def image(self):
        """Not to be seen."""
        raise CannotObserve("no engine")

    def stat(self, path):
        """Not to be seen."""
        raise CannotObserve("no engine")

    read = stat

    def run(self, argv, *, user, timeout):
        """Not to be done."""
        raise CannotObserve("no engine")

    def http(self, method, path, *, headers, body, timeout):
        """Not to be done."""
        raise CannotObserve("no engine")

    def exited(self):
        """It runs, for all we know."""
        return ""


def raised(value):
    """The value, or raise it."""
    if isinstance(value, Exception):
        raise value
    return value


def regular(path, *, mode=0o644, size=2, uid=0, gid=0):
    """A regular file."""
    return PathInfo(path, "file", mode, size, uid=uid, gid=gid)


def link(path, target):
    """A symbolic link."""
    return PathInfo(path, "link", 0o777, 0, link_target=target, uid=0, gid=0)


def folder(path):
    """A directory."""
    return PathInfo(path, "directory", 0o755, 0, uid=0, gid=0)


def answer(status=200, body="", **headers):
    """An HTTP answer."""
    return Answer(status, {k.replace("_", "-"): v for k, v in headers.items()}, body.encode())


def ran(exit_code=0, stdout="", stderr=""):
    """A command's end."""
    return Ran(exit_code, stdout, stderr)
