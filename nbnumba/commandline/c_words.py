"""Command lines of noisify and nonBragg: options are found as substrings of words, as these programs do."""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ..errors import InputError
from ..util.text import NUMBER, quote

_NUMBER = re.compile(NUMBER, re.ASCII)
_WHOLE = re.compile(r"([+-]?\d+)(\.0*)?", re.ASCII)
_LARGEST = 1e50


@dataclass(frozen=True)
class Word:
    """An option of a program.

    Attributes
    ----------
    key : str
        What it sets.
    spellings : tuple of str
        A word that contains one of them is this option.
    count : int
        Values that follow; 0: a switch.
    kind : type
        float, int or str.
    whole : bool
        The word must be a spelling, not only contain it.
    least, most : float
        What a number must be, inclusive.
    constant : object
        What a switch sets.
    help : str
    """

    key: str
    spellings: tuple[str, ...]
    count: int = 1
    kind: type = float
    whole: bool = False
    least: float = -_LARGEST
    most: float = _LARGEST
    constant: Any = True
    help: str = ""

    def matches(self, word: str) -> bool:
        """Whether a word of the command line is this option."""
        return word in self.spellings if self.whole else any(spelling in word for spelling in self.spellings)

    def values(self, word: str, texts: Sequence[str]) -> Any:
        """Return what the option is set to by the texts that follow it.

        Raises
        ------
        InputError
            A value is missing, no number, or not allowed.
        """
        if self.count == 0:
            return self.constant
        if len(texts) < self.count:
            raise InputError(f"{word}: needs {self.count} value{'s' if self.count > 1 else ''}; the line ends")
        values = [self._value(word, text) for text in texts[: self.count]]
        return values[0] if self.count == 1 else tuple(values)

    def _value(self, word: str, text: str) -> Any:
        if self.kind is str:
            if not text or "\0" in text:
                raise InputError(f"{word}: {quote(text)} is not a name")
            return text
        # C differs: atof and atoi take the number that a word begins with, and 0 when there is none.
        if self.kind is int:
            match = _WHOLE.fullmatch(text)
            value: float = int(match[1]) if match and len(match[1]) < 20 else float("nan")
            what = "a whole number"
        else:
            value, what = (float(text) if _NUMBER.fullmatch(text) else float("nan")), "a number"
        if not self.least <= value <= self.most:
            raise InputError(f"{word}: {quote(text)}; allowed is {what} from {self.least:g} to {self.most:g}")
        return value


def parse(words: Sequence[str], known: Sequence[Word], ignored: Sequence[str] = ()) -> tuple[dict[str, Any], list[str]]:
    """Read a command line.

    Parameters
    ----------
    words : sequence of str
    known : sequence of Word
        Of those with the same key the last on the line counts.
    ignored : sequence of str
        Options of the program without effect; their values are left alone.

    Returns
    -------
    values : dict
        By key, in the order of the line.
    loose : list of str
        Words that are neither options nor values.

    Raises
    ------
    InputError
        For an unknown option, or a value that is missing or not allowed.
    """
    values: dict[str, Any] = {}
    loose: list[str] = []
    position = 0
    while position < len(words):
        word = words[position]
        position += 1
        if not word.startswith("-") or word == "-" or _NUMBER.fullmatch(word):
            loose.append(word)
            continue
        found = [option for option in known if option.matches(word)]
        if not found:
            if any(name in word for name in ignored):
                while position < len(words) and not _is_option(words[position]):
                    position += 1
                continue
            raise _unknown(word, known)
        taken = 0
        for option in found:
            values.pop(option.key, None)
            values[option.key] = option.values(word, words[position : position + option.count])
            taken = max(taken, option.count)
        position += taken
    return values, loose


def _is_option(word: str) -> bool:
    return word.startswith("-") and not _NUMBER.fullmatch(word)


def _unknown(word: str, known: Sequence[Word]) -> InputError:
    names = [spelling for option in known for spelling in option.spellings]
    near = difflib.get_close_matches(word, names, 1)
    return InputError(f"{word}: unknown option" + (f"; is {near[0]} meant?" if near else "; -help lists them all"))


def help_lines(known: Sequence[Word]) -> list[str]:
    """Return one line for each option."""
    return [f"  {'  '.join(option.spellings):40s} {option.help}" for option in known if option.help]
