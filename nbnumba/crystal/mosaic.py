"""Rotations drawn at random: those of the mosaic domains and that of the whole crystal."""

from __future__ import annotations

import math
from collections.abc import MutableSequence, Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..kernels.random import park_miller
from ..parameters.choices import MosaicModel, Semantics, Vector
from .model import Crystal

# C's spread for a random orientation, in radians.
_RANDOM_SPREAD = 90.0
_LARGEST = 1.0 - 1.2e-7
CAP_SIGMA = 0.4964  # standard deviation about each axis of C's rotations, over their largest angle
_CUBE_ROOT = np.float32(1.0 / 3.0)

# Numbers passed over before a uniform orientation. Fresh from its seed, C's shuffle table is filled but not mixed:
# over all seeds the first number lies below 1/32 twice as often as it should, and neighbors depend on
# each other until the first entries are used up, of which a share (31/32)^256 = 0.0003 is then left.
_NUMBERS_UNTIL_MIXED = 256

_NO_TURN = np.eye(3)
_MOST_KEPT = 10_000  # domains whose random numbers are worth their memory


def mosaic_rotations(
    spread_rad: float, domains: int, seed: int, table: MutableSequence[int] | None = None
) -> NDArray[np.float64]:
    """Draw the rotations of the mosaic domains.

    Parameters
    ----------
    spread_rad : float [rad]
        Largest angle of a rotation; used as float32.
    domains : int
        The first domain is not rotated, yet it takes its three uniform deviates.
    seed : int
        As typed after -mosaic_seed. One below 0 depends on `table`, see `nbnumba.kernels.random.park_miller`.
    table : sequence of 34 int, optional
        Random table as the draws before left it; untouched by default. Advanced in place, as C's.

    Returns
    -------
    (domains, 3, 3) float64
        Matrices that turn column vectors.

    Notes
    -----
    nanoBragg.c:2440. The axis is uniform on the sphere, the angle spread·(1 - r²)^(1/3) with r uniform in
    [-1, 1].
    """
    table = _seeded(table, seed)
    if domains > _MOST_KEPT:
        drawn, table[:] = _turns(domains, tuple(table))
        return _rotations(spread_rad, drawn)
    rotations, table[:] = _kept_rotations(spread_rad, domains, tuple(table))
    return rotations.copy()  # others are handed the same ones


def simtbx_rotations(spread_rad: float, domains: int, seed: int) -> NDArray[np.float64]:
    """Draw the rotations of simtbx's mosaic domains, (domains, 3, 3).

    Notes
    -----
    Those of C, but for the first domain, which draws nothing, and float64 where C has float32; the cube root alone is
    a float32 in both.
    """
    draw = _kept_simtbx_turns if domains <= _MOST_KEPT else _simtbx_turns
    drawn = draw(domains, seed)
    return _of_domains(drawn.axes, spread_rad * drawn.shares.astype(np.float64))


def random_misset(seed: int, semantics: Semantics, table: MutableSequence[int] | None = None) -> Vector:
    """Draw a random orientation of the crystal.

    Parameters
    ----------
    seed : int
        As typed after -misset_seed.
    semantics : Semantics
        `exact` draws uniformly among all orientations, `c` as C does.
    table : sequence of 34 int, optional
        Random table to use and advance; untouched by default.

    Returns
    -------
    (rotx, roty, rotz) [rad]
        Turns about x, then y, then z.

    Notes
    -----
    nanoBragg.c:1902 passes 90 as radians to the generator of mosaic rotations. That winds the angle up to 14
    times round the circle and leaves it nearly uniform, whereas a uniform orientation seldom has a small one: the
    density of its angle t, 0 to pi, is (1 - cos t)/pi. No spread gives C's formula that density, so `exact` has a
    construction of its own, from later numbers of the same stream.
    """
    table = _seeded(table, seed)
    if semantics is Semantics.C:  # C differs: from uniform, see above
        turn = _turns_of(2.0 * park_miller.numbers(table, 3).astype(np.float64) - 1.0)
        return misset_angles(_rotations_about(turn.axes, [float(np.float32(_RANDOM_SPREAD) * turn.shares[0])])[0])
    park_miller.drawn_integers(table, _NUMBERS_UNTIL_MIXED)
    return misset_angles(_uniform_rotation(table))


def random_table_after(crystals: Sequence[Crystal], semantics: Semantics) -> tuple[int, ...]:
    """Return C's random table as the draws for crystals leave it, those of orientations and of mosaic domains.

    As C: noise goes on with this table.
    """
    table = park_miller.new_table()
    for crystal in crystals:
        if crystal.misset_seed is not None:
            random_misset(crystal.misset_seed, semantics, table)
        if crystal.mosaic_model is not MosaicModel.C:
            continue
        _seeded(table, crystal.mosaic_seed)
        park_miller.drawn_integers(table, 3 * len(crystal.mosaic_rotations))
    return tuple(table)


def misset_angles(rotation: NDArray[np.float64]) -> Vector:
    """Split a rotation into turns about x, then y, then z.

    Parameters
    ----------
    rotation : (3, 3)
        A matrix that turns column vectors; its rows are normalized first, for rounding's sake.

    Returns
    -------
    (rotx, roty, rotz) [rad]
        The matrix is Rz(rotz) Ry(roty) Rx(rotx); roty lies between -pi/2 and pi/2.

    Notes
    -----
    nanoBragg.c:3491. C's repair of matrices with empty rows is left out: no rotation has one.
    """
    # as C: normalized twice, which decides the last bits
    (xx, xy, _), (yx, yy, _), (zx, zy, zz) = (_normalized(_normalized(row)) for row in rotation.tolist())
    if zx * zx < 1.0:
        return math.atan2(zy, zz), math.atan2(-zx, math.sqrt(zy * zy + zz * zz)), math.atan2(yx, xx)
    # Only rotx ± rotz is determined here, rotx = pi is a choice. C differs: roty is +pi/2 for either sign.
    return math.pi, math.copysign(math.pi / 2.0, -zx), math.atan2(xy, -yy)


def _seeded(table: MutableSequence[int] | None, seed: int) -> MutableSequence[int]:
    """Put a seed into a table, a fresh one if none is given."""
    if table is None:
        table = park_miller.new_table()
    table[park_miller.VALUE] = park_miller.start_value(seed)
    return table


def _normalized(row: tuple[float, float, float]) -> tuple[float, float, float]:
    """Scale a vector to length 1."""
    x, y, z = row
    length = math.sqrt(x * x + y * y + z * z)
    return x / length, y / length, z / length


class _Turns(NamedTuple):
    """Turns that were drawn, whatever the spread; nobody may change them.

    Attributes
    ----------
    axes : (n, 3)
        Unit vectors.
    shares : (n,)
        Of the spread, from 0 to 1.
    """

    axes: NDArray[np.float64]
    shares: NDArray[np.float32]


def _turns(count: int, table: tuple[int, ...]) -> tuple[_Turns, list[int]]:
    """Draw C's turns; the second value is the random table that they leave."""
    left = list(table)
    return _turns_of(2.0 * park_miller.numbers(left, 3 * count).astype(np.float64) - 1.0), left


_kept_turns = lru_cache(maxsize=16)(_turns)


def _rotations(spread_rad: float, drawn: _Turns) -> NDArray[np.float64]:
    """Return C's rotations by shares of a spread, which count as float32."""
    return _of_domains(drawn.axes, (np.float32(spread_rad) * drawn.shares).astype(np.float64))


@lru_cache(maxsize=16)
def _kept_rotations(
    spread_rad: float, domains: int, table: tuple[int, ...]
) -> tuple[NDArray[np.float64], Sequence[int]]:
    drawn, left = _kept_turns(domains, table)
    return _rotations(spread_rad, drawn), left


def _turns_of(numbers: NDArray[np.float64]) -> _Turns:
    """Return axes and shares of C's turns, of which each takes three numbers between -1 and 1.

    Notes
    -----
    nanoBragg.c:3439. Sine and cosine by the C library, and its powf, which `**` between two float32 scalars calls:
    NumPy's own code over arrays often differs in the last place.
    """
    r1, r2, r3 = numbers.reshape(-1, 3).T
    across = np.sqrt(1.0 - r2 * r2)
    angles = (math.pi * r1).tolist()
    sine, cosine = np.array([math.sin(angle) for angle in angles]), np.array([math.cos(angle) for angle in angles])
    shares = [rest**_CUBE_ROOT for rest in (1.0 - r3 * r3).astype(np.float32)]
    return _Turns(np.column_stack((across * sine, across * cosine, r2)), np.array(shares, dtype=np.float32))


def _simtbx_turns(count: int, seed: int) -> _Turns:
    """Draw the turns of simtbx's domains; the first is none."""
    drawn = park_miller.drawn_integers(_seeded(None, seed), 3 * (count - 1))
    turns = _turns_of(2.0 * np.minimum(park_miller.SCALE * drawn, _LARGEST) - 1.0)
    return _Turns(np.vstack((np.zeros((1, 3)), turns.axes)), np.concatenate((np.zeros(1, np.float32), turns.shares)))


_kept_simtbx_turns = lru_cache(maxsize=16)(_simtbx_turns)


def _of_domains(axes: NDArray[np.float64], angles: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the rotations of mosaic domains, (n, 3, 3); the first is not rotated."""
    rotations = _rotations_about(axes, angles.tolist()) if len(axes) > 1 else np.empty((1, 3, 3))
    rotations[:1] = _NO_TURN
    return rotations


def _rotations_about(axes: NDArray[np.float64], angles: list[float]) -> NDArray[np.float64]:
    """Return the matrices of turns about unit axes, (n, 3, 3); products and sums in C's order."""
    x, y, z = axes.T
    # By the C library: NumPy's own for arrays differ in the last place.
    cosine, sine = np.array([math.cos(angle) for angle in angles]), np.array([math.sin(angle) for angle in angles])
    versine = 1.0 - cosine
    xy, xz, yz = versine * x * y, versine * x * z, versine * y * z
    sx, sy, sz = sine * x, sine * y, sine * z
    rotations = np.empty((len(angles), 9))
    rotations[:, 0], rotations[:, 1], rotations[:, 2] = cosine + versine * (x * x), xy - sz, xz + sy
    rotations[:, 3], rotations[:, 4], rotations[:, 5] = xy + sz, cosine + versine * (y * y), yz - sx
    rotations[:, 6], rotations[:, 7], rotations[:, 8] = xz - sy, yz + sx, cosine + versine * (z * z)
    return rotations.reshape(-1, 3, 3)


def _uniform_rotation(table: MutableSequence[int]) -> NDArray[np.float64]:
    """Return a rotation drawn uniformly from all rotations, (3, 3).

    Notes
    -----
    K. Shoemake, "Uniform random rotations", Graphics Gems III (1992), 124-132: three uniform deviates give a unit
    quaternion that is uniform on the sphere in four dimensions; its density over rotations is Haar's.
    """
    split, first, second = (float(park_miller.ran1(table)) for _ in range(3))
    inner, outer = math.sqrt(1.0 - split), math.sqrt(split)
    x, y = inner * math.sin(2.0 * math.pi * first), inner * math.cos(2.0 * math.pi * first)
    z, w = outer * math.sin(2.0 * math.pi * second), outer * math.cos(2.0 * math.pi * second)
    return np.array(
        (
            (1.0 - 2.0 * (y * y + z * z), 2.0 * (x * y - w * z), 2.0 * (x * z + w * y)),
            (2.0 * (x * y + w * z), 1.0 - 2.0 * (x * x + z * z), 2.0 * (y * z - w * x)),
            (2.0 * (x * z - w * y), 2.0 * (y * z + w * x), 1.0 - 2.0 * (x * x + y * y)),
        )
    )
