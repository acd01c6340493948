"""Peaks of an image, and how far the same peaks lie apart in two images."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .pair import Array

_HALF_WINDOW = 2  # pixels; peaks are this far apart at least, and centroids are taken over 5 x 5 pixels
_SAMPLE = 1 << 20  # pixels from which the background is estimated
_NOISE_FACTOR = 5.0
_MAD_TO_SIGMA = 1.4826
_CANDIDATES_PER_PEAK = 20


@dataclass(frozen=True)
class PeakMatch:
    """How the brightest peaks of two images match; distances in pixels, None where nothing matched.

    Attributes
    ----------
    found_a, found_b : int
        Peaks searched for in each image.
    matched : int
        Peaks of A that have a partner in B.
    mean, median, largest : float or None
        Of the distances between partners.
    shift : (slow, fast) or None
        Mean of B's position less A's.
    """

    found_a: int
    found_b: int
    matched: int
    mean: float | None
    median: float | None
    largest: float | None
    shift: tuple[float, float] | None


def match_peaks(a: Array, b: Array, most: int, radius: float) -> PeakMatch:
    """Match the brightest peaks of two images of the same shape.

    Parameters
    ----------
    a, b : (n_slow, n_fast)
        Values that are not finite are taken for background.
    most : int
        Number of peaks of each image.
    radius : float [pixels]
        Partners are nearest to each other and at most this far apart.

    Notes
    -----
    Partners are looked for among twice as many peaks: two peaks of nearly the same height may change places at the
    end of the list.
    """
    places_a, places_b = find_peaks(a, 2 * most), find_peaks(b, 2 * most)
    found_a, found_b = min(most, len(places_a)), min(most, len(places_b))
    partner = _mutually_nearest(places_a, places_b, radius)[:most]
    matched = np.flatnonzero(partner >= 0)
    if matched.size == 0:
        return PeakMatch(found_a, found_b, 0, None, None, None, None)
    offset = places_b[partner[matched]] - places_a[matched]
    distance = np.hypot(offset[:, 0], offset[:, 1])
    shift = offset.mean(axis=0)
    return PeakMatch(
        found_a,
        found_b,
        int(matched.size),
        float(distance.mean()),
        float(np.median(distance)),
        float(distance.max()),
        (float(shift[0]), float(shift[1])),
    )


def find_peaks(image: Array, most: int) -> Array:
    """Return the centroids of the brightest peaks, brightest first.

    Parameters
    ----------
    image : (n_slow, n_fast)
    most : int

    Returns
    -------
    (n, 2) float64 [pixels]
        Slow and fast; the center of the first pixel is at 0, 0.

    Notes
    -----
    A peak is a pixel above its eight neighbors and above the background by five times its spread (median and median
    absolute deviation of the image). Of peaks within two pixels of each other the brightest counts.
    """
    finite = np.isfinite(image)
    if min(image.shape) <= 2 * _HALF_WINDOW or not finite.any():
        return np.empty((0, 2))
    sample = image[finite]
    sample = sample[:: max(1, sample.size // _SAMPLE)]
    background = float(np.median(sample))
    spread = _MAD_TO_SIGMA * float(np.median(np.abs(sample - background)))
    filled = np.where(finite, image, background)
    slow, fast = _local_maxima(filled, background + _NOISE_FACTOR * spread)
    order = np.argsort(-filled[slow, fast], kind="stable")[: _CANDIDATES_PER_PEAK * most]
    slow, fast = _apart(slow[order], fast[order], image.shape, most)
    return _centroids(filled, slow, fast)


def _local_maxima(image: Array, threshold: float) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return slow and fast of the maxima whose window lies inside the image; a plateau counts once."""
    from scipy.ndimage import maximum_filter

    inner = (slice(_HALF_WINDOW, -_HALF_WINDOW),) * 2
    highest = maximum_filter(image, size=3, mode="nearest")
    slow, fast = np.nonzero((image[inner] > threshold) & (image[inner] == highest[inner]))
    slow, fast = slow + _HALF_WINDOW, fast + _HALF_WINDOW
    # Of neighbors of one height the first in the order of the pixels is the peak.
    first = np.ones(slow.size, bool)
    for d_slow, d_fast in ((-1, -1), (-1, 0), (-1, 1), (0, -1)):
        first &= image[slow + d_slow, fast + d_fast] < image[slow, fast]
    return slow[first], fast[first]


def _apart(
    slow: NDArray[np.int64], fast: NDArray[np.int64], shape: tuple[int, ...], most: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Choose peaks in the order given, none within the window of one chosen before."""
    taken = np.zeros(shape, bool)
    chosen: list[int] = []
    for i, (s, f) in enumerate(zip(slow.tolist(), fast.tolist(), strict=True)):
        if taken[s, f]:
            continue
        chosen.append(i)
        if len(chosen) == most:
            break
        taken[s - _HALF_WINDOW : s + _HALF_WINDOW + 1, f - _HALF_WINDOW : f + _HALF_WINDOW + 1] = True
    return slow[chosen], fast[chosen]


def _centroids(image: Array, slow: NDArray[np.int64], fast: NDArray[np.int64]) -> Array:
    """Return the centroids of the windows round some pixels, above the median of the windows' borders."""
    offsets = np.arange(-_HALF_WINDOW, _HALF_WINDOW + 1)
    border = np.ones((offsets.size, offsets.size), bool)
    border[1:-1, 1:-1] = False
    windows = image[slow[:, None, None] + offsets[:, None], fast[:, None, None] + offsets]
    floor = np.median(windows[:, border], axis=1)
    weights = np.clip(windows - floor[:, None, None], 0.0, None)
    # Relative to the brightest pixel, so that no sum overflows; a flat window has no weight and keeps its center.
    weights /= np.maximum(weights.max(axis=(1, 2), initial=0.0), np.finfo(float).tiny)[:, None, None]
    total = np.maximum(weights.sum(axis=(1, 2)), np.finfo(float).tiny)
    return np.stack(
        [
            slow + (weights * offsets[:, None]).sum(axis=(1, 2)) / total,
            fast + (weights * offsets).sum(axis=(1, 2)) / total,
        ],
        axis=1,
    )


def _mutually_nearest(a: Array, b: Array, radius: float) -> NDArray[np.int64]:
    """Return for each place of `a` its partner in `b`, -1 for none."""
    from scipy.spatial import cKDTree

    partner = np.full(len(a), -1)
    if len(a) == 0 or len(b) == 0:
        return partner
    distance, to_b = cKDTree(b).query(a)
    _, to_a = cKDTree(a).query(b)
    mutual = (to_a[to_b] == np.arange(len(a))) & (distance <= radius)
    partner[mutual] = to_b[mutual]
    return partner
