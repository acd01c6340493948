"""By how much everything that a kernel reads changes with each parameter."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..scene import Array, Scene

FORM = 7  # numbers of a form


class Tangents(NamedTuple):
    """What a panel's image is differentiated by, for `directions` parameters at once.

    A form is how the lattice factor depends on the offset from a reflection: for a parallelepiped Na, Nb, Nc and three
    zeros; for the others the upper triangle of a symmetric matrix Q, row by row, such that the exponent of a Gaussian,
    or the squared radius of an ellipsoid in units of 1/N, is the quadratic form of the offset. The last number is what
    multiplies all intensities.
    """

    form: Array  # (FORM,)
    numbers: NDArray[np.void]  # (directions,) of RECORD: derivatives of its real fields
    sources: Array  # (directions, sources, 5)
    strains: Array  # (directions, orientations, 9) S of each orientation: its vectors a, b, c change by S (a, b, c)
    forms: Array  # (directions, FORM); the last is that of the logarithm
    tables: Array  # (tables, cells) derivatives of the table of structure factors
    table_of: NDArray[np.int64]  # (directions,) which of them is meant; -1: none
    moving: NDArray[np.bool_]  # (directions,) whether places, sources, or the factors of a sample change
    strained: NDArray[np.bool_]  # (directions,) whether orientations change, all by the same S
    strained_apart: NDArray[np.bool_]  # (directions,) the same, each by its own

    @property
    def directions(self) -> int:
        """Number of parameters."""
        return len(self.numbers)


def no_tangents(scene: Scene, form: Array) -> Tangents:
    """Return what asks for the image alone."""
    return Tangents(
        form=form,
        numbers=scene.numbers[:0],
        sources=np.zeros((0, len(scene.sources), 5)),
        strains=np.zeros((0, len(scene.orientations), 9)),
        forms=np.zeros((0, FORM)),
        tables=np.zeros((0, 1)),
        table_of=np.zeros(0, dtype=np.int64),
        moving=np.zeros(0, dtype=np.bool_),
        strained=np.zeros(0, dtype=np.bool_),
        strained_apart=np.zeros(0, dtype=np.bool_),
    )


def table_tangents(scene: Scene, form: Array, table: Array) -> Tangents:
    """Return what asks for the derivative along one direction of structure factors."""
    nothing = no_tangents(scene, form)
    numbers: NDArray[np.void] = np.zeros(1, scene.numbers.dtype)
    flag = np.zeros(1, dtype=np.bool_)
    return nothing._replace(
        numbers=numbers,
        sources=np.zeros((1, *nothing.sources.shape[1:])),
        strains=np.zeros((1, *nothing.strains.shape[1:])),
        forms=np.zeros((1, FORM)),
        tables=table[np.newaxis],
        table_of=np.zeros(1, dtype=np.int64),
        moving=flag,
        strained=flag,
        strained_apart=flag,
    )
