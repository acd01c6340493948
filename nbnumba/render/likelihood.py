"""How likely an image is, from a model with its derivatives."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..geometry.vectors import Array
from .point_spread import PanelSpread


class Likelihood(NamedTuple):
    """How likely an image is, and its derivatives by n parameters.

    Attributes
    ----------
    loss : float
        Minus the logarithm of the likelihood, up to a constant.
    squares : float
        Sum of squared residuals over their variances.
    pixels : int
        That were counted.
    gradient : (n,)
        Of the logarithm.
    information : (n, n)
        Fisher's, of the likelihood.
    spread : (n, n)
        Covariance of the gradient over images of the same experiment.
    """

    loss: float
    squares: float
    pixels: int
    gradient: Array
    information: Array
    spread: Array


def of_sums(parts: Mapping[tuple[int, int], Array], n: int) -> Likelihood:
    """Return a likelihood from the sums of `reduce.add_likelihood` over parts of an image, added in their order."""
    from ..kernels.gradient import reduce

    total = np.sum([parts[key] for key in sorted(parts)], axis=0)
    upper = np.triu_indices(n)
    matrices = np.zeros((2, n, n))
    for matrix, values in zip(matrices, np.split(total[reduce.FIRST_SUM + n :], 2), strict=True):
        matrix[upper] = values
        matrix.T[upper] = values
    return Likelihood(
        float(total[reduce.LOSS]),
        float(total[reduce.SQUARES]),
        int(total[reduce.COUNT]),
        total[reduce.FIRST_SUM : reduce.FIRST_SUM + n],
        matrices[0],
        matrices[1],
    )


def of_spread_image(
    measured: Array,
    counted: NDArray[np.bool_],
    photons: Array,
    slopes: Array,
    spread: PanelSpread,
    variance: float,
) -> Likelihood:
    """Return the likelihood of an image with a point spread.

    Parameters
    ----------
    measured, counted : (panels, n_slow, n_fast)
        Image, and which pixels count.
    photons : (panels, n_slow, n_fast)
        The model before the spread.
    slopes : (n, panels, n_slow, n_fast)
        Derivatives of the model after it.
    spread : PanelSpread
    variance : float [photons^2]
        Of the readout; 0: there is none.
    """
    from ..kernels.gradient import reduce

    image, n = spread.image(photons), len(slopes)
    if not spread.before_counting:
        return _of_light(measured, counted, photons, image, slopes, spread, variance)
    parts = {}
    for panel in range(len(image)):
        sums, scratch = np.zeros(reduce.sums_size(n)), np.empty(reduce.scratch_size(n))
        of_panel = np.ascontiguousarray(slopes[:, panel])
        reduce.add_likelihood(
            measured[panel], counted[panel], image[panel], of_panel, variance, scratch, np.zeros(n, np.int64), sums
        )
        parts[panel, 0] = sums
    return of_sums(parts, n)


def _of_light(
    measured: Array,
    counted: NDArray[np.bool_],
    photons: Array,
    image: Array,
    slopes: Array,
    spread: PanelSpread,
    variance: float,
) -> Likelihood:
    """The same where photons are counted before their light is spread, as in a phosphor; `image` is the model then.

    Notes
    -----
    Pixels are neither independent nor Poisson distributed. The gradient is that of a Poisson distribution of image +
    variance, sum of residual/(image + variance) times slope, which has the mean 0 whatever the noise. Its covariance is
    exact: each photon enters it with what the pixels that it lights up are weighted by, sum of photons (B^T w)(B^T w)^T
    over the pixels before the spread, with the spread's transpose B^T. Residuals are compared with variances of pixels
    whose photons are spread by the squared kernel.
    """
    from ..kernels.gradient.reduce import FLOOR

    n = len(slopes)
    expected = np.maximum(image, FLOOR) + variance
    weights = np.where(counted, 1.0 / expected, 0.0)
    residual = np.where(counted, measured - image, 0.0)
    rows = slopes.reshape(n, -1)
    weighted = np.array([slope * weights for slope in slopes])
    of_photons = np.array([spread.gather(slope) for slope in weighted]).reshape(n, -1)
    loss = np.sum(np.where(counted, expected - (measured + variance) * np.log(expected), 0.0))
    squares = np.sum(residual**2 / np.maximum(spread.variances(photons) + variance, FLOOR * FLOOR))
    flat = weighted.reshape(n, -1)
    return Likelihood(
        float(loss),
        float(squares),
        int(np.count_nonzero(counted)),
        flat @ residual.reshape(-1),
        flat @ rows.T,
        (of_photons * photons.reshape(-1)) @ of_photons.T + variance * (flat @ flat.T),
    )
