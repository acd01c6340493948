"""Unit cell and orientation: from a cell or a matrix to the six lattice vectors."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np

from ..errors import InputError, called
from ..geometry.vectors import Array, cross_of, dot_of, length_of, rescale, rotate_xyz
from ..parameters.choices import Vector

_SMALLEST_A, _LARGEST_A = 1e-50, 1e50  # as on the command line: a file may state any number
_SMALLEST_STAR_A, _LARGEST_STAR_A = 1e-60, 1e60  # room for those of flat cells; three of them multiplied stay finite
Rows = Sequence[Sequence[float]]

_ROUNDING = 1e-9  # relative; more than the digits that sines of a flat cell lose


@dataclass(frozen=True)
class Lattice:
    """Real and reciprocal lattice vectors with the cell constants that they imply.

    Attributes
    ----------
    real_A, reciprocal_A : (3, 3)
        Rows a, b, c [Angstrom] and a*, b*, c* [1/Angstrom].
    angles, reciprocal_angles : (3,) [rad]
    """

    real_A: Array
    reciprocal_A: Array
    angles: Array
    reciprocal_angles: Array
    volume_A3: float

    @property
    def lengths_A(self) -> Array:
        """Lengths of a, b, c, (3,) [Angstrom]."""
        return np.array([length_of(v) for v in self.real_A.tolist()])

    @property
    def reciprocal_lengths_A(self) -> Array:
        """Lengths of a*, b*, c*, (3,) [1/Angstrom]."""
        return np.array([length_of(v) for v in self.reciprocal_A.tolist()])

    @cached_property
    def orientation(self) -> Array:
        """Rotation of the axes, see `orientation_of`."""
        return orientation_of(self.real_A)


def complete_cell(lengths_A: tuple[float, float, float], angles: tuple[float, float, float]) -> tuple[Array, Array]:
    """Fill in missing lengths with a and missing angles with 90 degrees.

    Parameters
    ----------
    lengths_A, angles : (3,) [Angstrom], [rad]
        Values <= 0 are missing.

    Raises
    ------
    InputError
        If a is missing, a length is absurd, or the angles do not close to a cell of positive volume.
    """
    a = lengths_A[0]
    if a <= 0.0:
        raise InputError(f"{called('cell')}: the first length must be positive, got {a:g} Å")
    lengths = np.array([a] + [v if v > 0.0 else a for v in lengths_A[1:]])
    for value in lengths:
        if not _SMALLEST_A <= value <= _LARGEST_A:
            raise InputError(
                f"{called('cell')}: a length of {value:g} Å; allowed are {_SMALLEST_A:g} to {_LARGEST_A:g} Å"
            )
    full_angles = np.array([v if v > 0.0 else math.pi / 2 for v in angles])
    alpha, beta, gamma = (float(v) for v in full_angles)
    # The four conditions under which three angles meet in a corner of positive volume.
    half = (alpha + beta + gamma) / 2
    closes = all(0.0 < v < math.pi for v in (alpha, beta, gamma, half, half - alpha, half - beta, half - gamma))
    if not closes:
        degrees = " ".join(f"{math.degrees(v):g}" for v in full_angles)
        raise InputError(
            f"{called('cell')}: angles {degrees} degrees do not form a unit cell (each must be less than the sum of "
            "the other "
            "two, and all three together less than 360)"
        )
    return lengths, full_angles


def cell_volume(lengths_A: Array, angles: Array) -> float:
    """Volume of a unit cell [Angstrom^3] (nanoBragg.c:1799)."""
    a, b, c = (float(v) for v in lengths_A)
    alpha, beta, gamma = (float(v) for v in angles)
    half = (alpha + beta + gamma) / 2
    skew = math.sin(half) * math.sin(half - alpha) * math.sin(half - beta) * math.sin(half - gamma)
    return 2.0 * a * b * c * math.sqrt(abs(skew))


def reciprocal_from_cell(lengths_A: Array, angles: Array, as_C: bool = True) -> Array:
    """Reciprocal vectors in C's default orientation: a* along x, b* in the xy plane (nanoBragg.c:1812-1880).

    Parameters
    ----------
    lengths_A, angles : (3,) [Angstrom], [rad]
    as_C : bool
        Whether c* is laid out as C does, see `C_draws_another_cell`.

    Returns
    -------
    (3, 3) [1/Angstrom]
        Rows a*, b*, c*.
    """
    a, b, c = (float(v) for v in lengths_A)
    alpha, beta, gamma = (float(v) for v in angles)
    volume = cell_volume(lengths_A, angles)
    star_volume = 1.0 / volume
    a_star = b * c * math.sin(alpha) * star_volume
    b_star = c * a * math.sin(beta) * star_volume
    c_star = a * b * math.sin(gamma) * star_volume
    sin_gamma_star = _clip(c * star_volume / a_star / b_star)
    cos_alpha_star = _clip((math.cos(beta) * math.cos(gamma) - math.cos(alpha)) / (math.sin(beta) * math.sin(gamma)))
    cos_beta_star = _clip((math.cos(gamma) * math.cos(alpha) - math.cos(beta)) / (math.sin(gamma) * math.sin(alpha)))
    cos_gamma_star = _clip((math.cos(alpha) * math.cos(beta) - math.cos(gamma)) / (math.sin(alpha) * math.sin(beta)))
    c_star_z = c_star * volume / (a * b * c * sin_gamma_star)
    if not as_C and abs(c_star_z * c - 1.0) > _ROUNDING:
        # C differs: it takes the ratio of the volumes, right only where the sines of gamma and gamma* are the same.
        c_star_z = 1.0 / c
    return np.array(
        [
            [a_star, 0.0, 0.0],
            [b_star * cos_gamma_star, b_star * sin_gamma_star, 0.0],
            [
                c_star * cos_beta_star,
                c_star * (cos_alpha_star - cos_beta_star * cos_gamma_star) / sin_gamma_star,
                c_star_z,
            ],
        ]
    )


def C_draws_another_cell(lengths_A: Array, angles: Array) -> bool:
    """Tell whether C's layout of c* has other angles than the cell given, by up to 2 degrees (nanoBragg.c:1875)."""
    as_C, exact = (reciprocal_from_cell(lengths_A, angles, choice) for choice in (True, False))
    return bool(np.any(as_C != exact))


def cell_of_vectors(real: Array) -> tuple[Array, Array]:
    """Return the lengths and the angles [rad] of three vectors a, b, c, rows in any unit of length; each (3,).

    Unlike the angles of `lattice_from_reciprocal`, which are C's, these need no reciprocal vectors.
    """
    lengths = np.sqrt((real * real).sum(axis=1))
    unit = real / lengths[:, None]
    cosines = [unit[1] @ unit[2], unit[0] @ unit[2], unit[0] @ unit[1]]
    return lengths, np.arccos(np.minimum(np.maximum(cosines, -1.0), 1.0))


def upright_reciprocal(lengths_A: Array, angles: Array) -> Array:
    """Reciprocal vectors of a cell with a* along x and b* in the xy plane: the matrix B of Busing and Levy, transposed.

    Returns
    -------
    (3, 3) [1/Angstrom]
        Rows a*, b*, c*.

    Notes
    -----
    Acta Cryst. 22 (1967) 457. Unlike `reciprocal_from_cell`, which does as C, it has the angles of the cell also where
    none of them is 90 degrees.
    """
    cosines = np.cos(np.array([[0.0, angles[2], angles[1]], [angles[2], 0.0, angles[0]], [angles[1], angles[0], 0.0]]))
    np.fill_diagonal(cosines, 1.0)
    return np.asarray(np.linalg.cholesky(np.linalg.inv(np.outer(lengths_A, lengths_A) * cosines)))


def orientation_of(real_A: Array) -> Array:
    """Return the rotation of a crystal's axes, in which a* lies along x and b* in the xy plane, (3, 3).

    Parameters
    ----------
    real_A : (3, 3) [Angstrom]
        Rows a, b, c.
    """
    upright = upright_reciprocal(*cell_of_vectors(real_A))
    turned = np.linalg.inv(real_A) @ np.linalg.inv(upright.T)
    # The vectors that C draws are a little off from what their cell says.
    left, _, right = np.linalg.svd(turned)
    return np.asarray(left @ right)


def misset(reciprocal_A: Array, angles: tuple[float, float, float]) -> Array:
    """Turn three reciprocal vectors about x, then y, then z [rad]."""
    return np.array([rotate_xyz(row, *angles) for row in reciprocal_A])


def lattice_from_reciprocal(reciprocal_A: Array, cell: tuple[Array, Array] | None) -> Lattice:
    """Complete a lattice from its reciprocal vectors.

    Parameters
    ----------
    reciprocal_A : (3, 3) [1/Angstrom]
        Rows a*, b*, c*.
    cell : (lengths [Angstrom], angles [rad]) or None
        A cell that the user gave: it sets lengths and volume, the vectors only the directions
        (nanoBragg.c:1913-1925).

    Raises
    ------
    InputError
        If the vectors lie in a plane, or one of them is absurdly long or short.
    """
    a_star, b_star, c_star = reciprocal_A.tolist()
    b_cross_c, c_cross_a, a_cross_b = cross_of(b_star, c_star), cross_of(c_star, a_star), cross_of(a_star, b_star)
    star_volume = dot_of(a_star, b_cross_c)
    scale = length_of(a_star) * length_of(b_star) * length_of(c_star)
    if not abs(star_volume) > 1e-12 * scale or not math.isfinite(star_volume):
        raise InputError(f"{called('matrix')}: the three reciprocal vectors lie in one plane (the matrix is singular)")
    for length in map(length_of, (a_star, b_star, c_star)):
        if not _SMALLEST_STAR_A <= length <= _LARGEST_STAR_A:
            raise InputError(
                f"{called('matrix')}: a reciprocal length of {length:g}/Å; allowed are {_SMALLEST_STAR_A:g} to "
                f"{_LARGEST_STAR_A:g}/Å"
            )
    if cell is not None:
        lengths, angles = cell
        volume = cell_volume(lengths, angles)
        b_cross_c = rescale(b_cross_c, float(lengths[0]) / volume)
        c_cross_a = rescale(c_cross_a, float(lengths[1]) / volume)
        a_cross_b = rescale(a_cross_b, float(lengths[2]) / volume)
        star_volume = 1.0 / volume
    volume = 1.0 / star_volume
    a, b, c = real = [[volume * value for value in vector] for vector in (b_cross_c, c_cross_a, a_cross_b)]
    products = cross_of(b, c), cross_of(c, a), cross_of(a, b)
    reciprocal = [[star_volume * value for value in vector] for vector in products]
    return Lattice(
        real_A=np.array(real),
        reciprocal_A=np.array(reciprocal),
        angles=_angles(real, reciprocal, volume),
        reciprocal_angles=_angles(reciprocal, real, star_volume),
        volume_A3=volume,
    )


@lru_cache(maxsize=64)
def lattice_of_vectors(
    reciprocal_A: bytes, cell: tuple[Vector, Vector] | None = None, turns: Vector | None = None
) -> Lattice:
    """Return the lattice of reciprocal vectors, turned; nobody may change it.

    Parameters
    ----------
    reciprocal_A : bytes
        Of an array as `lattice_from_reciprocal` takes it.
    cell : (lengths [Angstrom], angles [rad]), optional
        As `complete_cell` takes it.
    turns : (3,) [rad], optional
        As of `misset`.
    """
    reciprocal = np.frombuffer(reciprocal_A).reshape(3, 3)
    return lattice_from_reciprocal(
        reciprocal if turns is None else misset(reciprocal, turns), None if cell is None else complete_cell(*cell)
    )


def _angles(vectors: Rows, duals: Rows, volume: float) -> Array:
    """Angles between three vectors, from sine and cosine as C takes them (nanoBragg.c:1943-2030)."""
    return np.array(
        [math.atan2(_clip(sine), _clip(cosine)) for sine, cosine in sines_and_cosines(vectors, duals, volume)]
    )


def sines_and_cosines(vectors: Rows, duals: Rows, volume: float) -> list[tuple[float, float]]:
    """Return sine and cosine of the three angles between vectors; not of any angle where a cell contradicts a matrix.

    Parameters
    ----------
    vectors, duals : (3, 3)
        Rows, and their reciprocal vectors.
    volume : float
        Of the three vectors.
    """
    la, lb, lc = map(length_of, vectors)
    da, db, dc = map(length_of, duals)
    a, b, c = vectors
    return [
        (da * volume / lb / lc, dot_of(b, c) / lb / lc),
        (db * volume / la / lc, dot_of(a, c) / la / lc),
        (dc * volume / la / lb, dot_of(a, b) / la / lb),
    ]


def _clip(value: float) -> float:
    """Keep a sine or cosine within [-1, 1] despite rounding."""
    return min(1.0, max(-1.0, value))


def cells_along(size: float, length_m: float, cells: int) -> int:
    """Unit cells along one axis: enough to fill `size` [m] if that is given, at least one."""
    if size > 0.0:
        cells = math.ceil(size / length_m)
    return max(1, cells)
