"""Scenes for mixed precision on the CPU: which there are, and their structure factors as float32."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..mixed import below_one, float32_holds, scaled_by
from ..physics.fixed_point import MOST_CELLS, MOST_INDEX
from ..scene import SQUARE, Scene

# Length of a crystal in wavelengths, which is what it magnifies an error of a direction by: those of
# `functions.inverse_sqrt_medium`, 3e-14, are 2e-7 radians of N h then. Ten times that failed between reflections.
_LONGEST = 1e6
_SMALLEST_F = 2.0**-40  # of the largest: squares of smaller ones come near the smallest float32


def can_be_mixed(scene: Scene) -> bool:
    """Tell whether a scene is drawn in mixed precision where that is asked for.

    Those of square crystals with the structure factors of the nearest reflections: what follows the reduced indices
    takes most of their time. Fixed point has room for some indices, and digits for some cells, only. `single` refuses
    tables that span too much.
    """
    cells = np.diag(scene.N)
    if scene.shape != SQUARE or scene.interpolate or scene.halo_count > 0 or not float32_holds(scene):
        return False
    if cells.max() == 1.0 or cells.max() > MOST_CELLS:  # a single cell has no lattice factor
        return False
    per_meter = float(np.max(scene.sources[:, 3], initial=0.0))  # 1/wavelength
    axes = np.linalg.norm(scene.orientations.reshape(-1, 3, 3), axis=2)
    if float(np.max(axes * cells, initial=0.0)) * per_meter > _LONGEST:
        return False
    largest = 6.0 * float(np.max(np.abs(scene.orientations), initial=0.0)) * per_meter
    return max(largest, abs(scene.h_min), abs(scene.k_min), abs(scene.l_min)) < MOST_INDEX


class _Kept(NamedTuple):
    """A table, and what was made of it."""

    flat: NDArray[np.float64]
    single: NDArray[np.float32] | None  # None where float32 does not reach from the smallest to the largest
    power: int


_last: list[_Kept] = []  # of this process; one at the most


def single(scene: Scene) -> Scene:
    """Return a scene with structure factors of float32, below 1, or as it is if they span too much for that."""
    kept = _last[:1]
    if not kept or kept[0].flat.__array_interface__ != scene.flat.__array_interface__:
        table, power = below_one(scene.flat)
        spans = bool(np.any((table != 0.0) & (np.abs(table) < _SMALLEST_F)))
        # Adding 0 leaves no -0, whose bits are not those of a structure factor of nothing.
        kept = [_Kept(scene.flat, None if spans else table.astype(np.float32) + np.float32(0.0), power)]
        _last[:] = kept
    if kept[0].single is None:
        return scene
    return scaled_by(scene._replace(flat=kept[0].single), kept[0].power)  # type: ignore[arg-type]
