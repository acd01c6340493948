"""A parameter with the values that a user gives it, and the check of each value; for every front end."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from ..errors import InputError
from ..util.text import quote
from .types import Kind, Parameter

# Numbers beyond these sizes have no meaning in any unit here, and geometry squares and cubes them.
SMALLEST, BIGGEST = 1e-50, 1e50

Value = float | int | str | bool


@dataclass(frozen=True)
class Given:
    """A parameter and what a user gave it.

    Attributes
    ----------
    parameter : Parameter
    values : tuple of float, int, str or bool
        In the parameter's own unit.
    texts : tuple of str
        The same as words: as typed, or such that they are read back to the same values.
    spelling : str
        The parameter as the user wrote it: an option as typed, a keyword, a key of a file.
    label : str
        The same without the user's own additions: the name of the option in the help.
    """

    parameter: Parameter
    values: tuple[Value, ...]
    texts: tuple[str, ...]
    spelling: str
    label: str

    def error(self, text: str, what: str) -> InputError:
        """Return the error for one of the values, saying what is allowed."""
        return InputError(f"{self.spelling}: {quote(text)} {what}; allowed: {self.parameter.describe_values()}")

    @cached_property
    def fields(self) -> dict[str, Any]:
        """The fields that the parameter sets, where no function of its own does, with their values in SI units."""
        fields = dict(self.parameter.sets)
        if self.values and self.parameter.kind is not Kind.IGNORED:
            values = [checked(self, index) for index in range(len(self.values))]
            value = values[0] if len(values) == 1 else tuple(values)
            fields = {**dict.fromkeys(self.parameter.fields, value), **fields}
        return fields

    @cached_property
    def beyond_meaning(self) -> tuple[str, str] | None:
        """The first of the values that C takes by a rule of its own, and the rule; None where there is none."""
        meaning = self.parameter.meaning
        for value, text in zip(self.values, self.texts, strict=True):
            if isinstance(value, (int, float)) and not isinstance(value, bool) and value not in meaning:
                unset = self.parameter.unset.covers(value)
                return text, "counts as not given" if unset else self.parameter.otherwise
        return None

    def inside(self, folder: str | os.PathLike[str]) -> Given:
        """Return the same with the files that it names sought in a folder."""
        if self.parameter.file_places is not None:
            texts = tuple(moved(text, self.parameter.file_places(text), folder) for text in self.texts)
            return Given(self.parameter, texts, texts, self.spelling, self.label)
        if self.parameter.kind is not Kind.FILE or not all(self.texts):
            return self
        # Not by pathlib, which would drop a trailing slash and with it an error.
        paths = tuple(os.path.join(folder, text) for text in self.texts)  # noqa: PTH118
        return Given(self.parameter, paths, paths, self.spelling, self.label)


def moved(text: str, places: Iterable[tuple[int, int]], folder: str | os.PathLike[str]) -> str:
    """Return a text whose files are sought in a folder."""
    for start, end in sorted(places, reverse=True):
        text = f"{text[:start]}{os.path.join(folder, text[start:end])}{text[end:]}"  # noqa: PTH118
    return text


def checked(given: Given, index: int) -> Any:
    """Return one of the values in SI units, None when it means "not given".

    Raises
    ------
    InputError
        When the parameter does not take it.
    """
    parameter, value, text = given.parameter, given.values[index], given.texts[index]
    if parameter.kind is Kind.FILE:
        if not isinstance(value, str) or not value or "\0" in value:
            raise given.error(text, "is not a file name")
        return value
    if parameter.kind is Kind.TEXT:
        if not isinstance(value, str) or not value.strip() or not value.isprintable():
            raise given.error(text, "is not a name")
        return value
    if parameter.kind is Kind.SWITCH:
        return parameter.unit.to_si(value)
    if parameter.kind is Kind.CHOICE:
        if value not in parameter.choices:
            raise given.error(text, "is unknown")
        return parameter.unit.to_si(value)
    if parameter.kind is Kind.WHOLE:
        count = whole_number(given, index)
        return None if parameter.unset.covers(count) else count
    size = number(given, index)
    return None if parameter.unset.covers(size) else parameter.unit.to_si(size)


def number(given: Given, index: int) -> float:
    """Return one of the values as a number that the parameter allows, in the parameter's own unit.

    Raises
    ------
    InputError
        When it is not a number, or out of range.
    """
    value, text = given.values[index], given.texts[index]
    if isinstance(value, (str, bool)):
        raise given.error(text, "is not a number")
    if value != 0.0 and not SMALLEST <= abs(value) <= BIGGEST:
        takes = given.parameter.describe_values()
        size = f"its size 0 or from {SMALLEST:g} to {BIGGEST:g}"
        raise InputError(f"{given.spelling}: {quote(text)} is out of range; allowed: {takes}, {size}")
    if value not in given.parameter.allowed:
        raise given.error(text, "is out of range")
    return float(value)


def whole_number(given: Given, index: int) -> int:
    """Return one of the values as a whole number that the parameter allows.

    Raises
    ------
    InputError
        When it is no whole number, or out of range.
    """
    value, text = given.values[index], given.texts[index]
    if isinstance(value, (str, bool)) or value != value // 1:
        raise given.error(text, "is not a whole number in plain digits")
    if value not in given.parameter.allowed:
        raise given.error(text, "is out of range")
    return int(value)
