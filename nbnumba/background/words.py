"""Materials as a user writes them: ``TABLE:thick_mm[:density:MW]``, several with blanks between them."""

from __future__ import annotations

import re
from collections.abc import Iterator

BUILT_IN = ("air", "ice", "icerings", "water")
WIDENED = ("ice", "icerings")
"""Those that take the width of a ring, ``ice=WIDTH``."""

# A blank behind a number ends a material; others belong to the name of a file.
_MATERIAL = re.compile(r"\S.*?:[-+.\w]*(?=\s|$)|\S.*")


def materials(text: str) -> list[str]:
    """Return the materials of a text, each with its numbers."""
    return [found[0].rstrip() for found in _MATERIAL.finditer(text)]


def table_and_numbers(material: str) -> tuple[str, list[str]]:
    """Return the name of the table, and the words behind it."""
    table, *numbers = material.split(":")
    # A Windows path begins with a letter and a colon.
    if numbers and len(table) == 1 and numbers[0][:1] in ("\\", "/"):
        table, numbers = f"{table}:{numbers[0]}", numbers[1:]
    return table, numbers


def file_places(text: str) -> Iterator[tuple[int, int]]:
    """Yield where the names of files begin and end in a text of materials."""
    for found in _MATERIAL.finditer(text):
        table, _ = table_and_numbers(found[0].rstrip())
        kind, equals, _ = table.partition("=")
        if table and table not in BUILT_IN and not (equals and kind in WIDENED):
            yield found.start(), found.start() + len(table)
