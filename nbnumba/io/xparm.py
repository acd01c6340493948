"""Crystal, beam and axes from XPARM.XDS or GXPARM.XDS, which XDS writes.

The layout of today begins with a line that says XPARM.XDS; the older one is eleven lines of numbers in another
order. Both give unit-cell axes in Angstrom at the spindle angle 0.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from ..geometry.panel import PlacedPanel
from ..util.text import NUMBER, counted, quote
from .atomic import PathLike
from .contents import kept
from .opening import label

Array = NDArray[np.float64]

_HEADS = ("XPARM.XDS", "GXPARM.XDS")
_NUMBER = re.compile(rf"\s*({NUMBER})", re.ASCII)
_OLD_COUNTS = (6, 4, 4, 3, 3, 3, 3, 7, 3, 3, 3)  # numbers on each line
# Lines, counted from 0, on which the numbers stand; in the new layout the first line is the head.
_NEW = {"spindle": 1, "beam": 2, "a": 4, "b": 5, "c": 6, "detector x-axis": 9}
_OLD = {"spindle": 0, "beam": 1, "a": 8, "b": 9, "c": 10, "detector x-axis": 4}
_SKIPPED = {"spindle": 3, "beam": 1}  # numbers before the vector
_SMALLEST, _BIGGEST = 1e-50, 1e50  # sizes that mean something, as on the command line
_SMALLEST_VOLUME = 1e-6  # of the parallelepiped of the three unit vectors


@dataclass(frozen=True, eq=False)
class Xparm:
    """What says how a crystal lies; vectors in the frame that XDS was given.

    Attributes
    ----------
    reciprocal_A : (3, 3) [1/Angstrom]
        Rows a*, b*, c* at the spindle angle 0.
    beam, spindle, detector_x : (3,)
        Unit vectors: from the source to the sample, the axis about which the crystal turns, along a row of pixels.
    """

    reciprocal_A: Array
    beam: Array
    spindle: Array
    detector_x: Array


@kept
def is_xparm(text: str) -> bool:
    """Tell whether a text can only be meant as an XPARM.XDS, of today or of the older layout."""
    lines = text.rstrip().splitlines()
    if not lines:
        return False
    return _has_head(lines) or tuple(len(line.split()) for line in lines) == _OLD_COUNTS


def _has_head(lines: list[str]) -> bool:
    return lines[0].split()[:1] != [] and lines[0].split()[0] in _HEADS


@kept
def parse(text: str, path: PathLike, option: str = "-mat") -> Xparm:
    """Read the text of a file.

    Raises
    ------
    InputError
        A line is missing or malformed, or the cell has no volume.
    """
    lines = text.rstrip().splitlines()
    places = _NEW if _has_head(lines) else _OLD
    where = label(option, path)
    vectors = {name: _vector(lines, line, name, path, option) for name, line in places.items()}
    real = np.array([vectors[name] for name in "abc"])
    lengths = np.linalg.norm(real, axis=1)
    if not np.all(lengths > _SMALLEST) or abs(np.linalg.det(real / lengths[:, None])) < _SMALLEST_VOLUME:
        raise InputError(f"{where}: the axes of the unit cell lie in one plane or are zero")
    for name in ("beam", "spindle", "detector x-axis"):
        if math.hypot(*vectors[name]) < _SMALLEST:
            raise InputError(f"{where}, line {places[name] + 1}: the {name} has no direction")
    beam, spindle, detector_x = (
        vectors[name] / math.hypot(*vectors[name]) for name in ("beam", "spindle", "detector x-axis")
    )
    return Xparm(np.linalg.inv(real).T, beam, spindle, detector_x)


@dataclass(frozen=True, eq=False)
class XparmDetector:
    """What says how the detector stands; in the frame that XDS was given.

    Attributes
    ----------
    panel : PlacedPanel
        All segments as one.
    wavelength_A : float
    phi_deg, width_deg : float
        Start and width of the first image.
    """

    panel: PlacedPanel
    wavelength_A: float
    phi_deg: float
    width_deg: float


def parse_detector(text: str, path: PathLike, option: str = "") -> XparmDetector:
    """Read what the text of a file says of the detector.

    Raises
    ------
    InputError
        A line is missing or malformed, or a size is none.

    Notes
    -----
    XDS finds the center of pixel (i, j), counted from 1, at (i - ORGX) QX X + (j - ORGY) QY Y + F Z.
    """
    lines = text.rstrip().splitlines()
    new = _has_head(lines)

    def numbers(line: int, count: int, name: str) -> list[float]:
        return _numbers(lines, line, count, name, path, option)

    *_, n_fast, n_slow, qx, qy = numbers(7, 5, "pixels") if new else numbers(2, 4, "pixels")
    if new:
        orgx, orgy, distance = numbers(8, 3, "detector's origin")
    else:
        distance, orgx, orgy = numbers(3, 3, "detector's origin")
    first = 9 if new else 4
    axes = [np.array(numbers(first + i, 3, "detector's axes")) for i in range(3)]
    where = label(option, path)
    if any(math.hypot(*axis) < _SMALLEST for axis in axes):
        raise InputError(f"{where}: an axis of the detector has no direction")
    x, y, z = (axis / math.hypot(*axis) for axis in axes)
    if not (1.0 <= n_fast <= 1e6 and 1.0 <= n_slow <= 1e6 and qx > 0.0 and qy > 0.0):
        raise InputError(f"{where}: its detector has {n_fast:g} x {n_slow:g} pixels of {qx:g} x {qy:g} mm")
    wavelength = numbers(2 if new else 1, 1, "wavelength")[0]
    if not wavelength > 0.0:
        raise InputError(f"{where}: the wavelength is {wavelength:g}; it must be greater than 0")
    _, phi, width = numbers(1 if new else 0, 3, "spindle")
    corner = (0.5 - orgx) * qx * x + (0.5 - orgy) * qy * y + distance * z
    panel = PlacedPanel(int(n_fast), int(n_slow), (qx * 1e-3, qy * 1e-3), corner * 1e-3, x, y)
    return XparmDetector(panel, wavelength, phi, width)


def _vector(lines: list[str], number: int, name: str, path: PathLike, option: str) -> Array:
    """Return the last three of the numbers that a line must hold."""
    return np.array(_numbers(lines, number, _SKIPPED.get(name, 0) + 3, name, path, option)[-3:])


def _numbers(lines: list[str], number: int, count: int, name: str, path: PathLike, option: str) -> list[float]:
    """Return as many numbers as a line must hold."""
    if number >= len(lines):
        raise InputError(
            f"{label(option, path)}: ends after {counted(len(lines), 'line')}; line {number + 1} holds the {name}"
        )
    values: list[float] = []
    position = 0
    while len(values) < count:
        # Columns are fixed: numbers may touch.
        match = _NUMBER.match(lines[number], position)
        if match is None:
            raise InputError(
                f"{label(option, path, number + 1)}: {quote(lines[number].strip())} does not hold the {count} numbers "
                f"of the {name}"
            )
        values.append(float(match[1]))
        position = match.end()
    if max(map(abs, values)) > _BIGGEST:
        raise InputError(f"{label(option, path, number + 1)}: a number of the {name} is too large")
    return values
