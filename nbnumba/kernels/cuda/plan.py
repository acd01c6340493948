"""What a GPU renders a scene with: the variant of the kernel, the scene in its numbers, and the launches."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..pixel import CUBIC, NEAREST, Variant
from ..scene import Scene

_MOST_CELLS = 1e15  # of a crystal in mixed precision: the square of its amplitude, and sums of it, must stay finite
_ROUNDING_UP = 1.5  # a launch may be that much longer than wanted rather than be cut in two


class Launch(NamedTuple):
    """Some rows of the region, and some samples of their pixels."""

    first_row: int
    rows: int
    first: int
    last: int


def choose_variant(scene: Scene, mixed: bool) -> Variant:
    """Choose the kernel for a scene.

    Some images are computed in double precision always: those whose factors compound, where a sample that vanishes is
    not the same as one that is nearly nothing, and those of a crystal so large that float32 would overflow.
    """
    single = mixed and not scene.compound and float(np.prod(np.diag(scene.N))) < _MOST_CELLS
    weighted = bool(np.any(scene.weights != 1.0))
    look_up = CUBIC if scene.interpolate else NEAREST
    return Variant(scene.shape, look_up, scene.compound, single, weighted, scene.halo_count > 0)


def table_of(flat: NDArray[np.float64], variant: Variant) -> tuple[NDArray[np.floating], int]:
    """Return the structure factors as a variant reads them, and the power of two by which they were divided.

    Mixed precision takes them below 1, and the nearest ones as float32. Interpolation cancels among neighbors and
    takes float64.
    """
    if not variant.single:
        return flat, 0
    power = math.frexp(float(np.max(np.abs(flat))))[1]
    return np.ldexp(flat, -power).astype(np.float32 if variant.look_up == NEAREST else np.float64), power


def scaled_by(scene: Scene, power: int) -> Scene:
    """Return a scene for a table that was divided by a power of two: the sum of squares has its square as scale."""
    scale = math.ldexp(1.0, 2 * power)
    return scene.replace(photons=scene.photons * scale, water_start=scene.water_start / scale)


def plan(rows: int, columns: int, samples: int, fill: int, steps: Callable[[], int]) -> Iterator[Launch]:
    """Cut an image into launches, block of rows after block.

    Parameters
    ----------
    rows, columns : int
        Of the region.
    samples : int
        Of a pixel.
    fill : int
        Pixels that keep all units of the GPU busy: rather than have fewer, a launch takes part of their samples.
    steps : callable
        Asked before each launch for the steps that it should have.
    """
    row = 0
    while row < rows:
        wanted = max(1, steps())
        count = min(rows - row, max(1, wanted // (columns * samples), -(-fill // columns)))
        first = 0
        while first < samples:
            portion = max(1, max(1, steps()) // (count * columns))
            last = samples if samples - first <= portion * _ROUNDING_UP else first + portion
            yield Launch(row, count, first, last)
            first = last
        row += count
