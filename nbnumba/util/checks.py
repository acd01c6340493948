"""Checks of arguments that Python functions receive from users."""

from __future__ import annotations

import operator
from typing import SupportsIndex

from ..errors import InputError


def whole(name: str, value: SupportsIndex, low: int, high: int | None = None) -> int:
    """Return a whole number of any kind of integer, NumPy's too.

    Raises
    ------
    InputError
        For anything else, and for a number out of range.
    """
    number = None if isinstance(value, bool) or not hasattr(value, "__index__") else operator.index(value)
    if number is None or number < low or (high is not None and number > high):
        span = f"of at least {low}" if high is None else f"from {low} to {high}"
        raise InputError(f"{name}: {value!r} is not possible; allowed: a whole number {span}")
    return number


def one_of(name: str, value: str, allowed: tuple[str, ...]) -> str:
    """Return a word of a list, or raise InputError."""
    if not isinstance(value, str) or value not in allowed:
        raise InputError(f"{name}: {value!r} is unknown; allowed: {', '.join(allowed)}")
    return value
