"""How far from the origin the reflections of a table stand, whatever the cell."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

_NEAR = 4.0  # times the shortest index: kept one by one
_FARTHEST_NEAR = 40.0


class Extent(NamedTuple):
    """What bounds the distance of a table's nonzero reflections from the origin.

    Attributes
    ----------
    outer : (n, 3) float64
        Indices of the first and the last reflection of each row along l: the farthest from the origin is among them,
        since a distance is convex along a row.
    inner : (m, 3) float64
        Indices of the reflections within `radius` of the origin.
    radius : float
        In indices: h² + k² + l² of every other reflection is above its square.
    """

    outer: Array
    inner: Array
    radius: float

    def distances(self, reciprocal: Array) -> tuple[float, float]:
        """Return a lower and an upper bound of |Q| for a reciprocal cell (rows a*, b*, c*), in its unit.

        Those of no reflection at all are infinity and 0. The upper bound is exact; the lower one is where the
        shortest reciprocal vector is not shorter than the longest over four.
        """
        if len(self.outer) == 0:
            return math.inf, 0.0
        stretch = float(np.linalg.svd(reciprocal, compute_uv=False)[-1])
        least = float(np.linalg.norm(self.inner @ reciprocal, axis=1).min(initial=math.inf))
        return min(least, stretch * self.radius), float(np.linalg.norm(self.outer @ reciprocal, axis=1).max())


def extent_of(values: Array, minima: tuple[int, int, int]) -> Extent:
    """Find the extent of structure factors (nh, nk, nl) whose first cell has the indices `minima`."""
    h_min, k_min, l_min = minima
    rows = [_ends(plane, h, k_min, l_min) for h, plane in enumerate(values, h_min)]
    ends = np.concatenate([row for row in rows if len(row)] or [np.zeros((0, 4, 3))])
    if len(ends) == 0:
        return Extent(np.zeros((0, 3)), np.zeros((0, 3)), 0.0)
    shortest = math.sqrt(float(np.sum(ends * ends, axis=2).min()))
    radius = max(1.0, min(_NEAR * shortest, _FARTHEST_NEAR))
    return Extent(np.unique(ends[:, :2].reshape(-1, 3), axis=0), _within(values, minima, radius), radius)


def _ends(plane: Array, h: int, k_min: int, l_min: int) -> Array:
    """Indices (n, 4, 3) of the first and last reflection of each row, and of the nearest to l = 0 on either side."""
    filled = plane != 0.0
    k = np.flatnonzero(filled.any(axis=1))
    filled = filled[k]
    size = filled.shape[1]
    first, last = filled.argmax(axis=1), size - 1 - filled[:, ::-1].argmax(axis=1)
    zero = min(max(-l_min, 0), size)
    above, below = filled[:, zero:], filled[:, :zero][:, ::-1]
    after = np.where(above.any(axis=1), zero + above.argmax(axis=1), first) if zero < size else first
    before = np.where(below.any(axis=1), zero - 1 - below.argmax(axis=1), last) if zero > 0 else last
    found = np.empty((len(k), 4, 3))
    found[:, :, 0], found[:, :, 1] = h, (k + k_min)[:, None]
    found[:, :, 2] = np.stack([first, last, after, before], axis=1) + l_min
    return found


def _within(values: Array, minima: tuple[int, int, int], radius: float) -> Array:
    """Indices (m, 3) of the reflections within a radius."""
    reach = math.floor(radius)
    sides = [
        slice(min(max(-reach - low, 0), n), min(max(reach + 1 - low, 0), n))
        for low, n in zip(minima, values.shape, strict=True)
    ]
    corner = np.array([side.start + low for side, low in zip(sides, minima, strict=True)], dtype=np.float64)
    found: Array = np.argwhere(values[tuple(sides)] != 0.0) + corner
    inside: Array = found[np.sum(found * found, axis=1) <= radius * radius]
    return inside
