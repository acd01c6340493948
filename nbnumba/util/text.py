"""Numbers as they are written, and words as they are shown in a message."""

from __future__ import annotations

from collections.abc import Iterable

# A decimal number: no nan, inf, hexadecimal or underscore. Compile it with re.ASCII, or encoded for bytes.
NUMBER = r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?"

_LONGEST_QUOTE = 40
_NEAR = 0.75  # of 1: how alike a name must be to be suggested
_NEAR_PART = 0.6  # the same of each of its parts
_LOOKED_AT = 5  # names that are alike, of which the first whose parts are, too, is suggested


def encodable(text: str) -> str:
    """Return a text that UTF-8 can hold: bytes of file names that are none are written as ``\\xe9``."""
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def quote(text: str | bytes) -> str:
    """Return a word that a user typed or that stands in a file, printable, on one line and not too long."""
    if isinstance(text, bytes):
        text = text.decode("latin-1")
    shown = ascii(text[:_LONGEST_QUOTE])
    return f"{shown}..." if len(text) > _LONGEST_QUOTE else shown


def is_whole(text: str, low: int, high: int) -> bool:
    """Tell whether a text is a whole number of these; `int` raises at thousands of digits."""
    return text.isascii() and text.isdecimal() and len(text) < 20 and low <= int(text) <= high


def counted(count: int, what: str, several: str = "") -> str:
    """Return a number with what it counts: "1 pixel", "2 pixels".

    Parameters
    ----------
    count : int
    what : str
        One of them.
    several : str, optional
        More or fewer than one, where that is not `what` and an s.
    """
    return f"{count} {what if count == 1 else several or f'{what}s'}"


def nearest(word: str, known: Iterable[str]) -> str | None:
    """Return the name that a word is a slip of; None where none comes near."""
    import difflib

    def near(name: str) -> bool:
        """Tell whether each part of the word is a slip of that of a name: noise_seed is not one of misset_seed."""
        parts = list(zip(word.split("_"), name.split("_"), strict=False))
        alike = (difflib.SequenceMatcher(None, *pair).ratio() for pair in parts)
        return word.count("_") != name.count("_") or min(alike) >= _NEAR_PART

    found = difflib.get_close_matches(word, list(known), n=_LOOKED_AT, cutoff=_NEAR)
    return next(filter(near, found), None)
