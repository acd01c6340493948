"""Lists of X-ray sources: where each stands, its weight and its wavelength."""

from __future__ import annotations

import math
import re

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from ..util.text import NUMBER, quote
from .atomic import PathLike
from .contents import kept
from .opening import label, read_text

_SMALLEST, _LARGEST = 1e-50, 1e50  # m; squares and products of such lengths stay finite
_COLUMNS = ("X", "Y", "Z", "weight", "lambda")
_DELIMITERS = re.compile(r"[ \t,;:!\f\v]+")
_NUMBER = re.compile(NUMBER, re.ASCII)


def read(path: PathLike, option: str = "-sourcefile") -> NDArray[np.float64]:
    """Read one source per line.

    Blank lines are skipped, and so is a ``#`` with the rest of its line. Blanks, tabs and ``, ; : !``
    separate columns; columns after the fifth are ignored.

    Parameters
    ----------
    path : str or path
        The file.
    option : str
        The option that named the file, for messages.

    Returns
    -------
    (n, 5) float64
        X, Y, Z (from the sample toward the source), weight, wavelength [m]; NaN where a column is missing.

    Raises
    ------
    FileError
        The file is missing or cannot be read.
    InputError
        There is no source, a word is not a finite number, a wavelength is not above 0, a source stands at
        the origin, or a length lies outside 1e-50 to 1e50 m.

    Notes
    -----
    nanoBragg.c:3867, the delimiters and the meaning of missing columns.
    """
    return _parsed(read_text(path, option), path, option)


@kept
def _parsed(text: str, path: PathLike, option: str) -> NDArray[np.float64]:
    # C differs: there comments are sources at the origin, and a last line without its newline, or lines that
    # end as on Windows, turn the columns that are missing into 0.
    rows = []
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    for number, line in enumerate(lines, start=1):
        words = [word for word in _DELIMITERS.split(line.split("#", 1)[0]) if word]
        if words:
            rows.append(_source(words[: len(_COLUMNS)], label(option, path, number)))
    if not rows:
        raise InputError(f"{label(option, path)}: holds no source; a line is X Y Z weight lambda(m)")
    table = np.array(rows)
    table.setflags(write=False)
    return table


def _source(words: list[str], place: str) -> list[float]:
    """Return the five columns of one line."""
    values = [math.nan] * len(_COLUMNS)
    for column, word in enumerate(words):
        value = float(word) if _NUMBER.fullmatch(word) else math.nan
        if not math.isfinite(value):
            raise InputError(f"{place}: {_COLUMNS[column]} is {quote(word)}; a finite number is allowed")
        values[column] = value
    if values[:3] == [0.0, 0.0, 0.0]:
        raise InputError(f"{place}: the source stands at 0 0 0, the sample, which gives the beam no direction")
    distance = math.hypot(*values[:3])
    if distance < _SMALLEST or distance > _LARGEST:
        raise InputError(
            f"{place}: the source stands {distance:g} m from the sample; allowed are {_SMALLEST:g} to {_LARGEST:g}"
        )
    if values[4] <= 0.0:
        raise InputError(f"{place}: lambda is {quote(words[4])}; allowed are wavelengths above 0, in meters")
    if values[4] < _SMALLEST or values[4] > _LARGEST:
        raise InputError(f"{place}: lambda is {quote(words[4])}; allowed are {_SMALLEST:g} to {_LARGEST:g} meters")
    return values
