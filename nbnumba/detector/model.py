"""The panels, their sensor, and how the user placed them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from ..geometry.vectors import Array
from ..parameters.choices import Convention, Pivot


@dataclass(frozen=True, eq=False)
class Panel:
    """A flat rectangle of pixels.

    Attributes
    ----------
    origin : (3,) [m]
        Outer corner of pixel (0, 0).
    fast, slow, normal : (3,)
        Unit vectors along a row, along a column, and of increasing distance.
    distance, close_distance : float [m]
        From the sample along the beam, and to the closest point of the plane.
    """

    n_slow: int
    n_fast: int
    pixel_size: float
    origin: Array
    fast: Array
    slow: Array
    normal: Array
    distance: float
    close_distance: float

    def position(self, slow: ArrayLike, fast: ArrayLike) -> Array:
        """Return where points of the panel lie, (..., 3) [m].

        Parameters
        ----------
        slow, fast : array_like [pixels]
            From the outer corner of pixel (0, 0): its centre is at (0.5, 0.5).
        """
        along_slow = np.multiply.outer(np.asarray(slow, dtype=np.float64), self.pixel_size * self.slow)
        along_fast = np.multiply.outer(np.asarray(fast, dtype=np.float64), self.pixel_size * self.fast)
        return np.asarray(self.origin + along_slow + along_fast)


@dataclass(frozen=True)
class Center:
    """Where the beam and the foot of the perpendicular meet the detector [m]."""

    Xbeam: float
    Ybeam: float
    Fbeam: float
    Sbeam: float
    Xclose: float
    Yclose: float
    Fclose: float
    Sclose: float


@dataclass(frozen=True)
class BeamCenter(Center):
    """The same in every convention."""

    ORGX: float  # pixels
    ORGY: float
    dials_origin_mm: tuple[float, float, float]


@dataclass(frozen=True, eq=False)
class Detector:
    """The panels, their sensor, and how the user placed them."""

    panels: tuple[Panel, ...]
    center: BeamCenter
    convention: Convention
    pivot: Pivot
    detsize_f: float
    detsize_s: float
    twotheta: float
    odet_generated: bool
    curved: bool
    point_pixel: bool
    thickness: float  # as typed or completed [m]; 0: no sensor. What is simulated is layers * layer_step
    layers: int
    layer_step: float  # m
    mu: float  # 1/m
