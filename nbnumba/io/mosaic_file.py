"""Lists of the rotations of mosaic domains."""

from __future__ import annotations

import re

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from ..util.text import NUMBER, counted, quote
from .opening import label, read_text

_NUMBER = re.compile(NUMBER, re.ASCII)
_BETWEEN = re.compile(r"[\s,;]+")
_OFF = 1e-6  # how far a matrix may be from a rotation, and a quaternion from length 1
_MOST_WEIGHT = 1e9
_FORM = "a matrix (9 numbers, row by row) or a quaternion (4 numbers, w x y z), and its weight or none"


def read(path: str, option: str) -> tuple[NDArray[np.float64], NDArray[np.float64] | None]:
    """Read a list of rotations, one a line: a matrix or a quaternion, and perhaps its weight.

    A matrix stands row by row and turns column vectors; a quaternion is w x y z. Blanks, commas and semicolons
    separate numbers; ``#`` ends a line. All lines have as many numbers.

    Returns
    -------
    rotations : (n, 3, 3)
    weights : (n,) or None
        Not negative; None where there are none.

    Raises
    ------
    FileError
        The file is missing or cannot be read.
    InputError
        It holds no rotation, or something else.
    """
    rows: list[list[float]] = []
    places: list[str] = []
    lines = read_text(path, option).splitlines()
    for number, line in enumerate(lines, start=1):
        words = [word for word in _BETWEEN.split(line.split("#", 1)[0]) if word]
        if not words:
            continue
        place = label(option, path, number)
        wrong = next((word for word in words if not _NUMBER.fullmatch(word)), None)
        if wrong is not None:
            raise InputError(f"{place}: {quote(wrong)} is not a number; a line is {_FORM}")
        if len(words) not in (4, 5, 9, 10):
            raise InputError(f"{place}: holds {counted(len(words), 'number')}; a line is {_FORM}")
        if rows and len(words) != len(rows[0]):
            raise InputError(f"{place}: holds {counted(len(words), 'number')}, the lines before it {len(rows[0])}")
        rows.append([float(word) for word in words])
        places.append(place)
    if not rows:
        raise InputError(f"{label(option, path)}: holds no rotation; a line is {_FORM}")
    table = np.array(rows)
    size = 9 if table.shape[1] >= 9 else 4
    rotations = table[:, :9].reshape(-1, 3, 3) if size == 9 else _of_quaternions(table[:, :4], places)
    with np.errstate(over="ignore", invalid="ignore"):
        products = np.abs(rotations @ rotations.transpose(0, 2, 1) - np.eye(3)).max(axis=(1, 2))
    for place, rotation, off in zip(places, rotations, products, strict=True):
        if not off < _OFF or np.linalg.det(rotation) < 0.0:
            raise InputError(f"{place}: is no rotation; its rows must be unit vectors at right angles, right-handed")
    if table.shape[1] == size:
        return rotations, None
    weights = table[:, size]
    for place, weight in zip(places, weights, strict=True):
        if not 0.0 <= weight <= _MOST_WEIGHT:
            raise InputError(f"{place}: has the weight {weight:g}; allowed are 0 to {_MOST_WEIGHT:g}")
    if not weights.any():
        raise InputError(f"{label(option, path)}: all weights are 0; one at least must be positive")
    some = weights > 0.0
    return rotations[some], weights[some]


def _of_quaternions(quaternions: NDArray[np.float64], places: list[str]) -> NDArray[np.float64]:
    """Return the matrices of quaternions w x y z."""
    with np.errstate(over="ignore"):
        lengths = np.linalg.norm(quaternions, axis=1)
    for place, length in zip(places, lengths, strict=True):
        if not abs(length - 1.0) < _OFF:
            raise InputError(f"{place}: is a quaternion of the length {length:g}; it must be 1")
    w, x, y, z = (quaternions / lengths[:, None]).T
    return np.moveaxis(
        np.array(
            [
                [1.0 - 2.0 * (y * y + z * z), 2.0 * (x * y - w * z), 2.0 * (x * z + w * y)],
                [2.0 * (x * y + w * z), 1.0 - 2.0 * (x * x + z * z), 2.0 * (y * z - w * x)],
                [2.0 * (x * z - w * y), 2.0 * (y * z + w * x), 1.0 - 2.0 * (x * x + y * y)],
            ]
        ),
        2,
        0,
    )
