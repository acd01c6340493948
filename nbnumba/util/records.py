"""Frozen dataclasses with other values of some fields, quickly."""

from __future__ import annotations

from typing import Any, TypeVar

Record = TypeVar("Record")


def changed(record: Record, **fields: Any) -> Record:
    """Return a frozen dataclass with other values of some fields.

    As `dataclasses.replace`, which takes up to ten times as long since it sets every field through the constructor.
    Not for a class that has a `__post_init__`, or keeps values that follow from those fields.
    """
    made = object.__new__(type(record))
    made.__dict__.update(record.__dict__, **fields)
    return made
