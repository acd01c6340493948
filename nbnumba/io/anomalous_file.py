"""Tables of the anomalous scattering factors f' and f'' against the photon energy."""

from __future__ import annotations

import math
import re

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from ..util.text import NUMBER, counted, quote
from .atomic import PathLike
from .opening import label, read_text

_DELIMITERS = re.compile(r"[ \t,;\f\v]+")
_NUMBER = re.compile(NUMBER, re.ASCII)
_LARGEST = 1000.0  # electrons
_KIND = "a line is energy(eV) f' f''"


def read(path: PathLike, option: str = "") -> NDArray[np.float64]:
    """Read one point per line: energy [eV], f' and f'' [electrons].

    Blank lines are skipped, and so is a ``#`` with the rest of its line; blanks, tabs, commas and semicolons separate
    columns, of which those after the third are ignored. Points may stand in any order.

    Parameters
    ----------
    path : str or path
    option : str
        The option that named the file, for messages.

    Returns
    -------
    (n, 3) float64
        Rising in energy.

    Raises
    ------
    FileError
        The file is missing or cannot be read.
    InputError
        It holds fewer than two points, a word that is no finite number, an energy twice or not above 0, or a factor
        beyond 1000 electrons.
    """
    points: dict[float, tuple[float, float]] = {}
    lines = read_text(path, option).replace("\r\n", "\n").replace("\r", "\n").split("\n")
    for number, line in enumerate(lines, start=1):
        words = [word for word in _DELIMITERS.split(line.split("#", 1)[0]) if word]
        if not words:
            continue
        place = label(option, path, number)
        if len(words) < 3:
            raise InputError(f"{place}: has {counted(len(words), 'column')}; {_KIND}")
        energy, f1, f2 = (_number(word, place) for word in words[:3])
        if not 0.0 < energy <= 1e7:
            raise InputError(f"{place}: the energy is {quote(words[0])}; allowed are numbers above 0, up to 1e7 eV")
        if max(abs(f1), abs(f2)) > _LARGEST:
            raise InputError(f"{place}: a factor is beyond {_LARGEST:g} electrons; {_KIND}")
        if energy in points:
            raise InputError(f"{place}: the energy {words[0]} stands twice; each may stand once")
        points[energy] = (f1, f2)
    if len(points) < 2:
        raise InputError(
            f"{label(option, path)}: holds {counted(len(points), 'point')}; at least two are needed; {_KIND}"
        )
    return np.array([(energy, *points[energy]) for energy in sorted(points)])


def _number(word: str, place: str) -> float:
    value = float(word) if _NUMBER.fullmatch(word) else math.nan
    if not math.isfinite(value):
        raise InputError(f"{place}: {quote(word)} is no finite number; {_KIND}")
    return value
