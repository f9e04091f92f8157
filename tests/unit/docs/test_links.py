"""Whoever follows a link arrives."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import pytest

from tests.unit.docs.pages import PAGES, ROOT, prose

_LINK = re.compile(r"\[[^\]]*\]\((?P<to>[^)\s]+)\)")
_HEADING = re.compile(r"^#{1,6} (?P<text>.+)$", re.M)


@cache
def anchors(page: Path) -> list[str]:
    """The names that GitHub gives to the headings of a page."""
    texts = (found["text"].strip().lower() for found in _HEADING.finditer(prose(page)))
    return [re.sub(r"[^\w\- ]", "", text).replace(" ", "-") for text in texts]


def links(page: Path) -> list[str]:
    return [found["to"] for found in _LINK.finditer(prose(page)) if ":" not in found["to"]]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_resolves(page):
    """Files that are linked exist inside the project, and so do the headings in them."""
    wrong = []
    for link in links(page):
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        if not target.is_relative_to(ROOT) or not target.exists():
            wrong.append(f"{link}: no such file")
        elif anchor and anchor not in anchors(target):
            wrong.append(f"{link}: no such heading")
    assert wrong == []


def test_every_page_is_in_the_index():
    """docs/README.md leads to every page below docs."""
    index = ROOT / "docs/README.md"
    linked = {(index.parent / link.partition("#")[0]).resolve() for link in links(index)}
    below = {page for page in PAGES if page.is_relative_to(ROOT / "docs") and page != index}
    assert below - linked == set()


def test_links_of_a_page_are_found():
    """The tests above look at something."""
    assert "docs/how-it-works.md" in links(ROOT / "README.md")
    assert "the-state-folder" in anchors(ROOT / "docs/how-it-works.md")
