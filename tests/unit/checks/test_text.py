"""Texts and sizes: what they are compared with."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from containerdeploy.checks.size import parse_size, size_words
from containerdeploy.checks.text import Text, differs, shown


@given(st.text(), st.text(), st.text())
def test_a_part_of_a_text_is_found_and_the_text_equals_itself(before, part, after):
    """What was put in is found; any other text is a mismatch that shows something."""
    text = before + part + after
    assert Text(contains=part).mismatch(text) == ""
    assert Text(equals=text).mismatch(text) == ""
    assert Text(equals=text + "x").mismatch(text)


def test_a_last_line_end_is_disregarded():
    """A command's output ends in one; nobody writes it."""
    assert Text(equals="PONG").mismatch("PONG\n") == ""
    assert Text(equals="PONG").mismatch("PONG\n\n")


def test_a_pattern_looks_at_every_line():
    """`^` and `$` mean lines."""
    assert Text(matches="^b$").mismatch("a\nb\nc") == ""


def test_a_long_difference_is_cut():
    """A diff shows its first lines and how many more there are."""
    text = differs("\n".join(map(str, range(99))), "\n".join(map(str, range(100, 199))))
    assert "more lines" in text
    assert len(text.splitlines()) < 30


def test_a_long_text_is_cut():
    """A verdict shows the beginning."""
    assert shown("y" * 1000).startswith("'" + "y" * 300 + "'...")


@pytest.mark.parametrize(
    ("written", "size"),
    [
        (5, 5),
        ("5", 5),
        ("1K", 1024),
        ("1.5G", 1610612736),
        ("200 MiB", 209715200),
        ("2mb", 2097152),
    ],
)
def test_sizes(written, size):
    """Numbers are bytes; K, M and G are powers of 1024."""
    assert parse_size(written) == size


@given(st.text(max_size=8).filter(lambda text: not text.strip()[:1].isdigit()))
def test_anything_else_is_refused(written):
    """What does not begin with a digit is no size, and the message shows one."""
    with pytest.raises(ValueError, match='"200M"'):
        parse_size(written)


@pytest.mark.parametrize(("size", "words"), [(3, "3 bytes"), (2048, "2.0K"), (1 << 30, "1.0G")])
def test_size_words(size, words):
    """As people say them."""
    assert size_words(size) == words
