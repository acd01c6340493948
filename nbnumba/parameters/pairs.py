"""Texts made of NAME=FILE, separated by blanks."""

from __future__ import annotations

import re
from collections.abc import Iterator

_PAIR = re.compile(r"\S.*?(?=\s+[^\s=]+=|\s*$)")  # names of files may hold blanks


def split_pairs(text: str) -> list[tuple[str, str]]:
    """Return names and files; either is empty where it is missing."""
    pairs = (found[0].partition("=") for found in _PAIR.finditer(text))
    return [(name, file) for name, _, file in pairs] or [("", "")]


def file_places(text: str) -> Iterator[tuple[int, int]]:
    """Yield where the names of files begin and end."""
    for found in _PAIR.finditer(text):
        name, equals, file = found[0].partition("=")
        if file:
            yield found.start() + len(name) + len(equals), found.end()
