"""Sums over pixels that a fit needs: of derivatives, weighed by how likely the image is."""

import math

from ..jit import kernel

LOSS, SQUARES, COUNT, FIRST_SUM = 0, 1, 2, 3  # places in the sums; the gradient, then two triangles of matrices follow
FLOOR = 1e-3  # photons; a model below it counts as that much, or a photon there would be impossible


def sums_size(directions: int) -> int:
    """Length of the sums for some number of directions."""
    return FIRST_SUM + directions + directions * (directions + 1)


@kernel
def add_likelihood(data, used, model, slopes, variance, sums):
    """Add what the pixels of a band say about a model.

    Parameters
    ----------
    data, model : (rows, columns) [photons]
    used : (rows, columns) bool
    slopes : (directions, rows, columns)
        Derivatives of the model.
    variance : float [photons^2]
        Of the readout; 0: the data are counts, of a Poisson distribution.
    sums : (sums_size(directions),)
        Added to: minus the logarithm of the likelihood, up to a constant; squared residuals over variances; pixels;
        the gradient of the logarithm; by rows the upper triangles of the expected information, and of the covariance of
        the gradient.

    Notes
    -----
    With readout noise the data are taken for normal, of variance V = model + `variance`: the logarithm changes by
    r/V + (r²/V² - 1/V)/2 with the model. That they are counts besides enters the gradient's covariance, through
    their third and fourth moments, m and 3 V² + m.
    """
    n = slopes.shape[0]
    row_values = sums[FIRST_SUM:]
    for i in range(data.shape[0]):
        for j in range(data.shape[1]):
            if not used[i, j]:
                continue
            m = max(model[i, j], FLOOR)
            d = data[i, j]
            V = m + variance
            r = d - m
            if variance == 0.0:
                # Twice the deviance's half: 0 where model and data agree.
                sums[LOSS] += m - d + (d * math.log(d / m) if d > 0.0 else 0.0)
                pull, information, spread = r / m, 1.0 / m, 1.0 / m
            else:
                sums[LOSS] += 0.5 * (r * r / V + math.log(V))
                pull = r / V + 0.5 * (r * r / (V * V) - 1.0 / V)
                information = 1.0 / V + 0.5 / (V * V)
                spread = 1.0 / V + m / (V * V * V) + 0.5 / (V * V) + 0.25 * m / (V * V * V * V)
            sums[SQUARES] += r * r / V
            sums[COUNT] += 1.0
            at, other = n, n + n * (n + 1) // 2
            for a in range(n):
                slope = slopes[a, i, j]
                row_values[a] += pull * slope
                first, second = information * slope, spread * slope
                for b in range(a, n):
                    row_values[at] += first * slopes[b, i, j]
                    row_values[other] += second * slopes[b, i, j]
                    at += 1
                    other += 1
