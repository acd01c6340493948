"""Mixed precision, before anything is computed: which images float32 can hold, and structure factors for it."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from .scene import Scene, same

_MOST_CELLS = 1e15  # of a crystal: the square of its amplitude, and sums of it, must stay finite
WHY_DOUBLE = {
    "cpu": "the processor has mixed precision for square crystals of more than one cell and less than a million "
    "wavelengths long, and for round ones with fudge (Na^2 + Nb^2 + Nc^2) below 4096^2, without interpolation and "
    "diffuse scattering, and for structure factors within 12 orders of magnitude",
    "cuda": "mixed precision is for structure factors within 12 orders of magnitude, crystals of less than 1e15 cells, "
    "and factors that do not multiply the running sum, as those of nanoBragg.c may",
}  # by what renders
_LEAST_POWER = -400  # squares of smaller structure factors come near the smallest float64
_SMALLEST_F = 2.0**-40  # of the largest: squares of smaller ones come near the smallest float32


def float32_holds(scene: Scene) -> bool:
    """Tell whether the terms of a scene may be float32.

    Not those of images whose factors compound, where a sample that vanishes is not the same as one that is nearly
    nothing, nor those of a crystal so large that float32 would overflow, nor those of structure factors that span more
    than float32 does.
    """
    if scene.compound or not float(np.prod(np.diag(scene.N))) < _MOST_CELLS:
        return False
    return _range_of(scene.flat).fits


def below_one(flat: NDArray[np.float64]) -> tuple[NDArray[np.float64], int]:
    """Return structure factors divided by a power of two that leaves them below 1, and that power."""
    power = _range_of(flat).power
    return np.ldexp(flat, -power), power


def scaled_by(scene: Scene, power: int) -> Scene:
    """Return a scene for a table that was divided by a power of two: the sum of squares has its square as scale."""
    scale = math.ldexp(1.0, 2 * power)
    return scene.replace(photons=scene.photons * scale, water_start=scene.water_start / scale)


class _Range(NamedTuple):
    """How large the structure factors of a table are."""

    flat: NDArray[np.float64]
    power: int  # of two, which the largest is below
    fits: bool  # whether float32 reaches from the smallest that is not 0 to the largest


_last: list[_Range] = []  # of this process; one at the most


def _range_of(flat: NDArray[np.float64]) -> _Range:
    """Return the range of a table, which is looked at once while scenes bring the same one."""
    kept = _last[:1]
    if not kept or not same(kept[0].flat, flat):
        sizes = np.abs(flat)
        power = max(math.frexp(float(np.max(sizes)))[1], _LEAST_POWER)
        kept = [_Range(flat, power, not np.any((sizes > 0.0) & (sizes < math.ldexp(_SMALLEST_F, power))))]
        _last[:] = kept
    return kept[0]
