"""What surrounds the crystals, as numbers; no compiled code."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..scene import Scene

Array = NDArray[np.float64]


class Points(NamedTuple):
    """A curve of F against stol [1/m], ascending."""

    stol: Array
    F: Array
    slopes: Array  # of the monotone cubics


class Scatterer(NamedTuple):
    """What one amorphous body adds to an image."""

    points: Points
    photons: float  # r_e^2 fluence molecules / (sum of source weights, sub-pixels)
    lagrange: bool = False  # as nonBragg interpolates


class Surroundings(NamedTuple):
    """The amorphous bodies around the crystals, as one panel sees them."""

    scene: Scene  # its geometry, all sources, sampling, region and mask
    bodies: list[Scatterer]
