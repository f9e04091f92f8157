"""Where keys stand, compared with what tomllib reads."""

import tomllib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from containerdeploy.stackfile.lines import Lines
from tests.unit.stackfile.documents import KEYS, VALUES, inline, quoted, written

TEXT = b"""# a comment
top = 1
a."b c".'d' = { x = 1, y.z = [ { q = 2 }, 3 ] }

[service.web]
list = [
  "one", # two lines
  { two = 2 },
]
text = \"\"\"
[not.a.table]
key = 1
\"\"\"
after = 1

[[service.web.test.http]]
path = "/"
[service.web.test.http.header]
X = "y"
[[service.web.test.http]]
path = "/x"
"\\u00e9t\\u00e9" = 1
[ service . db ]
"""

PLACES = [
    (("top",), 2),
    (("a",), 3),
    (("a", "b c", "d", "x"), 3),
    (("a", "b c", "d", "y", "z", 0, "q"), 3),
    (("service",), 5),
    (("service", "web"), 5),
    (("service", "web", "list"), 6),
    (("service", "web", "list", 0), 7),
    (("service", "web", "list", 1, "two"), 8),
    (("service", "web", "text"), 10),
    (("service", "web", "after"), 14),
    (("service", "web", "test"), 16),
    (("service", "web", "test", "http", 0), 16),
    (("service", "web", "test", "http", 0, "path"), 17),
    (("service", "web", "test", "http", 0, "header", "X"), 19),
    (("service", "web", "test", "http", 1, "path"), 21),
    (("service", "web", "test", "http", 1, "été"), 22),
    (("service", "db"), 23),
    (("service", "db", "nothing", 3, "here"), 23),
    (("nowhere",), 1),
]


def inside(value):
    """The keys or indices of a table or list, with what is there."""
    if isinstance(value, dict):
        return list(value.items())
    return list(enumerate(value)) if isinstance(value, list) else []


@pytest.mark.parametrize(("path", "line"), PLACES)
def test_places(path, line):
    """Keys, items and tables have their own line; what is not there that of its parent."""
    tomllib.loads(TEXT.decode())
    assert Lines(TEXT).of(path) == line


def test_line_ends_of_windows():
    """A carriage return does not make a line."""
    assert Lines(TEXT.replace(b"\n", b"\r\n")).of(("service", "db")) == 23


@settings(deadline=None, max_examples=150)
@given(st.lists(st.tuples(KEYS, VALUES), max_size=6, unique_by=lambda pair: pair[0]))
def test_every_key_stands_on_its_line(pairs):
    """For any keys and values, a line each: what tomllib reads is found on its line."""
    text = "\n".join(f"{quoted(key)} = {inline(value)}" for key, value in pairs)
    data = tomllib.loads(text)
    lines = Lines(text.encode())
    assert list(data) == [key for key, _ in pairs]

    def walk(value, path, line):
        assert lines.knows(path)
        assert lines.of(path) == line
        for key, item in inside(value):
            walk(item, (*path, key), line)

    for number, key in enumerate(data, 1):
        walk(data[key], (key,), number)


@settings(deadline=None, max_examples=150)
@given(st.dictionaries(KEYS, VALUES, max_size=4))
def test_every_key_of_tables_is_found(data):
    """For any tables, every key that tomllib reads is found, each line in the text."""
    text = written(data)
    lines = Lines(text.encode())

    def walk(value, path):
        assert not path or lines.knows(path)
        assert 1 <= lines.of(path) <= max(1, text.count("\n"))
        for key, item in inside(value):
            walk(item, (*path, key))

    walk(tomllib.loads(text), ())


@settings(deadline=None, max_examples=200)
@given(st.binary(max_size=80))
def test_anything_can_be_asked(source):
    """Text that is no TOML gives lines that are in it, and no exception."""
    assert Lines(source).of(("a",)) in range(1, source.count(b"\n") + 2)
