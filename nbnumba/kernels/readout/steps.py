"""What the readout of an image is worked out with, as numbers; no compiled code."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


class SeparableSpread(NamedTuple):
    """A point spread as a sum of products of a function along slow and one along fast.

    The kernel is the sum over i of outer(along_slow[i], along_fast[i]), its middle in the middle of both.
    """

    along_slow: Array  # (parts, odd)
    along_fast: Array  # (parts, odd)


class Steps(NamedTuple):
    """The readout of one image."""

    seed: np.uint64
    image: np.uint64  # number of the image
    photon_noise: bool
    factor: float  # brightness of the image
    flicker: float  # of the pixels among themselves
    calibration: float
    calibration_seed: np.uint64
    dead: float  # dead time over exposure time
    gain: float
    offset: float
    readout: float
    dark: float
    top: float  # largest number of a pixel
    most: float  # photons from which on a pixel is an overload
    dtype: str
    spread_first: bool


class PanelRead(NamedTuple):
    """What was read out of one panel."""

    pixels: NDArray[Any]  # (n_slow, n_fast) of the dtype
    photons: float  # counted, before the point spread
    overloads: int
    below: int
    spread: tuple[float, float] | None  # photons before and after the point spread
