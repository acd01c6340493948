"""Orientation matrices, as MOSFLM writes them or as nine plain numbers."""

from __future__ import annotations

import math
import re

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from ..util.text import NUMBER, counted, quote
from .atomic import PathLike
from .contents import kept
from .opening import label, read_text

# Numbers may touch, as fixed columns let them: "-0.5-0.25" is two, to C's scanf too.
_NUMBER = re.compile(NUMBER, re.ASCII)
_BLANKS = re.compile(r"\s*", re.ASCII)
_SMALLEST_VOLUME = 1e-12  # of the parallelepiped of the three unit vectors


def read(path: PathLike, option: str = "-mat") -> NDArray[np.float64]:
    """Read the first nine numbers of a file; anything may follow.

    Parameters
    ----------
    path : str or path
        The file.
    option : str
        The option that named the file, for messages.

    Returns
    -------
    (3, 3) float64
        Rows are x, y, z; columns are a*, b*, c* times the wavelength, as they stand in the file.

    Raises
    ------
    FileError
        The file is missing or cannot be read.
    InputError
        There are fewer than nine numbers, one is not finite, or the three vectors do not span space.

    Notes
    -----
    nanoBragg.c:1881-1893.
    """
    return parse(read_text(path, option), path, option)


@kept
def parse(text: str, path: PathLike, option: str = "-mat") -> NDArray[np.float64]:
    """Read the first nine numbers of a text; `path` and `option` are for messages. Nobody can change the matrix.

    Returns
    -------
    (3, 3) float64
        As `read`.

    Raises
    ------
    InputError
        As `read`.
    """
    values: list[float] = []
    position = 0
    while len(values) < 9:
        position = _BLANKS.match(text, position).end()  # type: ignore[union-attr]
        if position == len(text):
            raise InputError(f"{label(option, path)}: holds {counted(len(values), 'number')}; a matrix takes nine")
        line = text.count("\n", 0, position) + 1
        match = _NUMBER.match(text, position)
        if match is None:
            word = text[position:].split(maxsplit=1)[0]
            raise InputError(f"{label(option, path, line)}: {quote(word)} is not a number; a matrix takes nine")
        value = float(match.group())
        if not math.isfinite(value):
            raise InputError(f"{label(option, path, line)}: {quote(match.group())} is too large for a matrix element")
        values.append(value)
        position = match.end()
    matrix = np.array(values).reshape(3, 3)
    if _is_singular(matrix):
        shown = " ".join(format(value, "g") for value in values)
        raise InputError(f"{label(option, path)}: a*, b* and c* lie in one plane or are zero: {shown}")
    matrix.setflags(write=False)
    return matrix


@kept
def stated_cell(text: str) -> tuple[float, ...] | None:
    """Return the cell that a file of MOSFLM states, None where it is of another kind.

    Such a file holds the matrix, three missetting angles, the rotation matrix and the cell, 27 numbers or 30.

    Returns
    -------
    (6,) lengths [Angstrom] and angles [degree], or None
    """
    words = text.split()
    if len(words) not in (27, 30) or not all(_NUMBER.fullmatch(word) for word in words):
        return None
    numbers = [float(word) for word in words]
    rotation, cell = np.array(numbers[12:21]).reshape(3, 3), tuple(numbers[21:27])
    if not np.allclose(rotation @ rotation.T, np.eye(3), atol=1e-3):
        return None
    return cell if all(size > 1.0 for size in cell[:3]) and all(0.0 < angle < 180.0 for angle in cell[3:]) else None


def _is_singular(matrix: NDArray[np.float64]) -> bool:
    """Whether the columns, made unit vectors, enclose no volume to speak of."""
    largest = np.abs(matrix).max(axis=0)
    if not largest.all():
        return True
    unit = matrix / largest  # first, so that squares neither overflow nor vanish
    unit /= np.linalg.norm(unit, axis=0)
    return abs(float(np.linalg.det(unit))) < _SMALLEST_VOLUME
