"""Amorphous material in the beam: how much of it, and what it scatters."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ..constants import AVOGADRO, R_E_SQUARED
from ..errors import InputError, called
from ..util.messages import logger
from ..util.text import quote
from . import tables
from .words import table_and_numbers

if TYPE_CHECKING:
    from ..kernels.background.bodies import Points
    from ..kernels.scene import Scene

Array = NDArray[np.float64]

FORM = "TABLE:thick_mm[:density_gcm3:MW]"
_MOST_MM = 1e6
_FAR = (1e98, 1e99)  # 1/m, stol of the points that nonBragg adds at both ends


@dataclass(frozen=True, eq=False)
class Material:
    """One amorphous body in the beam.

    Attributes
    ----------
    name : str
        As given: a built-in curve or a file.
    thickness : float [m]
        Along the beam; of air the path outside vacuum.
    density : float [g/cm3]
    molar_mass : float [g/mol]
    points : (n, 2) float64
        stol [1/A], ascending, and F [electrons per molecule].
    """

    name: str
    thickness: float
    density: float
    molar_mass: float
    points: Array

    def molecules(self, beam_size: float) -> float:
        """Number of molecules in the beam: thickness times the beam's square cross-section [m]."""
        return self.thickness * beam_size * beam_size * self.density * 1e6 * AVOGADRO / self.molar_mass

    def reaches(self, stol: float) -> bool:
        """Tell whether the table goes from 0 to a stol [1/A]."""
        return bool(self.points[0, 0] <= 0.0 and stol <= self.points[-1, 0])


def parse(text: str, option: str | None = None) -> Material:
    """Read ``TABLE:thick_mm[:density:MW]``.

    TABLE is ``water``, ``air``, ``ice``, ``icerings``, ``icerings=WIDTH`` or a file, which holds stol [1/A] and F.
    Density [g/cm3] and MW [g/mol] are those of the built-in material, and of water for a file.

    Raises
    ------
    FileError
        The file is missing or cannot be read.
    InputError
        The text has another form, a number is not above 0, or the file is malformed.
    """
    option = option or called("amorphous")
    table, numbers = table_and_numbers(text)
    if not table or len(numbers) not in (1, 2, 3):
        raise InputError(f"{option}: {quote(text)} is not {FORM}")
    thickness = _number(numbers[0], "the thickness in mm", option, text, 0.0)
    curve = tables.load(table, option)
    density = _number(numbers[1], "the density", option, text) if len(numbers) > 1 else curve.density
    molar_mass = _number(numbers[2], "the molar mass", option, text) if len(numbers) > 2 else curve.molar_mass
    return Material(table, thickness * 1e-3, density, molar_mass, curve.points)


def _number(word: str, what: str, option: str, text: str, smallest: float = 1e-12) -> float:
    try:
        value = float(word)
    except ValueError:
        value = math.nan
    if not smallest <= value <= _MOST_MM:
        raise InputError(f"{option} {text}: {what} is {quote(word)}; allowed are {smallest:g} to {_MOST_MM:g}")
    return value


def monotone_points(points: Array) -> Points:
    """Points and the slopes of the monotone cubics between them (PCHIP, F. N. Fritsch and J. Butland 1984) [1/m]."""
    from scipy.interpolate import PchipInterpolator

    from ..kernels.background.bodies import Points

    stol, F = points[:, 0] * 1e10, np.ascontiguousarray(points[:, 1])
    if len(stol) == 1:
        return Points(stol, F, np.zeros(1))
    return Points(stol, F, np.asarray(PchipInterpolator(stol, F).derivative()(stol)))


def padded_points(points: Array, factor: float = 1e10) -> Points:
    """Points with two more at each end, as nonBragg adds them to hold F constant; a missing F is 0.

    Notes
    -----
    nonBragg.c:1225-1258. The polynomial through four points does not hold it: it goes on along a straight line.
    """
    from ..kernels.background.bodies import Points

    stol, F = points[:, 0] * factor, points[:, 1]
    given = F[~np.isnan(F)]
    near, far = _FAR
    return Points(
        np.concatenate([[-far, -near], stol, [near, far]]),
        np.concatenate([[given[0]] * 2, np.nan_to_num(F, nan=0.0), [given[-1]] * 2]),
        np.zeros(len(stol) + 4),
    )


def photons_per_steradian(fluence: float, molecules: float, weights: float, subpixels: int) -> float:
    """What the sum over samples is multiplied by: r_e^2 fluence molecules / (sum of weights, sub-pixels)."""
    return R_E_SQUARED * fluence * molecules / (weights * subpixels)


def check_range(material: Material, scenes: list[Scene], option: str | None = None, *, exact: bool = True) -> None:
    """Refuse a table that does not reach as far as the image; with `exact` false, warn.

    Raises
    ------
    InputError
        Names the range of the table and the range asked for.
    """
    from ..kernels.background.extent import sine_range

    sines = [sine_range(scene) for scene in scenes]
    inverse = scenes[0].sources[:, 3] * 1e-10
    lowest = min(low for low, _ in sines) * float(inverse.min())
    highest = max(high for _, high in sines) * float(inverse.max())
    first, last = float(material.points[0, 0]), float(material.points[-1, 0])
    if lowest < first * (1.0 - 1e-9) or highest > last * (1.0 + 1e-9):
        text = (
            f"{option or called('amorphous')} {material.name}: the table covers stol {first:g} to {last:g} 1/A; "
            f"the image needs {lowest:g} to {highest:g}"
        )
        if exact:
            raise InputError(text)
        logger.warning(
            f"{text}; as in nonBragg, F goes on along a straight line; {called('semantics')} exact refuses it"
        )
