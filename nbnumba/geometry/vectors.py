"""Small vector operations in the order of nanoBragg.c, so that results agree to the last bit.

NumPy's own dot products may fuse or reorder; set-up is too small for that to matter in time, and these
few lines keep the geometry reproducible.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

MCSTAS_TO_IMGCIF = np.diag([-1.0, 1.0, -1.0])  # to DIALS' frame, in which the beam runs along -z


def vector(values: Sequence[float] | Array) -> Array:
    """Return a float64 array of shape (3,)."""
    return np.array([float(v) for v in values])


def dot(x: Array, y: Array) -> float:
    """Inner product, summed from x to z."""
    return dot_of(x.tolist(), y.tolist())


def cross(x: Array, y: Array) -> Array:
    """Cross product."""
    return np.array(cross_of(x.tolist(), y.tolist()), dtype=np.float64)


def length(x: Array) -> float:
    """Euclidean length."""
    return length_of(x.tolist())


def dot_of(x: Sequence[float], y: Sequence[float]) -> float:
    """As `dot`, of plain numbers: for a few vectors that takes a fifth of the time."""
    x0, x1, x2 = x
    y0, y1, y2 = y
    return float(x0 * y0 + x1 * y1 + x2 * y2)


def cross_of(x: Sequence[float], y: Sequence[float]) -> list[float]:
    """As `cross`, of plain numbers."""
    x0, x1, x2 = x
    y0, y1, y2 = y
    return [x1 * y2 - x2 * y1, x2 * y0 - x0 * y2, x0 * y1 - x1 * y0]


def length_of(x: Sequence[float]) -> float:
    """As `length`, of plain numbers."""
    x0, x1, x2 = x
    return math.sqrt(x0 * x0 + x1 * x1 + x2 * x2)


def unit(x: Array) -> Array:
    """Return x divided by its length; a zero vector stays zero."""
    size = length(x)
    return x / size if size != 0.0 else np.zeros(3)


def units(positions: Array) -> Array:
    """Return rows divided by their lengths, (n, 3); a row of zeros stays."""
    sizes = [(row, length_of(row) or 1.0) for row in positions.tolist()]
    return np.array([(x / size, y / size, z / size) for (x, y, z), size in sizes]).reshape(-1, 3)


def rescale(x: Sequence[float], new_length: float) -> list[float]:
    """Return a vector along x of the given length (nanoBragg.c:4046)."""
    old = length_of(x)
    if old <= 0.0:
        old = 1.0
    return [(new_length / old) * value for value in x]


def rotate_xyz(v: Array, x: float, y: float, z: float) -> Array:
    """Turn about the x, then the y, then the z axis of the laboratory [rad] (nanoBragg.c:3287)."""
    vx, vy, vz = v.tolist()
    if x != 0.0:
        c, s = math.cos(x), math.sin(x)
        vy, vz = vy * c + vz * -s, vy * s + vz * c
    if y != 0.0:
        c, s = math.cos(y), math.sin(y)
        vx, vz = vx * c + vz * s, vx * -s + vz * c
    if z != 0.0:
        c, s = math.cos(z), math.sin(z)
        vx, vy = vx * c + vy * -s, vx * s + vy * c
    return np.array([vx, vy, vz], dtype=np.float64)


def rotate_about(v: Array, axis: Array, angle: float) -> Array:
    """Turn about a unit vector by a right-handed angle [rad], Rodrigues' formula (nanoBragg.c:3347)."""
    s, c = math.sin(angle), math.cos(angle)
    along = dot(axis, v) * (1.0 - c)
    x, y, z = axis.tolist()
    vx, vy, vz = v.tolist()
    return np.array(
        [
            x * along + vx * c + (-z * vy + y * vz) * s,
            y * along + vy * c + (z * vx - x * vz) * s,
            z * along + vz * c + (-y * vx + x * vy) * s,
        ]
    )


def rotation_matrix(axis: Array, angle: float) -> Array:
    """Return the matrix of a right-handed turn about a unit vector [rad], (3, 3); see `rotate_about`."""
    return np.column_stack([rotate_about(v, axis, angle) for v in np.eye(3)])


def random_rotation(generator: np.random.Generator) -> Array:
    """Draw a rotation, uniform over all rotations.

    Parameters
    ----------
    generator : numpy.random.Generator
        Advanced by four normal deviates.

    Returns
    -------
    (3, 3) float64
        Matrix that turns column vectors; its determinant is +1.

    Notes
    -----
    Four normal deviates, made a unit vector, are uniform on the sphere of the unit quaternions (M. E. Muller,
    Commun. ACM 2, 19 (1959)). The scalar part comes first: `scipy.spatial.transform.Rotation.random` takes it last and
    would give every seed another orientation.
    """
    import numpy as np

    quaternion = generator.standard_normal(4)
    w, x, y, z = (float(q) for q in quaternion / np.linalg.norm(quaternion))
    return np.array(
        [
            [1.0 - 2.0 * (y * y + z * z), 2.0 * (x * y - w * z), 2.0 * (x * z + w * y)],
            [2.0 * (x * y + w * z), 1.0 - 2.0 * (x * x + z * z), 2.0 * (y * z - w * x)],
            [2.0 * (x * z - w * y), 2.0 * (y * z + w * x), 1.0 - 2.0 * (x * x + y * y)],
        ]
    )
