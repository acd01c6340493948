"""Words of the command line: which are options, which are their values, and what number a word is."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import takewhile

from ..errors import InputError
from ..util.text import NUMBER, quote
from .dialect import Dialect, shown
from .types import Kind, Option

_NUMBER = re.compile(NUMBER, re.ASCII)
_WHOLE = re.compile(r"([+-]?\d+)(\.0*)?", re.ASCII)
# Hyphens, dashes and minus signs that pages and PDF files print in place of "-".
DASHES = "\u00ad\u2010\u2011\u2012\u2013\u2014\u2015\u2212\ufe58\ufe63\uff0d"


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


def split(words: Sequence[str], dialect: Dialect) -> tuple[list[Use], list[Loose]]:
    """Tell options, their values and loose words apart.

    Raises
    ------
    InputError
        For an unknown option, or one whose value is missing.
    """
    uses: list[Use] = []
    loose: list[Loose] = []
    position = 0
    for word in words:
        _check_dash(word, dialect)
    while position < len(words):
        word = words[position]
        position += 1
        if not word.startswith("-") or word == "-" or _NUMBER.fullmatch(word):
            loose.append(Loose(word, uses[-1] if uses else None))
            continue
        _check_spelling(word, dialect)
        option = dialect.find(word)
        if option is None:
            raise dialect.unknown(word)
        values = _values(word, option, words[position:], dialect)
        position += len(values)
        uses.append(Use(shown(word), option, values))
    return uses, loose


def _check_dash(word: str, dialect: Dialect) -> None:
    """Refuse a word that would be an option or a number with another dash."""
    if word[:1] not in DASHES or not word:
        return
    plain = f"-{word.lstrip(DASHES + '-')}"
    if _NUMBER.fullmatch(plain) or _is_option(plain, dialect):
        raise InputError(
            f"{quote(word)}: begins with {word[0]!a}, which is not the dash of the keyboard; type {shown(plain)}"
        )


def _check_spelling(word: str, dialect: Dialect) -> None:
    """Refuse an option that holds its own value, or signs that no name holds.

    Raises
    ------
    InputError
        For a name with an equals sign, a blank or a typographic dash.
    """
    # C differs: it obeys the name inside of the word, and takes what follows for its values.
    name, equals, value = word.partition("=")
    if equals and _is_option(name, dialect):
        raise InputError(f"{quote(word)}: an option and its value are two words; type {shown(name)} {value}".rstrip())
    if any(sign.isspace() or sign in DASHES for sign in word) and dialect.find(word) is not None:
        raise InputError(f"{quote(word)}: holds a blank or another dash than -; an option and its value are two words")


def _values(word: str, option: Option, rest: Sequence[str], dialect: Dialect) -> tuple[str, ...]:
    """Return the words that belong to an option."""
    if option.kind is Kind.FLAG:
        return ()
    if option.kind is Kind.IGNORED:
        return tuple(takewhile(lambda value: not _is_option(value, dialect), rest[: option.count]))
    if option.parameter.name == "cell":
        # As C: any word that begins with a dash ends the cell, a negative number too.
        count = next((i for i, value in enumerate(rest[:6]) if value.startswith("-")), min(6, len(rest)))
        count = max(1, count)
    elif option.parameter.name == "misset_deg" and rest and "rand" in rest[0] and not _is_option(rest[0], dialect):
        count = 1
    elif option.own and option.kind is Kind.SPECIAL and len(option.parameter.counts) > 1:
        count = _numbers_ahead(word, option, rest)
    elif option.parameter.name == "show_config":
        return tuple(rest[:1]) if rest and rest[0] in option.parameter.choices else ()
    else:
        count = option.count
    for i in range(count):
        if i >= len(rest) or _is_option(rest[i], dialect):
            found = f"{shown(rest[i])} follows" if i < len(rest) else "the line ends"
            before = f"after {i} of them " if i else ""
            raise InputError(f"{shown(word)}: needs {option.parameter.describe_values()}, but {before}{found}")
    return tuple(rest[:count])


def _numbers_ahead(word: str, option: Option, rest: Sequence[str]) -> int:
    """Return how many numbers follow an option that takes some or others."""
    counts = option.parameter.counts
    found = sum(1 for _ in takewhile(_NUMBER.fullmatch, rest[: counts[-1] + 1]))
    if found and found not in counts:
        raise InputError(f"{shown(word)}: {found} numbers follow; allowed: {option.parameter.describe_values()}")
    return max(1, found)


def _is_option(word: str, dialect: Dialect) -> bool:
    """Tell whether a word is a known option and not a negative number."""
    if not word.startswith("-") or _NUMBER.fullmatch(word):
        return False
    try:
        return dialect.find(word) is not None
    except InputError:
        return True


def number(use: Use, text: str) -> float:
    """Return the number that a word is.

    Raises
    ------
    InputError
        When the word is none.
    """
    # C differs: atof takes the number that a word begins with, and 0 when there is none.
    if not _NUMBER.fullmatch(text):
        raise bad_value(use, text, "is not a number")
    return float(text)


def whole_number(use: Use, text: str) -> int:
    """Return the whole number that a word is; `12.0` is one, `12.7` and `1e3` are not.

    Raises
    ------
    InputError
        When the word is none, or has more digits than any whole number here.
    """
    # C differs: atoi takes the digits that a word begins with, 1 from 1e3.
    match = _WHOLE.fullmatch(text)
    if match is None:
        raise bad_value(use, text, "is not a whole number in plain digits")
    if len(match[1]) >= 20:
        raise bad_value(use, text, "is out of range")
    return int(match[1])


def bad_value(use: Use, text: str, what: str) -> InputError:
    """Return the error for a value, saying what is allowed."""
    return InputError(f"{use.word}: {quote(text)} {what}; allowed: {use.option.parameter.describe_values()}")
