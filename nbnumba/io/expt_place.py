"""What the models of a DIALS experiment list are made of: vectors, rotations and indices, checked where they stand."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NoReturn

import numpy as np
from numpy.typing import NDArray

from .validated import failure, shown

Array = NDArray[np.float64]

ROUNDING = 1e-6  # by which axes may miss a right angle, and rotations being one
SMALLEST = 1e-50  # sizes that mean something, as on the command line


@dataclass(frozen=True)
class Place:
    """Where in a file a model stands, for messages."""

    where: str
    name: str

    def fail(self, key: str, found: str) -> NoReturn:
        raise failure(self.where, f"{self.name}.{key}", found)

    def inside(self, key: str) -> Place:
        return Place(self.where, f"{self.name}.{key}")


def check_index(number: int, count: int, place: Place, key: str) -> None:
    if not 0 <= number < count:
        place.fail(key, f"is {number}; there are {count} to choose from, counted from 0")


def unit_vector(values: Sequence[float], place: Place, key: str) -> Array:
    size = math.hypot(*values)
    if size < SMALLEST:
        place.fail(key, f"a direction is needed, not {shown(list(values))}")
    return np.asarray(np.array(values) / size)


def rotation(values: Sequence[float] | None, place: Place, key: str) -> Array:
    if values is None:
        return np.eye(3)
    matrix = np.reshape(np.array(values, dtype=np.float64), (3, 3))
    if np.abs(matrix @ matrix.T - np.eye(3)).max() > ROUNDING or np.linalg.det(matrix) < 0.0:
        place.fail(key, f"a rotation matrix is needed, not {shown(list(values))}")
    return matrix
