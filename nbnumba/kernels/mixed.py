"""Mixed precision, before anything is computed: which images float32 can hold, and structure factors for it."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from .scene import Scene

_MOST_CELLS = 1e15  # of a crystal: the square of its amplitude, and sums of it, must stay finite


def float32_holds(scene: Scene) -> bool:
    """Tell whether the terms of a scene may be float32.

    Not those of images whose factors compound, where a sample that vanishes is not the same as one that is nearly
    nothing, nor those of a crystal so large that float32 would overflow.
    """
    return not scene.compound and float(np.prod(np.diag(scene.N))) < _MOST_CELLS


def below_one(flat: NDArray[np.float64]) -> tuple[NDArray[np.float64], int]:
    """Return structure factors divided by a power of two that leaves them below 1, and that power."""
    power = math.frexp(float(np.max(np.abs(flat))))[1]
    return np.ldexp(flat, -power), power


def scaled_by(scene: Scene, power: int) -> Scene:
    """Return a scene for a table that was divided by a power of two: the sum of squares has its square as scale."""
    scale = math.ldexp(1.0, 2 * power)
    return scene.replace(photons=scene.photons * scale, water_start=scene.water_start / scale)
