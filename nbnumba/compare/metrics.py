"""How far two images agree, and whether that is close enough."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .pair import Array, Mask, Pair
from .peaks import PeakMatch, match_peaks

_WORST = 10  # pixels that are listed and marked
_APART = 25  # they are this part of the longer side away from each other, so that they show different places


@dataclass(frozen=True)
class WorstPixel:
    """A pixel where the images differ most; indices are those of the whole image."""

    slow: int
    fast: int
    a: float
    b: float


@dataclass(frozen=True)
class Metrics:
    """What is measured on a pair; None stands for a number that is not defined.

    Attributes
    ----------
    pixels : int
        Compared ones.
    left_out : int
        Masked, or outside the valid range.
    not_finite : int
        Infinite or not a number, in the same way in both images; only `equal_fraction` counts them.
    not_finite_in_one : int
        Likewise, but not the same in both.
    correlation : float or None
        Pearson's; not defined when an image is constant.
    decorrelation : float or None
        1 - correlation, to full precision.
    both_constant : bool
    rmse : float or None
        Root of the mean square of B - A.
    max_difference : float or None
        Largest |B - A|; its place is in `worst[0]`.
    sum_a, sum_b : float
    sum_ratio : float or None
        Sum of B over that of A; 1 when both are 0, not defined when only A's is.
    equal_fraction : float
        Share of the compared pixels that hold the same number.
    peaks : PeakMatch
    worst : tuple of WorstPixel
        Largest differences first, each away from those before it; empty when nothing differs.
    """

    pixels: int
    left_out: int
    not_finite: int
    not_finite_in_one: int
    correlation: float | None
    decorrelation: float | None
    both_constant: bool
    rmse: float | None
    max_difference: float | None
    sum_a: float
    sum_b: float
    sum_ratio: float | None
    equal_fraction: float
    peaks: PeakMatch
    worst: tuple[WorstPixel, ...]


@dataclass(frozen=True)
class Thresholds:
    """What two images must fulfil to pass; None asks nothing.

    Attributes
    ----------
    correlation, equal_fraction : float
        At least.
    sum_ratio : float
        |sum ratio - 1|, at most.
    rmse, max_difference : float
        At most, in the unit of the images.
    displacement : float [pixels]
        Median distance of matched peaks, at most.
    """

    correlation: float | None = 0.999999
    sum_ratio: float | None = 1e-6
    rmse: float | None = None
    max_difference: float | None = None
    displacement: float | None = None
    equal_fraction: float | None = None


@dataclass(frozen=True)
class Check:
    """One thing asked of a pair, in words, and the answer."""

    name: str
    asked: str
    passed: bool


def measure(pair: Pair, peaks: int = 200, radius: float = 3.0) -> Metrics:
    """Measure everything.

    Parameters
    ----------
    pair : Pair
    peaks : int
        Number of brightest peaks of each image to match.
    radius : float [pixels]
        Largest distance of two peaks that match.
    """
    kept = ~pair.left_out
    a, b = pair.a[kept], pair.b[kept]
    equal = (a == b) | (np.isnan(a) & np.isnan(b))
    finite_a, finite_b = np.isfinite(a), np.isfinite(b)
    both = finite_a & finite_b
    in_one = int(np.count_nonzero(~(both | equal)))
    pixels = int(a.size)
    equal_fraction = float(np.count_nonzero(equal)) / pixels
    finite = int(np.count_nonzero(both))
    if finite < pixels:
        a, b = a[both], b[both]
    correlated = _correlated(a, b)
    # B less A of the whole grid, 0 where nothing is compared.
    with np.errstate(over="ignore", invalid="ignore"):
        difference = np.where(kept & np.isfinite(pair.a) & np.isfinite(pair.b), pair.b - pair.a, 0.0)
    sum_a, sum_b = float(a.sum()), float(b.sum())
    return Metrics(
        pixels=pixels,
        left_out=int(pair.left_out.sum()),
        not_finite=pixels - finite - in_one,
        not_finite_in_one=in_one,
        correlation=None if correlated is None else 1.0 - correlated,
        decorrelation=correlated,
        both_constant=finite > 0 and bool(np.ptp(a) == 0.0 and np.ptp(b) == 0.0),
        rmse=_root_mean_square(difference, finite),
        max_difference=float(np.abs(difference).max()) if finite else None,
        sum_a=sum_a,
        sum_b=sum_b,
        sum_ratio=_ratio(sum_a, sum_b),
        equal_fraction=equal_fraction,
        peaks=match_peaks(_only(pair.a, kept), _only(pair.b, kept), peaks, radius),
        worst=_worst_pixels(pair, difference),
    )


def judge(metrics: Metrics, thresholds: Thresholds) -> list[Check]:
    """Compare what was measured with what is asked."""
    m, t = metrics, thresholds
    checks = [
        Check("not_finite_in_one", "0 pixels", m.not_finite_in_one == 0),
        Check("finite", "at least 1 pixel", m.pixels > m.not_finite + m.not_finite_in_one),
    ]
    if t.correlation is not None:
        # Two constant images have no pattern to compare; their sums decide.
        passed = m.both_constant if m.correlation is None else m.correlation >= t.correlation
        checks.append(Check("correlation", f">= {t.correlation:.12g}", passed))
    if t.sum_ratio is not None:
        passed = m.sum_ratio is not None and abs(m.sum_ratio - 1.0) <= t.sum_ratio
        checks.append(Check("sum_ratio", f"1 within {t.sum_ratio:g}", passed))
    for name, value, limit in (("rmse", m.rmse, t.rmse), ("max_difference", m.max_difference, t.max_difference)):
        if limit is not None:
            checks.append(Check(name, f"<= {limit:g}", value is not None and value <= limit))
    if t.displacement is not None:
        distance = m.peaks.median
        without_peaks = m.peaks.found_a == 0 and m.peaks.found_b == 0
        passed = without_peaks if distance is None else distance <= t.displacement
        checks.append(Check("displacement", f"<= {t.displacement:g} pixels", passed))
    if t.equal_fraction is not None:
        checks.append(Check("equal_fraction", f">= {t.equal_fraction:g}", m.equal_fraction >= t.equal_fraction))
    return checks


def _only(image: Array, kept: Mask) -> Array:
    return image if kept.all() else np.where(kept, image, np.nan)


def _correlated(a: Array, b: Array) -> float | None:
    """Return 1 - correlation; None when an image is constant.

    Notes
    -----
    Half the square of the distance of the standardised images: 1 less the sum of their products would lose all
    digits of a value near 0.
    """
    if a.size == 0 or np.ptp(a) == 0.0 or np.ptp(b) == 0.0:
        return None
    standard = []
    for values in (a, b):
        values = values / float(np.abs(values).max())  # no square overflows
        values = values - values.mean()
        standard.append(values / np.sqrt(np.sum(values * values)))
    distance = standard[1] - standard[0]
    return 0.5 * float(np.sum(distance * distance))


def _root_mean_square(difference: Array, count: int) -> float | None:
    """Return the root of the sum of squares over `count`."""
    if count == 0:
        return None
    largest = float(np.abs(difference).max())
    if largest == 0.0 or not np.isfinite(largest):
        return largest
    relative = difference / largest  # no square overflows
    return largest * float(np.sqrt(np.sum(relative * relative) / count))


def _ratio(sum_a: float, sum_b: float) -> float | None:
    if sum_a == 0.0:
        return 1.0 if sum_b == 0.0 else None
    with np.errstate(over="ignore", invalid="ignore"):
        ratio = float(np.float64(sum_b) / np.float64(sum_a))
    return ratio if np.isfinite(ratio) else None


def _worst_pixels(pair: Pair, difference: Array) -> tuple[WorstPixel, ...]:
    """Return the pixels where the images differ most, at distinct places."""
    size = np.abs(difference).ravel()
    n_fast = difference.shape[1]
    apart = max(difference.shape) / _APART
    # Far more than are listed: the largest differences often lie in one spot.
    count = min(size.size, 2000 * _WORST)
    candidates = np.argpartition(-size, count - 1)[:count] if count < size.size else np.arange(size.size)
    candidates = candidates[np.lexsort((candidates, -size[candidates]))]
    chosen: list[WorstPixel] = []
    open_ = size[candidates] > 0.0
    while len(chosen) < _WORST and open_.any():
        index = int(candidates[int(np.argmax(open_))])
        slow, fast = divmod(index, n_fast)
        chosen.append(
            WorstPixel(
                slow + pair.origin[0],
                fast + pair.origin[1],
                float(pair.a[slow, fast]),
                float(pair.b[slow, fast]),
            )
        )
        open_ &= _distance(candidates, n_fast, slow, fast) > apart
    return tuple(chosen)


def _distance(indices: NDArray[np.int64], n_fast: int, slow: int, fast: int) -> Array:
    """Return the distance in pixels of flat indices from a pixel, the larger one of both axes."""
    return np.maximum(np.abs(indices // n_fast - slow), np.abs(indices % n_fast - fast)).astype(np.float64)
