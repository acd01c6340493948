"""Contrast: which values are drawn white and which in full color, for the picture and for the page."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .pair import Array, Pair

_SAMPLE = 1 << 22  # values from which percentiles are taken
_STEPS = 100  # positions of the slider of the page
_LOG_STRENGTH = 300.0  # page.js has the same
_FLOOR_PERCENTILE = 1.0

NO_VALUE = (240, 228, 66)
BELOW, ABOVE = (33, 102, 172), (178, 24, 43)  # blue and red that the color-blind tell apart


@dataclass(frozen=True)
class Scale:
    """Values by percentile.

    Attributes
    ----------
    low : float
        Drawn white.
    percentiles : tuple of float
        50 to 100, ascending.
    values : tuple of float
        What those shares of the pixels do not exceed.
    chosen : int
        Index of the percentile that was asked for.
    """

    low: float
    percentiles: tuple[float, ...]
    values: tuple[float, ...]
    chosen: int

    @property
    def high(self) -> float:
        """The value drawn in full color: that of the chosen percentile, or of the next one above `low`."""
        above = [value for value in self.values[self.chosen :] if value > self.low]
        return above[0] if above else self.low


def scales(pair: Pair, difference: Array, percentile: float) -> tuple[Scale, Scale]:
    """Return the scale that A and B share, and that of |B - A|.

    Parameters
    ----------
    pair : Pair
    difference : (n_slow, n_fast)
        Its B - A, NaN where there is none.
    percentile : float
        In percent; below 50 it is taken for 50.
    """
    values = np.concatenate([_sample(pair.a[~pair.left_out]), _sample(pair.b[~pair.left_out])])
    return _scale(values, percentile, None), _scale(_sample(np.abs(difference)), percentile, 0.0)


def _sample(values: Array) -> Array:
    """Return evenly spaced finite values, and the largest one in any case."""
    finite = values[np.isfinite(values)]
    if finite.size <= _SAMPLE:
        return finite
    return np.append(finite[:: finite.size // _SAMPLE + 1], finite.max())


def _scale(values: Array, percentile: float, low: float | None) -> Scale:
    wanted = max(percentile, 50.0)
    steps = {round(100.0 - 50.0 * 10.0 ** (-step / 25.0), 6) for step in range(_STEPS)}
    percentiles = sorted(steps | {100.0, wanted})
    if values.size == 0:
        values = np.zeros(1)
    found = np.percentile(values, percentiles, method="higher")  # values that occur: sparse ones show in full color
    if low is None:
        low = float(np.percentile(values, _FLOOR_PERCENTILE, method="higher"))
        if low == found[-1]:
            low = float(values.min())
    return Scale(low, tuple(percentiles), tuple(map(float, found)), percentiles.index(wanted))


def gray(image: Array, scale: Scale) -> NDArray[np.uint8]:
    """Return colors of an image: dark spots on white, logarithmic for the strong ones.

    Returns
    -------
    (n_slow, n_fast, 3) uint8
    """
    span = scale.high - scale.low
    with np.errstate(invalid="ignore", over="ignore"):
        level = np.clip((image - scale.low) / span, 0.0, 1.0) if span > 0.0 else np.zeros(image.shape)
    level = np.arcsinh(_LOG_STRENGTH * level) / np.arcsinh(_LOG_STRENGTH)
    shade = 255.0 * (1.0 - np.nan_to_num(level, nan=0.0))
    return _colored(np.repeat(shade[:, :, None], 3, axis=2), np.isnan(image))


def signed(difference: Array, scale: Scale) -> NDArray[np.uint8]:
    """Return colors of a difference: white for 0, red where B is larger, blue where A is, linear.

    Returns
    -------
    (n_slow, n_fast, 3) uint8
    """
    with np.errstate(invalid="ignore", over="ignore"):
        level = np.clip(difference / (scale.high or 1.0), -1.0, 1.0)
    level = np.nan_to_num(level, nan=0.0)[:, :, None]
    end = np.where(level < 0.0, np.array(BELOW), np.array(ABOVE))
    return _colored(255.0 + np.abs(level) * (end - 255.0), np.isnan(difference))


def _colored(colors: Array, without_value: NDArray[np.bool_]) -> NDArray[np.uint8]:
    colors[without_value] = NO_VALUE
    rounded: NDArray[np.uint8] = np.rint(colors).astype(np.uint8)
    return rounded
