"""Scenes for mixed precision on the CPU: which there are, and their structure factors as float32."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..mixed import below_one, float32_holds, scaled_by
from ..physics.fixed_point import MOST_CELLS, MOST_INDEX
from ..scene import SQUARE, Scene


def can_be_mixed(scene: Scene) -> bool:
    """Tell whether a scene is drawn in mixed precision where that is asked for.

    Those of square crystals with the structure factors of the nearest reflections: what follows the reduced indices
    takes most of their time. Fixed point has room for some indices, and digits for some cells, only.
    """
    cells = np.diag(scene.N)
    if scene.shape != SQUARE or scene.interpolate or scene.halo_count > 0 or not float32_holds(scene):
        return False
    if cells.max() == 1.0 or cells.max() > MOST_CELLS:  # a single cell has no lattice factor
        return False
    longest = 2.0 * float(np.max(scene.sources[:, 3], initial=0.0))
    largest = 3.0 * float(np.max(np.abs(scene.orientations), initial=0.0)) * longest
    return max(largest, abs(scene.h_min), abs(scene.k_min), abs(scene.l_min)) < MOST_INDEX


class _Kept(NamedTuple):
    """A table, and what was made of it."""

    flat: NDArray[np.float64]
    single: NDArray[np.float32]
    power: int


_last: list[_Kept] = []  # of this process; one at the most


def single(scene: Scene) -> Scene:
    """Return a scene with structure factors of float32, below 1."""
    kept = _last[:1]
    if not kept or kept[0].flat.__array_interface__ != scene.flat.__array_interface__:
        table, power = below_one(scene.flat)
        kept = [_Kept(scene.flat, table.astype(np.float32), power)]
        _last[:] = kept
    return scaled_by(scene._replace(flat=kept[0].single), kept[0].power)  # type: ignore[arg-type]
