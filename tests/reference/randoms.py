"""nanoBragg's uniform random numbers and the random rotations made of them."""

from __future__ import annotations

import math

import numpy as np

from reference.vectors import Vector, cross

_MODULUS = 2147483647
_TABLE = 32


class Uniform:
    """Park-Miller numbers with a 32-entry shuffle, started from a typed seed (nanoBragg.c:3763-3806)."""

    def __init__(self, seed: int) -> None:
        # The option's value is negated and a negative number starts the table with its absolute value.
        self._state = max(abs(seed), 1)
        self._shuffle = [0] * _TABLE
        for j in reversed(range(_TABLE + 8)):
            self._advance()
            if j < _TABLE:
                self._shuffle[j] = self._state
        self._last = self._shuffle[0]

    def _advance(self) -> None:
        self._state = 16807 * self._state % _MODULUS

    def next(self) -> float:
        """Return a float32 in (0, 1) as a float64."""
        self._advance()
        j = self._last // (1 + (_MODULUS - 1) // _TABLE)
        self._last, self._shuffle[j] = self._shuffle[j], self._state
        value = float(np.float32(1.0 / _MODULUS * self._last))
        largest = 1.0 - 1.2e-7
        return float(np.float32(largest)) if value > largest else value


def cap_rotation(spread: float, uniform: Uniform) -> tuple[float, ...]:
    """Return a rotation matrix, row-major, by an angle within `spread` about a random axis (nanoBragg.c:3421)."""
    r1 = 2.0 * uniform.next() - 1.0
    r2 = 2.0 * uniform.next() - 1.0
    r3 = 2.0 * uniform.next() - 1.0
    # The cube root is a float32 function of float32 numbers; taken in float64 and rounded it is the same number.
    base = float(np.float32(1.0 - r3 * r3))
    root = np.float32(math.pow(base, float(np.float32(1.0 / 3.0))))
    angle = float(np.float32(spread) * root)
    radius = math.sqrt(1.0 - r2 * r2)
    x, y, z = radius * math.sin(math.pi * r1), radius * math.cos(math.pi * r1), r2
    c, s = math.cos(angle), math.sin(angle)
    t = 1.0 - c
    return (
        c + t * (x * x),
        t * x * y - s * z,
        t * x * z + s * y,
        t * x * y + s * z,
        c + t * (y * y),
        t * y * z - s * x,
        t * x * z - s * y,
        t * y * z + s * x,
        c + t * (z * z),
    )


def uniform_rotation(uniform: Uniform) -> tuple[float, ...]:
    """Return a rotation matrix, row-major, uniform over all rotations.

    The first 256 numbers of the stream are passed over; the next three make Shoemake's quaternion.
    """
    for _ in range(256):
        uniform.next()
    u1, u2, u3 = uniform.next(), 2.0 * math.pi * uniform.next(), 2.0 * math.pi * uniform.next()
    x, y = math.sqrt(1.0 - u1) * math.sin(u2), math.sqrt(1.0 - u1) * math.cos(u2)
    z, w = math.sqrt(u1) * math.sin(u3), math.sqrt(u1) * math.cos(u3)
    # The product of the quaternion, a unit vector and the conjugate quaternion, for each unit vector in turn.
    columns = []
    for axis in ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0)):
        once = cross((x, y, z), axis)
        twice = cross((x, y, z), once)
        columns.append(tuple(v + 2.0 * (w * a + b) for v, a, b in zip(axis, once, twice, strict=True)))
    return tuple(columns[j][i] for i in range(3) for j in range(3))


def missetting_angles(matrix: tuple[float, ...]) -> Vector:
    """Return rotations about x, y, z that make up a rotation matrix (nanoBragg.c:3475)."""
    rows = [matrix[0:3], matrix[3:6], matrix[6:9]]
    (xx, _, _), (yx, _, _), (zx, zy, zz) = (tuple(v / math.hypot(*row) for v in row) for row in rows)
    return (math.atan2(zy, zz), math.atan2(-zx, math.sqrt(zy * zy + zz * zz)), math.atan2(yx, xx))
