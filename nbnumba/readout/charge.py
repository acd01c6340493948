"""Charge sharing of a counting detector: a pixel counts a photon where it gets more than a part of its charge.

A photon is absorbed anywhere in its pixel, and its charge arrives as a Gaussian cloud. With a threshold of half the
charge or more a photon is counted once at most, in its own pixel, and not at all near corners; below, its neighbors
count some photons as well.
"""

from __future__ import annotations

import functools
import math

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

_PLACES = 2000  # along a pixel, where the share is worked out
_FARTHEST = 3  # pixels from that of the photon which may count it


@functools.lru_cache(maxsize=4)
def counting_kernel(fwhm: float, threshold: float) -> Array:
    """Probability that a pixel counts a photon of another one, or of itself, (odd, odd).

    Parameters
    ----------
    fwhm : float [pixels]
        Of the charge cloud.
    threshold : float
        Part of the charge, above 0 and below 1.

    Notes
    -----
    The share of a pixel is a product f(x) f(y) of the place of the photon. For each x the part of all y with f(y) above
    threshold/f(x) is read off the sorted shares, between which it is interpolated.
    """
    from scipy.special import erf

    places = (np.arange(_PLACES) + 0.5) / _PLACES - 0.5
    scale = 2.0 * math.sqrt(math.log(2.0)) / fwhm
    offsets = np.arange(-_FARTHEST, _FARTHEST + 1)
    edges = scale * (offsets[:, None] + np.array([[-0.5], [0.5]])[:, :, None] - places)  # (2, offsets, places)
    shares = 0.5 * (erf(edges[1]) - erf(edges[0]))
    above = (_PLACES - np.arange(_PLACES) - 0.5) / _PLACES
    kernel = np.zeros((len(offsets), len(offsets)))
    for row, down in enumerate(shares):
        ordered = np.sort(down)
        for column, right in enumerate(shares):
            needed = threshold / np.maximum(right, 1e-300)
            part = np.interp(needed, ordered, above, left=1.0, right=0.0)
            kernel[row, column] = float(part.mean())
    reach = max((abs(int(offset)) for offset, line in zip(offsets, kernel, strict=True) if line.any()), default=0)
    inner = slice(_FARTHEST - reach, _FARTHEST + reach + 1)
    return np.ascontiguousarray(kernel[inner, inner])
