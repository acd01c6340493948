"""When a float image agrees with its golden: every number of the gate, and the judgment.

A difference is measured against |golden| plus a floor that is a fraction of the brightest pixel, so one number
decides for every pixel, dark ones included: a pixel that is exactly 0 in the golden may hold the floor's share
of the tolerance and no more.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Tolerance:
    """What may differ between a golden image and ours; `None` stands for "not asked"."""

    relative: float  # |a - b| <= relative |a| + absolute max|a|
    absolute: float
    sum_ratio: float  # |sum(b)/sum(a) - 1|
    equal_fraction: float | None = None  # share of the pixels that must be equal to the bit
    correlation: float | None = None  # 1 - correlation


TOLERANCES = {
    # 2.5e-7 is two units in the last place of float32.
    "cpu": Tolerance(relative=2.5e-7, absolute=1e-12, sum_ratio=1e-8, equal_fraction=0.98, correlation=1e-12),
    # A GPU fuses multiply-adds and has its own sin and exp.
    "cuda": Tolerance(relative=1e-6, absolute=1e-10, sum_ratio=1e-7),
    "cuda-mixed": Tolerance(relative=5e-6, absolute=1e-9, sum_ratio=1e-6),
}

COUNT_TOLERANCE = 1  # of integer and PGM images
COUNT_FRACTION = 1e-4  # at most max(1, this share of the pixels) may differ at all


@dataclass(frozen=True)
class Verdict:
    """How two images compare, and whether they agree.

    `worst_relative` is the largest |a - b| / (|a| + (absolute/relative) max|a|) of all pixels; the per-pixel
    rule holds when it is not above `Tolerance.relative`. `reason` is empty when `passed`.
    """

    worst_relative: float
    worst_pixel: tuple[int, ...]
    equal_fraction: float
    sum_ratio: float
    correlation: float
    pixels_agree: bool
    passed: bool
    reason: str


def _worst_difference(golden: NDArray, ours: NDArray, tolerance: Tolerance) -> tuple[float, int]:
    """Return the largest difference in units of |a| + floor, and where it is; NaN agrees with NaN alone."""
    brightest = np.max(np.abs(golden), initial=0.0, where=np.isfinite(golden))
    scale = np.abs(golden) + tolerance.absolute / tolerance.relative * brightest
    with np.errstate(divide="ignore", invalid="ignore"):
        relative = np.abs(golden - ours) / scale
    same = (golden == ours) | (np.isnan(golden) & np.isnan(ours))
    relative = np.where(same, 0.0, np.where(np.isnan(relative), np.inf, relative))
    where = int(np.argmax(relative))
    return float(relative[where]), where


def _ratio(ours: float, golden: float) -> float:
    """Return ours / golden, where nothing over nothing is 1."""
    if golden != 0.0:
        return ours / golden
    return 1.0 if ours == 0.0 else np.inf


def _correlation(golden: NDArray, ours: NDArray) -> float:
    """Return Pearson's correlation; two constant images correlate fully."""
    if golden.size == 0:
        return 1.0
    a = golden - golden.mean()
    b = ours - ours.mean()
    spread = np.sqrt(np.sum(a * a) * np.sum(b * b))
    if spread == 0.0:
        return 1.0 if np.array_equal(a, b) or not (np.any(a) or np.any(b)) else 0.0
    return float(np.sum(a * b) / spread)


def judge(golden: NDArray, ours: NDArray, backend: str = "cpu", left_out: NDArray | None = None) -> Verdict:
    """Compare a float image with its golden.

    Parameters
    ----------
    golden, ours : float32 arrays of the same number of pixels
    backend : one of `TOLERANCES`
    left_out : bool array of the same number of pixels, optional
        Pixels that are not compared.
    """
    tolerance = TOLERANCES[backend]
    if golden.size != ours.size:
        raise ValueError(f"golden has {golden.size} pixels, ours {ours.size}")
    kept = np.ones(golden.size, bool) if left_out is None else ~np.ravel(left_out)
    a = np.ravel(golden)[kept].astype(np.float64)
    b = np.ravel(ours)[kept].astype(np.float64)
    if a.size == 0:
        raise ValueError("no pixel to compare")

    worst, where = _worst_difference(a, b, tolerance)
    shape = golden.shape if golden.ndim == 2 else ours.shape
    worst_pixel = tuple(int(i) for i in np.unravel_index(np.flatnonzero(kept)[where], shape))
    equal_fraction = float(np.mean((a == b) | (np.isnan(a) & np.isnan(b))))
    # A picture may overflow float32; the rule for pixels has seen to it that both do in the same places.
    finite = np.isfinite(a) & np.isfinite(b)
    sum_ratio = _ratio(float(b[finite].sum()), float(a[finite].sum()))
    correlation = _correlation(a[finite], b[finite])

    reasons = []
    if not worst <= tolerance.relative:
        position = np.flatnonzero(kept)[where]
        reasons.append(
            f"pixel {worst_pixel} differs by {worst:.2e} relative (allowed {tolerance.relative:g}): "
            f"golden {np.ravel(golden)[position]:.9g}, ours {np.ravel(ours)[position]:.9g}"
        )
    if tolerance.equal_fraction is not None and not equal_fraction >= tolerance.equal_fraction:
        reasons.append(f"{equal_fraction:.2%} of the pixels equal to the bit, need {tolerance.equal_fraction:.0%}")
    if not abs(sum_ratio - 1.0) <= tolerance.sum_ratio:
        reasons.append(f"sum ratio - 1 is {sum_ratio - 1.0:.2e}, allowed {tolerance.sum_ratio:g}")
    if tolerance.correlation is not None and not correlation >= 1.0 - tolerance.correlation:
        reasons.append(f"1 - correlation is {1.0 - correlation:.2e}, allowed {tolerance.correlation:g}")
    return Verdict(
        worst_relative=worst,
        worst_pixel=worst_pixel,
        equal_fraction=equal_fraction,
        sum_ratio=sum_ratio,
        correlation=correlation,
        pixels_agree=bool(worst <= tolerance.relative),
        passed=not reasons,
        reason="; ".join(reasons),
    )


def judge_counts(golden: NDArray, ours: NDArray) -> str:
    """Compare two integer (or PGM) images; return why they disagree, or an empty string."""
    if golden.size != ours.size:
        return f"golden has {golden.size} pixels, ours {ours.size}"
    difference = np.abs(np.ravel(golden).astype(np.int64) - np.ravel(ours).astype(np.int64))
    allowed = max(1, int(COUNT_FRACTION * difference.size))
    differing = int(np.count_nonzero(difference))
    if difference.max(initial=0) > COUNT_TOLERANCE:
        return f"pixel {int(difference.argmax())} differs by {int(difference.max())} counts, allowed {COUNT_TOLERANCE}"
    if differing > allowed:
        return f"{differing} pixels differ by a count, allowed {allowed}"
    return ""
