"""Words of the command line: which are options, which are their values, and what number a word is."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import takewhile

from ..errors import InputError
from ..util.text import NUMBER, quote
from . import table as options
from .types import Kind, Option

# Numbers beyond these sizes have no meaning in any unit here, and geometry squares and cubes them.
SMALLEST, BIGGEST = 1e-50, 1e50

_NUMBER = re.compile(NUMBER, re.ASCII)
_WHOLE = re.compile(r"([+-]?\d+)(\.0*)?", re.ASCII)


@dataclass(frozen=True)
class Use:
    """An option as it was typed, with its values."""

    word: str
    option: Option
    values: tuple[str, ...]


@dataclass(frozen=True)
class Loose:
    """A word that is neither an option nor the value of one, and what stood before it."""

    word: str
    after: Use | None


def split(words: Sequence[str]) -> tuple[list[Use], list[Loose]]:
    """Tell options, their values and loose words apart.

    Raises
    ------
    InputError
        For an unknown option, or one whose value is missing.
    """
    uses: list[Use] = []
    loose: list[Loose] = []
    position = 0
    while position < len(words):
        word = words[position]
        position += 1
        if not word.startswith("-") or word == "-" or _NUMBER.fullmatch(word):
            loose.append(Loose(word, uses[-1] if uses else None))
            continue
        option = options.find(word)
        if option is None:
            raise options.unknown(word)
        values = _values(word, option, words[position:])
        position += len(values)
        uses.append(Use(options.shown(word), option, values))
    return uses, loose


def _values(word: str, option: Option, rest: Sequence[str]) -> tuple[str, ...]:
    """Return the words that belong to an option."""
    if option.kind is Kind.FLAG:
        return ()
    if option.kind is Kind.IGNORED:
        return tuple(takewhile(lambda value: not _is_option(value), rest[: option.count]))
    if option.key == "-cell":
        # As C: any word that begins with a dash ends the cell, a negative number too.
        count = next((i for i, value in enumerate(rest[:6]) if value.startswith("-")), min(6, len(rest)))
        count = max(1, count)
    elif option.key == "-misset" and rest and "rand" in rest[0] and not _is_option(rest[0]):
        count = 1
    else:
        count = option.count
    for i in range(count):
        if i >= len(rest) or _is_option(rest[i]):
            found = f"{options.shown(rest[i])} follows" if i < len(rest) else "the line ends"
            before = f"after {i} of them " if i else ""
            raise InputError(f"{options.shown(word)}: needs {option.describe_values()}, but {before}{found}")
    return tuple(rest[:count])


def _is_option(word: str) -> bool:
    """Tell whether a word is a known option and not a negative number."""
    if not word.startswith("-") or _NUMBER.fullmatch(word):
        return False
    try:
        return options.find(word) is not None
    except InputError:
        return True


def number(use: Use, text: str) -> float:
    """Return the number that a word is, in the option's own unit.

    Raises
    ------
    InputError
        When the word is no number, or one that the option does not allow.
    """
    # C differs: atof takes the number that a word begins with, and 0 when there is none.
    if not _NUMBER.fullmatch(text):
        raise bad_value(use, text, "is not a number")
    value = float(text)
    if value != 0.0 and not SMALLEST <= abs(value) <= BIGGEST:
        size = f"its size 0 or from {SMALLEST:g} to {BIGGEST:g}"
        raise InputError(f"{use.word}: {quote(text)} is out of range; allowed: {use.option.describe_values()}, {size}")
    if value not in use.option.allowed:
        raise bad_value(use, text, "is out of range")
    return value


def whole_number(use: Use, text: str) -> int:
    """Return the whole number that a word is; `12.0` is one, `12.7` and `1e3` are not.

    Raises
    ------
    InputError
        When the word is no whole number, or one that the option does not allow.
    """
    # C differs: atoi takes the digits that a word begins with, 1 from 1e3.
    match = _WHOLE.fullmatch(text)
    if match is None:
        raise bad_value(use, text, "is not a whole number in plain digits")
    value = int(match[1]) if len(match[1]) < 20 else None
    if value is None or value not in use.option.allowed:
        raise bad_value(use, text, "is out of range")
    return value


def bad_value(use: Use, text: str, what: str) -> InputError:
    """Return the error for a value, saying what is allowed."""
    return InputError(f"{use.word}: {quote(text)} {what}; allowed: {use.option.describe_values()}")
