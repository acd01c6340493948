"""Tables of F against sin(theta)/lambda."""

from __future__ import annotations

import math
import re
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from ..util.text import NUMBER, quote
from .atomic import PathLike
from .opening import label, read_text

LARGEST_F = 1e9  # electrons
_CLOSEST = 1e-12  # 1/Angstrom: slopes between closer points overflow
_DELIMITERS = re.compile(r"[ \t,;:!\f\v]+")
_NUMBER = re.compile(NUMBER, re.ASCII)


def read(path: PathLike, option: str = "-stol", *, as_c: bool = False) -> NDArray[np.float64]:
    """Read one point per line: stol [1/A] and F [electrons].

    Blank lines are skipped, and so is a ``#`` with the rest of its line. Blanks, tabs and ``, ; : !`` separate columns;
    columns after the second are ignored. Points may stand in any order.

    Parameters
    ----------
    path : str or path
    option : str
        The option that named the file, for messages.
    as_c : bool
        Take a missing F for NaN and a stol that stands twice, as nonBragg does; both are refused by default.

    Returns
    -------
    (n, 2) float64
        Ascending in stol.

    Raises
    ------
    FileError
        The file is missing or cannot be read.
    InputError
        There is no point with an F, a word is not a finite number, a stol is below 0, stands twice or all but
        twice, an F is missing.

    Notes
    -----
    nonBragg.c:2225, the delimiters and the meaning of a missing F.
    """
    # C differs: there comments are points at stol 0, and the order of the points is taken for granted.
    points: list[tuple[float, float]] = []
    places: dict[float, int] = {}
    lines = read_text(path, option).replace("\r\n", "\n").replace("\r", "\n").split("\n")
    for number, line in enumerate(lines, start=1):
        words = [word for word in _DELIMITERS.split(line.split("#", 1)[0]) if word]
        if not words:
            continue
        place = label(option, path, number)
        stol, F = _point(words, place)
        if math.isnan(F) and not as_c:
            raise InputError(f"{place}: F is missing; a line is stol(1/A) F(electrons)")
        if stol in places and not as_c:
            raise InputError(f"{place}: stol {words[0]} stands on line {places[stol]} already; each may stand once")
        places[stol] = number
        points.append((stol, F))
    if all(math.isnan(F) for _, F in points):
        raise InputError(f"{label(option, path)}: holds no point with an F; a line is stol(1/A) F(electrons)")
    points.sort(key=lambda point: point[0])
    for (low, _), (high, _) in pairwise(points):
        if not as_c and high - low < _CLOSEST:
            raise InputError(
                f"{label(option, path, places[high])}: stol {high:g} is closer than {_CLOSEST:g}/Å to that of line "
                f"{places[low]}"
            )
    return np.array(points)


def _point(words: list[str], place: str) -> tuple[float, float]:
    """Return the two columns of one line."""
    stol = _number(words[0], "stol", place)
    if not 0.0 <= stol <= 1e6:
        raise InputError(f"{place}: stol is {quote(words[0])}; allowed are 0 to 1e6")
    if len(words) == 1 or words[1].lower() == "nan":
        return stol, math.nan
    F = _number(words[1], "F", place)
    if abs(F) > LARGEST_F:
        raise InputError(f"{place}: F is {quote(words[1])}; allowed are -1e9 to 1e9")
    return stol, F


def _number(word: str, name: str, place: str) -> float:
    value = float(word) if _NUMBER.fullmatch(word) else math.nan
    if not math.isfinite(value):
        raise InputError(f"{place}: {name} is {quote(word)}; a finite number is allowed")
    return value
