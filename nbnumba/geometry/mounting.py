"""Axes of a goniometer that stand still while the crystal turns about another one."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from .vectors import Array, rotation_matrix

_NAME = re.compile(r"[A-Za-z]\w{0,40}", re.ASCII)
_OF_SCANS = ("_end", "_increment_set")  # what NXmx appends to the name of an axis
_SMALLEST = 1e-13  # rad; less is rounding
SCANNED = "omega"
"""Name of an axis that has none."""


class StandingAxis(NamedTuple):
    """An axis that stands still.

    Attributes
    ----------
    name : str
    direction : (x, y, z)
        Unit vector where all axes stand at 0.
    angle : float [rad]
    """

    name: str
    direction: tuple[float, float, float]
    angle: float


@dataclass(frozen=True)
class Mounting:
    """The axes on both sides of the one that turns; the rotations of DIALS' goniometers.

    A crystal at an angle phi is S R(axis, phi) F A: F, the fixed rotation, is that of the inner axes, and S, the
    setting rotation, that of the outer ones.

    Attributes
    ----------
    inner, outer : tuple of StandingAxis
        Between the crystal and the axis that turns, and between that axis and the laboratory; that next to the crystal
        first.
    scanned : str
        Name of the axis that turns.
    """

    inner: tuple[StandingAxis, ...] = ()
    outer: tuple[StandingAxis, ...] = ()
    scanned: str = SCANNED

    @property
    def stands(self) -> bool:
        """Whether there are any axes besides the one that turns."""
        return bool(self.inner or self.outer)

    @property
    def fixed(self) -> Array:
        """Fixed rotation, (3, 3)."""
        return _product(self.inner)

    @property
    def setting(self) -> Array:
        """Setting rotation, (3, 3)."""
        return _product(self.outer)

    def seen_from(self, frame: Array) -> Mounting:
        """Return the same in another frame, whose axes are the rows of a matrix."""
        inner, outer = (
            tuple(axis._replace(direction=_three(frame @ np.array(axis.direction))) for axis in axes)
            for axes in (self.inner, self.outer)
        )
        return Mounting(inner, outer, self.scanned)


NO_MOUNTING = Mounting()


def axes_of_rotation(matrix: Array, name: str) -> tuple[StandingAxis, ...]:
    """Return a rotation as one axis; none for the identity."""
    off = matrix - matrix.T
    sine = 0.5 * np.array([off[2, 1], off[0, 2], off[1, 0]])
    angle = math.atan2(float(np.linalg.norm(sine)), 0.5 * (float(np.trace(matrix)) - 1.0))
    if angle < _SMALLEST:
        return ()
    if angle < 3.0:
        direction = sine
    else:  # near half a turn, where the sines vanish
        symmetric = 0.5 * (matrix + matrix.T) - math.cos(angle) * np.eye(3)
        direction = symmetric[:, int(np.argmax(np.diagonal(symmetric)))]
        direction = direction if float(direction @ sine) >= 0.0 else -direction
    return (StandingAxis(name, _three(direction / np.linalg.norm(direction)), angle),)


def axis_names(given: Sequence[str], count: int) -> list[str]:
    """Return names for axes that a file can hold: those that were given, where they serve."""
    good = len(given) == count and len({name.lower() for name in given}) == count
    if good and all(_NAME.fullmatch(name) and not name.endswith(_OF_SCANS) for name in given):
        return list(given)
    return [f"axis_{number}" for number in range(count)]


def _product(axes: Sequence[StandingAxis]) -> Array:
    turn: Array = np.eye(3)
    for axis in axes:
        turn = rotation_matrix(np.array(axis.direction), axis.angle) @ turn
    return turn


def _three(values: Array) -> tuple[float, float, float]:
    x, y, z = (float(value) + 0.0 for value in values)
    return x, y, z
