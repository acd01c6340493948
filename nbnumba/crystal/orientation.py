"""A crystal in a random orientation, as the matrix file that MOSFLM and -mat read."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..errors import InputError, called
from ..util.text import NUMBER, quote

if TYPE_CHECKING:
    from ..geometry.vectors import Array

BIGGEST_CELL = 99999.0  # Angstrom; what the columns of the file take
BIGGEST_VALUE = 99.0  # of a matrix element, likewise
SMALLEST_DIGITS = 1e-6  # of the longest axis, else its digits are too few


@dataclass(frozen=True, eq=False)
class Orientation:
    """A cell in an orientation.

    Attributes
    ----------
    cell : (6,) [Angstrom, deg]
    wavelength_A : float
    U : (3, 3)
        Rotation of the crystal's frame, in which a* lies along x and b* in the xy plane.
    A : (3, 3)
        wavelength U B: columns are a*, b*, c* times the wavelength.
    """

    cell: tuple[float, ...]
    wavelength_A: float
    U: Array
    A: Array

    def text(self) -> str:
        """Return the nine lines of MOSFLM: A, missetting angles, U, cell, missetting angles.

        Numbers stand in fixed columns, (3F12.8), (3F12.3), (3F12.7) and (6F12.4).
        """
        rows = [_columns(row, 8) for row in self.A]
        turned = [_columns(row, 7) for row in self.U]
        still = _columns((0.0, 0.0, 0.0), 3)
        return "\n".join([*rows, still, *turned, _columns(self.cell, 4), still, ""])


def _columns(values: tuple[float, ...] | Array, digits: int) -> str:
    # Rounded first, so that nothing is written as -0.
    return "".join(f"{round(float(value), digits) + 0.0:12.{digits}f}" for value in values)


def cell_of_words(words: Sequence[str]) -> tuple[float, ...]:
    """Return the cell that was typed, six numbers: missing lengths are the first, missing angles 90, as of -cell.

    Raises
    ------
    InputError
        When a word is not a number, or there are more than six.
    """
    allowed = "1 to 6 numbers, lengths [Å] and angles [deg]"
    for word in words:
        if re.fullmatch(NUMBER, word, re.ASCII):
            continue
        if word.startswith("-") and word is not words[0]:
            raise InputError(f"random-orientation: no such option: {word}; random-orientation --help lists them all")
        raise InputError(f"{called('cell')}: {quote(word)} is not a number; allowed: {allowed}")
    if len(words) > 6:
        raise InputError(f"{called('cell')}: {len(words)} numbers: {' '.join(words)}; allowed: {allowed}")
    cell = [float(word) for word in words]
    lengths, angles = cell[:3], cell[3:]
    return (*lengths, *[cell[0]] * (3 - len(lengths)), *angles, *[90.0] * (3 - len(angles)))


def random_orientation(cell: Sequence[float], wavelength_A: float, seed: int) -> Orientation:
    """Turn a cell at random, uniformly over all rotations.

    Parameters
    ----------
    cell : (6,) [Angstrom, deg]
    seed : int
        The same seed gives the same orientation.

    Raises
    ------
    InputError
        When the cell is none, or a number would not fit into the columns of the file.
    """
    import numpy as np

    from ..geometry.vectors import random_rotation
    from .lattice import complete_cell, upright_reciprocal

    if not (math.isfinite(wavelength_A) and wavelength_A > 0.0):
        raise InputError(f"{called('wavelength_A')}: {wavelength_A:g}; the wavelength must be greater than 0 Å")
    if seed < 0:
        raise InputError(f"{called('seed')}: {seed}; it must be at least 0")
    if not all(math.isfinite(value) and value > 0.0 for value in cell):
        shown = " ".join(f"{value:g}" for value in cell)
        raise InputError(f"{called('cell')}: {shown}; lengths [Å] and angles [deg] must be greater than 0")
    a, b, c, *angles = cell
    if max(a, b, c) > BIGGEST_CELL:
        raise InputError(f"{called('cell')}: {max(a, b, c):g} Å; at most {BIGGEST_CELL:g}")
    alpha, beta, gamma = map(math.radians, angles)
    B = upright_reciprocal(*complete_cell((a, b, c), (alpha, beta, gamma))).T
    scaled = wavelength_A * np.linalg.norm(B, axis=0)
    if scaled.max() > BIGGEST_VALUE or scaled.min() < SMALLEST_DIGITS:
        raise InputError(
            f"{called('cell')}, {called('wavelength_A')}: wavelength times a*, b*, c* is {scaled.min():.3g} to "
            f"{scaled.max():.3g}; the columns of "
            f"the file take {SMALLEST_DIGITS:g} to {BIGGEST_VALUE:g}"
        )
    U = random_rotation(np.random.Generator(np.random.PCG64(seed)))
    return Orientation(tuple(cell), wavelength_A, U, wavelength_A * (U @ B))


def write_orientation(orientation: Orientation, path: str) -> None:
    """Write a matrix file, whole or not at all.

    Raises
    ------
    FileError
        The file cannot be written.
    """
    from ..io.atomic import whole_file

    with whole_file(path) as file:
        file.write(orientation.text().encode("ascii"))
