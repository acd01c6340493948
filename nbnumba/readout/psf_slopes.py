"""How spread images change: with the image, with the width of the point spread, and backward."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from .psf import (
    DIRECT,
    Array,
    PointSpread,
    along_axes,
    convolved,
    full_kernel,
    gauss_integrals,
    gauss_integrals_of,
    gauss_inverse,
    mixture_widths,
    radius_of,
    summed,
    symmetric,
    transform_of,
    transformed,
    whole_kernel,
)

DIFFERENTIABLE = ("gauss", "fiber", "moffat")  # by their width


def spread_change(image: NDArray[np.float64], spread: PointSpread, threads: int = 1) -> Array:
    """Spread a change of an image, whose numbers may have either sign: `apply` is linear in all but its rounding."""
    return convolved(image, spread, threads)[0]


def gather(weights: NDArray[np.float64], spread: PointSpread, threads: int = 1) -> Array:
    """Return the derivatives of a number by the pixels of an image, given those by the pixels of the spread image.

    That is what spreads transposed: to each pixel comes what its light has gone to.
    """
    if spread.kernel is not None:
        return summed(weights, spread.kernel.array[::-1, ::-1])
    return convolved(weights, spread, threads)[0]  # these kernels are the same from all sides


def spread_squared(variances: NDArray[np.float64], spread: PointSpread, threads: int = 1) -> Array:
    """Return the variances of the pixels of a spread image from those of an image whose pixels are independent."""
    kernel = full_kernel(spread, max(variances.shape))
    return np.maximum(summed(variances, kernel * kernel), 0.0)


def width_slope(image: NDArray[np.float64], spread: PointSpread, threads: int = 1) -> Array:
    """Return the derivative of a spread image by the width of the point spread, one of `DIFFERENTIABLE` [1/pixel].

    The radius of the kernel stays what it is.
    """
    longest = max(image.shape)
    radius = radius_of(spread, longest)
    if spread.kind == "gauss":
        along = symmetric(gauss_integrals_of(spread, longest))
        slope = symmetric(_integral_slopes(np.array([gauss_inverse(spread)]), radius)[0] / spread.fwhm)
        return along_axes(image, along, slope, threads) + along_axes(image, slope, along, threads)
    part = _quarter_slope(spread, radius)
    if radius <= DIRECT:
        return summed(image, whole_kernel(part))
    return transformed(image, transform_of(part, radius, *image.shape), radius, threads)


def _integral_slopes(inverse_widths: Array, radius: int) -> Array:
    """Derivatives of `gauss_integrals` by the logarithm of the width, (n, radius + 1)."""
    edges = np.arange(radius + 2) - 0.5
    scaled = inverse_widths[:, None] * edges
    ends = -scaled * np.exp(-scaled * scaled) / math.sqrt(math.pi)
    return np.asarray(ends[:, 1:] - ends[:, :-1])


def _quarter_slope(spread: PointSpread, radius: int) -> Array:
    """Derivative of the `quarter` of a Moffat function by its width, (radius + 1, radius + 1) [1/pixel]."""
    weights, inverse = mixture_widths(spread, radius)
    along = gauss_integrals(inverse, radius)
    mixed = (along * weights[:, None]).T @ _integral_slopes(inverse, radius)
    return np.asarray((mixed + mixed.T) / spread.fwhm)
