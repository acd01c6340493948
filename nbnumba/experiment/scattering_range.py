"""Between which lengths of the scattering vector there can be structure factors, whatever the orientation."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from ..geometry.vectors import Array
from ..structure_factors.extent import Extent, extent_of
from ..structure_factors.table import index_margin, inside
from .model import Experiment

NEAREST = 0.5  # indices between a sample and the reflection that the look-up takes for it, at the most
TRICUBIC = 2.0
_ROUNDING = 1e-6  # relative; that of float64 is magnified by the largest index, a few hundred
_BLOCK = 1 << 14  # orientations at a time


class ScatteringRange(NamedTuple):
    """Lengths of the scattering vector beyond which every structure factor is 0 [1/m]."""

    least: float
    most: float

    def numbers(self, sources: Array) -> dict[str, Any]:
        """Fields of the scene; `sources` are those of the scene.

        Notes
        -----
        |q| of a source is |d - i|/wavelength. For all sources at once, |d - i| is bounded by |d - m| for one direction
        m, the middle of all.
        """
        middle, spread, longest, shortest = np.zeros(3), 0.0, 0.0, 0.0
        if len(sources):
            middle = (sources[:, :3].min(axis=0) + sources[:, :3].max(axis=0)) / 2.0
            spread = float(np.linalg.norm(sources[:, :3] - middle, axis=1).max())
            longest, shortest = float(1.0 / sources[:, 3].min()), float(1.0 / sources[:, 3].max())
        return {
            "q_least_squared": _squared(self.least),
            "q_most_squared": _squared(self.most),
            "middle": middle,
            "chord_least": self.least * shortest - spread,
            "chord_most": self.most * longest + spread,
        }


EVERYTHING = ScatteringRange(-1.0, math.inf)


def _squared(length: float) -> float:
    return math.copysign(length * length, length)


def scattering_range(
    experiment: Experiment, table: Array, minima: tuple[int, int, int], cells: Array
) -> ScatteringRange:
    """Work out where there can be structure factors.

    Parameters
    ----------
    experiment : Experiment
        Of one pass.
    table : (nh, nk, nl)
        Padded by its border.
    minima : (h_min, k_min, l_min)
    cells : (orientations, 9) [m]
        Real-space vectors of every orientation.

    Notes
    -----
    A sample at q = A^-1 h takes a reflection within half an index of h along each axis, or reflections within two
    indices of it by tricubic interpolation. With T = A0^-1 A for the first orientation A0, q = T^-1 A0^-1 h; T is a
    rotation unless domains differ in their cells, and |T^-1 x| lies between |x|/sqrt(1 + e) and |x|/sqrt(1 - e),
    e = |T T^t - 1|.
    """
    if table[0, 0, 0] != 0.0:
        return EVERYTHING
    reflections = experiment.reflections
    own = reflections is not None and experiment.crystal.B_factor == 0.0
    extent: Extent = reflections.extent if own and reflections is not None else extent_of(inside(table), minima)
    first = cells[0].reshape(3, 3)
    try:
        reciprocal = np.linalg.inv(first).T
    except np.linalg.LinAlgError:  # of axes in one plane
        return EVERYTHING
    nearest, farthest = extent.distances(reciprocal)
    if math.isinf(nearest):
        return ScatteringRange(math.inf, -1.0)
    margin = index_margin(reciprocal, TRICUBIC if experiment.interpolate else NEAREST)
    strain = _largest_strain(first, cells) + _ROUNDING
    least = (nearest - margin) / math.sqrt(1.0 + strain)
    most = (farthest + margin) / math.sqrt(1.0 - strain) if strain < 1.0 else math.inf
    return ScatteringRange(max(least, -1.0), most * (1.0 + _ROUNDING))


def _largest_strain(first: Array, cells: Array) -> float:
    """Largest |T T^t - 1| of all orientations."""
    if len(cells) == 1:
        return 0.0
    inverse = np.linalg.inv(first)
    # T T^t = A0^-1 (A A^t) A0^-t is linear in the six products of a, b and c.
    rows, columns = np.triu_indices(3)
    basis = np.zeros((6, 3, 3))
    basis[range(6), rows, columns] = basis[range(6), columns, rows] = 1.0
    to_strain = np.einsum("ij,njk,lk->nil", inverse, basis, inverse).reshape(6, 9)
    largest = 0.0
    for start in range(0, len(cells), _BLOCK):
        axes = np.ascontiguousarray(cells[start : start + _BLOCK].T).reshape(3, 3, -1)
        products = np.sum(axes[rows] * axes[columns], axis=1)
        strain = to_strain.T @ products - np.eye(3).reshape(9, 1)
        largest = max(largest, float(np.sum(strain * strain, axis=0).max()))
    return math.sqrt(largest)
