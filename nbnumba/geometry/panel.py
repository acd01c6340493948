"""A flat rectangle of pixels: where it is and how large, whatever file or option states it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import InputError
from .vectors import Array, dot, unit

_SAME = 1e-9  # relative difference between pixel edges that are meant to be one


MOST_MOVED = 0.01
"""Pixels by which a file may differ from the image, so that its axes are at right angles."""

_RIGHT_ANGLE = 1e-7  # cosine; DIALS' readers refuse more


@dataclass(frozen=True, eq=False)
class PanelGeometry:
    """A flat rectangle of pixels in a laboratory frame.

    Attributes
    ----------
    n_fast, n_slow : int
    pixel_sizes : (fast, slow) [m]
        Edges of a pixel.
    origin : (3,) [m]
        Outer corner of pixel (0, 0).
    fast, slow : (3,)
        Unit vectors along a row and along a column.
    """

    n_fast: int
    n_slow: int
    pixel_sizes: tuple[float, float]
    origin: Array
    fast: Array
    slow: Array

    def __post_init__(self) -> None:
        for name in ("origin", "fast", "slow"):
            object.__setattr__(self, name, np.asarray(getattr(self, name), dtype=np.float64))

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        return all(map(_equal, vars(self).values(), vars(other).values()))

    def __hash__(self) -> int:
        return hash((self.n_fast, self.n_slow, self.pixel_sizes, *map(float, self.origin)))

    @property
    def is_skew(self) -> bool:
        """Whether fast and slow are not at right angles, to readers that ask for it."""
        return abs(dot(self.fast, self.slow)) > _RIGHT_ANGLE

    @property
    def is_square(self) -> bool:
        """Whether a pixel is as wide as it is high."""
        fast, slow = self.pixel_sizes
        return abs(fast - slow) <= _SAME * abs(fast)

    @property
    def pixel_size(self) -> float:
        """Edge of a square pixel [m].

        Raises
        ------
        InputError
            The pixels are oblong.
        """
        if not self.is_square:
            raise InputError("pixels: are oblong; square ones are needed here")
        return self.pixel_sizes[0]

    def position(self, slow: ArrayLike, fast: ArrayLike) -> Array:
        """Return where points of the panel lie, (..., 3) [m].

        Parameters
        ----------
        slow, fast : array_like [pixels]
            From the outer corner of pixel (0, 0): its center is at (0.5, 0.5).
        """
        fast_step, slow_step = self.pixel_sizes[0] * self.fast, self.pixel_sizes[1] * self.slow
        along_slow = np.multiply.outer(np.asarray(slow, dtype=np.float64), slow_step)
        along_fast = np.multiply.outer(np.asarray(fast, dtype=np.float64), fast_step)
        return np.asarray(self.origin + along_slow + along_fast)

    def at_right_angles(self) -> tuple[Array, Array, Array, float]:
        """Return origin, fast and slow with the nearest axes at right angles, and how far pixels then move.

        Returns
        -------
        origin : (3,) [m]
            Such that the middle of the panel stays.
        fast, slow : (3,)
            Unit vectors, each turned by half of what is missing.
        moved : float [pixels]
            The most that a corner moves by, in edges of its pixels.
        """
        total, difference = unit(self.fast + self.slow), unit(self.fast - self.slow)
        fast, slow = unit(total + difference), unit(total - difference)
        across, down = self.n_fast * self.pixel_sizes[0], self.n_slow * self.pixel_sizes[1]
        off_fast, off_slow = across * (self.fast - fast), down * (self.slow - slow)
        corners = [np.linalg.norm(off_fast + sign * off_slow) / 2.0 for sign in (1.0, -1.0)]
        origin = self.origin + (off_fast + off_slow) / 2.0
        return origin, fast, slow, float(max(corners)) / min(self.pixel_sizes)


def _equal(one: Any, other: Any) -> bool:
    """Tell whether two fields are equal, arrays item by item."""
    if one is other:
        return True
    if isinstance(one, np.ndarray) and isinstance(other, np.ndarray):
        # Of the few numbers of a vector NumPy takes five times as long.
        return one.tolist() == other.tolist() if one.size <= 3 else np.array_equal(one, other)
    return bool(one == other)


@dataclass(frozen=True, eq=False)
class PlacedPanel(PanelGeometry):
    """A panel as a file describes it, with what the file knows of its sensor and its pixels.

    Attributes
    ----------
    name, group : str
        Of the panel, and of the smallest group that it belongs to; empty where there is none.
    thickness : float [m]
        Of the sensor; 0: not stated.
    mu : float [1/m]
        Its absorption; 0: not stated.
    material : str
        Its material; empty: not stated.
    parallax : bool
        Whether programs that read the file put spots where a sensor of that thickness shows them.
    bad : (n_slow, n_fast) bool or None
        Pixels that do not count; None: all do.
    """

    name: str = ""
    group: str = ""
    thickness: float = 0.0
    mu: float = 0.0
    material: str = ""
    parallax: bool = False
    bad: NDArray[np.bool_] | None = None


@dataclass(frozen=True, eq=False)
class StackedPanel(PanelGeometry):
    """A panel whose pixels are rows of a larger array, in which panels lie one below the other.

    Attributes
    ----------
    first_row : int
        Its pixels are rows first_row to first_row + n_slow - 1, columns 0 to n_fast - 1.
    group : str
        The smallest group that it belongs to; empty where there is none.
    """

    first_row: int = 0
    group: str = ""
