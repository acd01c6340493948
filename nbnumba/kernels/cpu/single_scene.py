"""Scenes for mixed precision on the CPU: which there are, and their structure factors as float32."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..mixed import below_one, float32_holds, scaled_by
from ..physics.ellipsoid import MOST_RADIUS
from ..physics.fixed_point import MOST_CELLS, MOST_INDEX
from ..scene import ROUND, SQUARE, Scene, same

# Length of a crystal in wavelengths, which is what it magnifies an error of a direction by: those of
# `functions.inverse_sqrt_medium`, 3e-14, are 2e-7 radians of N h then. Ten times that failed between reflections.
_LONGEST = 1e6


def can_be_mixed(scene: Scene) -> bool:
    """Tell whether a scene is drawn in mixed precision where that is asked for.

    Those of square and round crystals with the structure factors of the nearest reflections: what follows the reduced
    indices takes most of their time. Whole numbers of 32 bits have room for some indices, and float32 has digits for
    some cells, only.
    """
    if scene.shape not in (SQUARE, ROUND) or scene.interpolate or scene.halo_count > 0:
        return False
    per_meter = float(np.max(scene.sources[:, 3], initial=0.0))  # 1/wavelength
    largest = 6.0 * float(np.max(np.abs(scene.orientations), initial=0.0)) * per_meter
    if not max(largest, abs(scene.h_min), abs(scene.k_min), abs(scene.l_min)) < MOST_INDEX:
        return False
    fits = _round_fits(scene) if scene.shape == ROUND else _square_fits(scene, per_meter)
    return fits and float32_holds(scene)


def _square_fits(scene: Scene, per_meter: float) -> bool:
    cells = np.diag(scene.N)
    if cells.max() == 1.0 or cells.max() > MOST_CELLS:  # a single cell has no lattice factor
        return False
    axes = np.linalg.norm(scene.orientations.reshape(-1, 3, 3), axis=2)
    return float(np.max(axes * cells, initial=0.0)) * per_meter <= _LONGEST


def _round_fits(scene: Scene) -> bool:
    """Tell whether the farthest from a reflection, half a cell along each axis, is near enough."""
    return scene.fudge * float(np.sum(np.diag(scene.N) ** 2)) / 4.0 < MOST_RADIUS**2


class _Kept(NamedTuple):
    """A table, and what was made of it."""

    flat: NDArray[np.float64]
    single: NDArray[np.float32]
    power: int


_last: list[_Kept] = []  # of this process; one at the most


def single(scene: Scene) -> Scene:
    """Return a scene that can be mixed with structure factors of float32, below 1."""
    kept = _last[:1]
    if not kept or not same(kept[0].flat, scene.flat):
        table, power = below_one(scene.flat)
        # Adding 0 leaves no -0, whose bits are not those of a structure factor of nothing.
        kept = [_Kept(scene.flat, table.astype(np.float32) + np.float32(0.0), power)]
        _last[:] = kept
    return scaled_by(scene._replace(flat=kept[0].single), kept[0].power)  # type: ignore[arg-type]
