"""Scenes for mixed precision on the CPU: which there are, and their structure factors as float32."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..mixed import below_one, float32_holds, scaled_by
from ..physics.ellipsoid import MOST_RADIUS
from ..physics.fixed_point import MOST_CELLS, MOST_INDEX
from ..scene import FLAT, ROUND, SQUARE, Scene, same
from .nodes import NODES
from .strip import WIDTH

# Length of a crystal in wavelengths, which is what it magnifies an error of a direction by: those of
# `functions.inverse_sqrt_medium`, 3e-14, are 2e-7 radians of N h then. Ten times that failed between reflections.
_LONGEST = 1e6
# What polynomials may add to N h: that of fixed point is 6e-9 of a turn for the most cells without a rest.
_TURNS = 6e-9
# Change of a path through the sensor across half a strip, in attenuation lengths: an error of 1e-9 of the capture.
_DEPTHS = 0.5


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
    fits = _round_fits(scene) if scene.shape == ROUND else _square_fits(scene)
    return fits and float32_holds(scene)


def _square_fits(scene: Scene) -> bool:
    cells = np.diag(scene.N)
    if cells.max() == 1.0 or cells.max() > MOST_CELLS:  # a single cell has no lattice factor
        return False
    return _wavelengths(scene) <= _LONGEST


def _round_fits(scene: Scene) -> bool:
    """Tell whether the farthest from a reflection, half a cell along each axis, is near enough."""
    return scene.fudge * float(np.sum(np.diag(scene.N) ** 2)) / 4.0 < MOST_RADIUS**2


def _wavelengths(scene: Scene) -> float:
    """Return the longest edge of the crystal in the shortest wavelength."""
    axes = np.linalg.norm(scene.orientations.reshape(-1, 3, 3), axis=2)
    longest = float(np.max(axes * np.diag(scene.N), initial=0.0))
    return longest * float(np.max(scene.sources[:, 3], initial=0.0))


def smooth_width(scene: Scene) -> int:
    """Return how many pixels wide a strip may be for polynomials along it, see `nodes`; 0 where they don't serve.

    They are for square crystals.

    Continued to complex places along a line, a direction is singular where its distance from the sample is 0. The
    error of a polynomial falls with the size of the ellipse through that place (Trefethen, Approximation Theory and
    Approximation Practice, theorem 8.2).
    """
    if scene.shape != SQUARE or scene.surface != FLAT or scene.dmin > 0.0:
        return 0
    if scene.water_start != 0.0 or scene.water_end != 0.0:
        return 0
    across = np.cross(scene.fast, scene.slow)
    size, depth = float(np.linalg.norm(across)), abs(scene.layers * scene.layer_step)
    nearest = abs(float(np.dot(scene.origin, across))) / size - depth if size > 0.0 else 0.0
    wavelengths = _wavelengths(scene)
    for width in (WIDTH, WIDTH // 2, WIDTH // 4):
        half = width / 2.0 * scene.pixel_fast * float(np.linalg.norm(scene.fast))
        ratio = nearest / half
        if not ratio > 2.0:
            continue
        turns = wavelengths * (ratio + ratio * math.sqrt(1.0 - 1.0 / ratio / ratio)) ** -NODES
        if turns < _TURNS and _change_of_depths(scene, nearest) / ratio < _DEPTHS:
            return width
    return 0


def _change_of_depths(scene: Scene, nearest: float) -> float:
    """Return by how many attenuation lengths a path through the sensor grows at the most, for each radian."""
    if not scene.sensor:
        return 0.0
    edges = [
        scene.origin + fast * scene.pixel_fast * scene.fast + slow * scene.pixel_slow * scene.slow
        for fast in (0, scene.n_fast)
        for slow in (0, scene.n_slow)
    ]
    farthest = max(float(np.linalg.norm(edge)) for edge in edges)
    slant = farthest / nearest
    return abs(scene.layers * scene.layer_step * scene.mu) * slant * slant


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
