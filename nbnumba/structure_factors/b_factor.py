"""The isotropic B factor of a crystal: structure factors that fall off with resolution."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from .table import IndexBox, ReflectionTable, inside

Array = NDArray[np.float64]


def attenuated(
    reflections: ReflectionTable | None, default_F: float, B_A2: float, reciprocal_A: Array, largest: Array, place: str
) -> tuple[Array, tuple[int, int, int]]:
    """Return structure factors times exp(-B s²), s = sin(theta)/lambda of each reflection.

    Parameters
    ----------
    reflections : ReflectionTable or None
    default_F : float [electrons]
        Of all other reflections; attenuated like those of the table.
    B_A2 : float [Angstrom²]
    reciprocal_A : (3, 3) [1/Angstrom]
        Rows a*, b*, c*.
    largest : (3,) int
        Largest h, k, l of either sign that are looked up, for `default_F`.
    place : str
        What an error message begins with.

    Returns
    -------
    table : (nh + 2, nk + 2, nl + 2) [electrons]
        With a border of zeros.
    minima : (h_min, k_min, l_min)
        Indices of the first cell inside the border.

    Raises
    ------
    InputError
        The table would not fit into the free memory.
    """
    spans = [(-largest, largest)] if default_F != 0.0 else []
    if reflections is not None:
        own = np.array([reflections.h_min, reflections.k_min, reflections.l_min])
        spans.append((own, own + reflections.values.shape - 1))
    nothing: Array = np.zeros(3)
    first = np.min([low for low, _ in spans] or [nothing], axis=0)
    last = np.max([high for _, high in spans] or [nothing], axis=0)
    box = IndexBox(*(int(bound) for pair in zip(first, last, strict=True) for bound in pair))
    box.check_fits(place)
    table = box.table(0.0)
    values = inside(table)
    values[:] = default_F
    if reflections is not None:
        corner = own - first
        values[tuple(slice(a, a + n) for a, n in zip(corner, reflections.values.shape, strict=True))] = (
            reflections.values
        )
    k, l = np.arange(box.k_min, box.k_max + 1.0), np.arange(box.l_min, box.l_max + 1.0)
    plane = k[:, None, None] * reciprocal_A[1] + l[None, :, None] * reciprocal_A[2]
    for h, row in enumerate(values, box.h_min):
        q = plane + h * reciprocal_A[0]
        row *= np.exp(-0.25 * B_A2 * np.sum(q * q, axis=2))  # s = |q|/2
    return table, (box.h_min, box.k_min, box.l_min)


def largest_indices(real_space: Array, finest: float) -> Array:
    """Return the largest h, k, l of a nearest reflection where no sample has a finer spacing, (3,) int.

    Parameters
    ----------
    real_space : (3, 3) [m]
        Rows a, b, c.
    finest : float [m]

    Notes
    -----
    h = a·q is at most |a||q|, whatever the orientation.
    """
    return np.array([math.floor(math.hypot(*row) / finest + 0.5) + 1 for row in real_space.tolist()])
