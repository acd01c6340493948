"""Size and form of compact spots: what the kernels need to know of a Gaussian or top-hat shape.

All of them are one formula: with dh the offset from a reflection in units of the reciprocal axes and R a triangular
matrix, r^2 = scale^2 |R dh|^2, and the lattice factor is height exp(-fudge r^2 / width), or height where
fudge r^2 < 0.3969. `SPOTS` says what a shape measures r by.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from ..constants import GAUSS_WIDTH
from ..errors import InputError, called
from ..geometry.vectors import Array
from ..parameters.choices import Shape, Vector
from .model import Crystal

GAUSSIAN = frozenset({Shape.GAUSS, Shape.GAUSS_ABC, Shape.GAUSS_ARGCHK, Shape.GAUSS_STAR})
TOPHATS = frozenset({Shape.TOPHAT, Shape.TOPHAT_ABC})
BY_MATRIX = frozenset({Shape.GAUSS_ABC, Shape.GAUSS_ARGCHK, Shape.GAUSS_STAR, Shape.TOPHAT_ABC})  # take -Nd -Ne -Nf
_STAR_FALLOFF = 1.9  # exponent over |dQ|^2 L^2
_ARGCHK_LIMIT = 35.0  # exponent
_UPPER = np.triu_indices(3)


class SpotShape(NamedTuple):
    """A compact spot, as the kernels take it.

    Attributes
    ----------
    triangle : (6,)
        R: (0, 1, 2) in its first row, (3, 4) in its second, 5 in its third.
    scale, height, width : float
    limit : float
        Exponent of a Gaussian from which on it is 0.
    """

    triangle: Array
    scale: float
    height: float
    width: float
    limit: float


def number_matrix(crystal: Crystal) -> Array:
    """Unit cells along the axes as a symmetric matrix, (3, 3): Na, Nb, Nc on the diagonal, Nd, Ne, Nf beside it."""
    a, b, c = crystal.cells
    d, e, f = crystal.cells_between
    return np.array([[a, d, f], [d, b, e], [f, e, c]], dtype=np.float64)


def check_between(cells: Sequence[int], between: Vector, shape: Shape) -> None:
    """Raise where Nd, Ne, Nf make no spot.

    Raises
    ------
    InputError
        For a shape that does not take them, or values with Na, Nb, Nc that leave some direction without cells.
    """
    if not any(between):
        return
    shown = " ".join(f"{value:g}" for value in between)
    if shape not in BY_MATRIX:
        shapes = ", ".join(sorted(BY_MATRIX))
        raise InputError(
            f"{called('Nd')}, {called('Ne')}, {called('Nf')}: {shown} with {called('shape')} {shape.value}; allowed "
            f"with {shapes}"
        )
    a, b, c = cells
    d, e, f = between
    if not np.all(np.linalg.eigvalsh([[a, d, f], [d, b, e], [f, e, c]]) > 1e-6 * max(cells)):
        raise InputError(
            f"{called('Nd')}, {called('Ne')}, {called('Nf')}: {shown} with {a} x {b} x {c} cells; the matrix of the "
            "six must be positive definite"
        )


def spot_shape(crystal: Crystal) -> SpotShape:
    """Return the size and form of a crystal's compact spots.

    Notes
    -----
    gauss, tophat: r = |dQ| Na Nb Nc, dQ = dh a* + dk b* + dl c* in 1/Angstrom (nanoBragg.c:2843-2869).
    gauss_abc, tophat_abc: r = |N dh|; gauss_argchk the same, 0 where the exponent is 35 or more.
    gauss_star: exponent 1.9 fudge |dQ|^2 L^2, L = (det N times the cell's volume)^(1/3).
    """
    N = number_matrix(crystal)
    shape = crystal.shape
    if shape in (Shape.GAUSS_ABC, Shape.GAUSS_ARGCHK, Shape.TOPHAT_ABC):
        limit = _ARGCHK_LIMIT if shape is Shape.GAUSS_ARGCHK else math.inf
        return SpotShape(triangle_of(N), 1.0, _determinant(N), GAUSS_WIDTH, limit)
    triangle = triangle_of(crystal.reciprocal_A.T)
    if shape is Shape.GAUSS_STAR:
        height = _determinant(N)
        size = (height * abs(crystal.volume_A3)) ** (1.0 / 3.0)  # below 0 where the axes are left-handed
        return SpotShape(triangle, size, height, 1.0 / _STAR_FALLOFF, math.inf)
    cells = math.prod(map(float, crystal.cells))
    return SpotShape(triangle, cells, cells, GAUSS_WIDTH, math.inf)


def steepest(crystal: Crystal) -> float:
    """Return by how much r grows, at the most, with the distance from a reflection [m]."""
    return _steepest(crystal, spot_shape(crystal))


def _steepest(crystal: Crystal, spot: SpotShape) -> float:
    R = np.zeros((3, 3))
    R[_UPPER] = spot.triangle
    return spot.scale * float(np.linalg.svd(R @ crystal.real_space, compute_uv=False)[0])  # dh = (a, b, c) dQ


def narrowest_sigma(crystal: Crystal) -> float:
    """Return the standard deviation of a Gaussian spot's intensity where it is narrowest [1/m]; fudge is above 0."""
    spot = spot_shape(crystal)
    return math.sqrt(spot.width / (4.0 * crystal.fudge)) / _steepest(crystal, spot)


def _determinant(N: Array) -> float:
    """Determinant; of a diagonal matrix the plain product."""
    if np.count_nonzero(N - np.diag(np.diagonal(N))) == 0:
        return float(N[0, 0] * N[1, 1] * N[2, 2])
    return float(np.linalg.det(N))


def triangle_of(columns: Array) -> Array:
    """Turn three columns so that three of their nine coordinates vanish, (6,)."""
    (xa, _, _), (xb, yb, _), (xc, yc, zc) = np.linalg.qr(columns, mode="raw")[0].tolist()
    return np.array([xa, xb, xc, yb, yc, zc])
