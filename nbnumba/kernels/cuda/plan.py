"""What a GPU renders a scene with: the variant of the kernel, the scene in its numbers, and the launches."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..mixed import below_one, float32_holds
from ..pixel import CUBIC, NEAREST, Variant
from ..scene import Scene

_ROUNDING_UP = 1.5  # a launch may be that much longer than wanted rather than be cut in two


class Launch(NamedTuple):
    """Some rows of the region, and some samples of their pixels."""

    first_row: int
    rows: int
    first: int
    last: int


def choose_variant(scene: Scene, mixed: bool) -> Variant:
    """Choose the kernel for a scene."""
    single = mixed and float32_holds(scene)
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
    table, power = below_one(flat)
    return table.astype(np.float32 if variant.look_up == NEAREST else np.float64), power


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
