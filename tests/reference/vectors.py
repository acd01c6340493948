"""Three-vectors as tuples of Python floats, so that sums are taken in the order written."""

from __future__ import annotations

import math

Vector = tuple[float, float, float]


def dot(u: Vector, v: Vector) -> float:
    return u[0] * v[0] + u[1] * v[1] + u[2] * v[2]


def cross(u: Vector, v: Vector) -> Vector:
    return (u[1] * v[2] - u[2] * v[1], u[2] * v[0] - u[0] * v[2], u[0] * v[1] - u[1] * v[0])


def length(v: Vector) -> float:
    return math.sqrt(dot(v, v))


def scaled(v: Vector, factor: float) -> Vector:
    return (factor * v[0], factor * v[1], factor * v[2])


def unit(v: Vector) -> Vector:
    """Return v / |v|, and the zero vector for the zero vector."""
    size = length(v)
    return (v[0] / size, v[1] / size, v[2] / size) if size != 0.0 else (0.0, 0.0, 0.0)


def turned_xyz(v: Vector, angles: Vector) -> Vector:
    """Rotate about x, then y, then z, right-handed; angles in radians."""
    x, y, z = v
    if angles[0] != 0.0:
        c, s = math.cos(angles[0]), math.sin(angles[0])
        y, z = y * c - z * s, y * s + z * c
    if angles[1] != 0.0:
        c, s = math.cos(angles[1]), math.sin(angles[1])
        x, z = x * c + z * s, -s * x + z * c
    if angles[2] != 0.0:
        c, s = math.cos(angles[2]), math.sin(angles[2])
        x, y = x * c - y * s, x * s + y * c
    return (x, y, z)


def turned(v: Vector, axis: Vector, angle: float) -> Vector:
    """Rotate about an axis (Rodrigues); an axis that is not of unit length distorts, as in nanoBragg.c:3350."""
    c, s = math.cos(angle), math.sin(angle)
    along = dot(axis, v) * (1.0 - c)
    return (
        axis[0] * along + v[0] * c + (-axis[2] * v[1] + axis[1] * v[2]) * s,
        axis[1] * along + v[1] * c + (axis[2] * v[0] - axis[0] * v[2]) * s,
        axis[2] * along + v[2] * c + (-axis[1] * v[0] + axis[0] * v[1]) * s,
    )


def matrix_times(matrix: tuple[float, ...], v: Vector) -> Vector:
    """Apply a row-major 3x3 matrix."""
    m = matrix
    return (
        m[0] * v[0] + m[1] * v[1] + m[2] * v[2],
        m[3] * v[0] + m[4] * v[1] + m[5] * v[2],
        m[6] * v[0] + m[7] * v[1] + m[8] * v[2],
    )
