"""Texts made of NAME=FILE, separated by blanks."""

from __future__ import annotations

import os
import re

_BETWEEN = re.compile(r"\s+(?=[^\s=]+=)")  # names of files may hold blanks


def split_pairs(text: str) -> list[tuple[str, str]]:
    """Return names and files; either is empty where it is missing."""
    pairs = (part.partition("=") for part in _BETWEEN.split(text.strip()))
    return [(name, file) for name, _, file in pairs]


def pairs_inside(text: str, folder: str | os.PathLike[str]) -> str:
    """Return the same text with the files sought in a folder."""
    return " ".join(f"{name}={os.path.join(folder, file)}" if file else name for name, file in split_pairs(text))  # noqa: PTH118
