"""What a detector does to an image, as numbers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ..errors import InputError

if TYPE_CHECKING:
    from .psf import PointSpread

TOPS = {"uint16": 65533, "int32": 2**31 - 3, "uint32": 2**32 - 3}  # the two above mean masked and missing


@dataclass(frozen=True)
class Readout:
    """What a detector does to an image.

    Attributes
    ----------
    flicker : float
        Standard deviation of the brightness from image to image, a fraction.
    flicker_pixels : float
        The same from pixel to pixel, drawn anew in every image.
    spread : PointSpread or None
    spread_first : bool
        Spread before the photons are counted, as where each photon is seen in one pixel; by default afterwards, as in a
        phosphor, which spreads the light of every photon.
    calibration : float
        Standard deviation of the pixels' sensitivities, a fraction; the same pattern in every image.
    calibration_seed : int
    dead_time, exposure : float [s]
        Of a paralyzable counter, and of the image; 0: no loss.
    rate_limit : float or None [photons/s]
        A pixel that is expected to receive more is an overload: its count says nothing of what arrived. None: no limit.
    photon_noise : bool
    gain : float [ADU/photon]
    offset, dark, readout : float [ADU]
        Added; mean of the dark current; standard deviation of the readout.
    dtype : str
        "uint16", "int32" or "uint32".
    saturation : int or None
        Largest number, and the value of overloads; the largest that the dtype leaves free by default.
    dead_pixels, hot_pixels : int
        How many pixels hold 0, and the saturation value, in every image.
    bad_seed : int
        Of their places.
    """

    flicker: float = 0.0
    flicker_pixels: float = 0.0
    spread: PointSpread | None = None
    spread_first: bool = False
    calibration: float = 0.0
    calibration_seed: int = 123456789
    dead_time: float = 0.0
    exposure: float = 1.0
    rate_limit: float | None = None
    photon_noise: bool = True
    gain: float = 1.0
    offset: float = 0.0
    dark: float = 0.0
    readout: float = 0.0
    dtype: str = "int32"
    saturation: int | None = None
    dead_pixels: int = 0
    hot_pixels: int = 0
    bad_seed: int = 1234

    def __post_init__(self) -> None:
        for name in ("flicker", "flicker_pixels", "calibration", "dead_time", "dark", "readout"):
            _check(name, getattr(self, name), 0.0, 1e9)
        _check("gain", self.gain, 1e-9, 1e9)
        _check("exposure", self.exposure, 1e-18, 1e9)
        _check("offset", self.offset, -1e9, 1e9)
        if self.dtype not in TOPS:
            raise InputError(f"dtype {self.dtype!r}: allowed are {', '.join(TOPS)}")
        if self.saturation is not None:
            _check("saturation", self.saturation, 1, int(np.iinfo(self.dtype).max))
        if self.rate_limit is not None:
            _check("rate_limit", self.rate_limit, 1e-9, 1e18)
        for name in ("dead_pixels", "hot_pixels"):
            _check(name, getattr(self, name), 0, 2**31)

    @property
    def top(self) -> int:
        """The largest number that a pixel holds."""
        return TOPS[self.dtype] if self.saturation is None else self.saturation


def _check(name: str, value: float, least: float, most: float) -> None:
    if not least <= value <= most:
        raise InputError(f"{name} is {value:g}; allowed are {least:g} to {most:g}")
