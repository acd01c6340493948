"""Sums over pixels that a fit needs: of derivatives, weighted by how likely the image is."""

import math

from ..cpu.strip import LANES
from ..jit import borrowed, inner, inner_inlined, kernel

LOSS, SQUARES, COUNT, FIRST_SUM = 0, 1, 2, 3  # places in the sums; the gradient, then two triangles of matrices follow
FLOOR = 1e-3  # photons; a model below it counts as that much, or a photon there would be impossible
PART = 64  # pixels of a row that are worked on at a time
STRIDE = PART + 8  # of rows of the working memory
_PULL, _INFORMATION, _SPREAD, _FIRST, _SECOND, SLOPES = (i * STRIDE for i in range(6))


def sums_size(directions: int) -> int:
    """Length of the sums for some number of directions."""
    return FIRST_SUM + directions + directions * (directions + 1)


def scratch_size(directions: int) -> int:
    """Length of the working memory for some number of directions."""
    return SLOPES + STRIDE * (directions + sums_size(directions) - FIRST_SUM)


@inner
def weigh_pixels(data, used, model, i, first, pixels, n, variance, s, sums):
    """Add the likelihood of some pixels of a row; work out by what their derivatives are multiplied."""
    loss = squares = 0.0
    count = 0
    for w in range(n):
        s[_PULL + w] = s[_INFORMATION + w] = s[_SPREAD + w] = 0.0
    for w in range(pixels):
        if not used[i, first + w]:
            continue
        m = max(model[i, first + w], FLOOR)
        d = data[i, first + w]
        V = m + variance
        r = d - m
        if variance == 0.0:
            # Twice the deviance's half: 0 where model and data agree.
            loss += m - d + (d * math.log(d / m) if d > 0.0 else 0.0)
            s[_PULL + w], s[_INFORMATION + w] = r / m, 1.0 / m
        else:
            loss += 0.5 * (r * r / V + math.log(V))
            s[_PULL + w] = r / V + 0.5 * (r * r / (V * V) - 1.0 / V)
            s[_INFORMATION + w] = 1.0 / V + 0.5 / (V * V)
            s[_SPREAD + w] = 1.0 / V + m / (V * V * V) + 0.5 / (V * V) + 0.25 * m / (V * V * V * V)
        squares += r * r / V
        count += 1
    sums[LOSS] += loss
    sums[SQUARES] += squares
    sums[COUNT] += count
    return count > 0


@inner
def take_slopes(slopes, i, first, pixels, n, s, active):
    """Copy the derivatives of some pixels of a row; note the directions that have any, and return their number."""
    found = 0
    for a in range(slopes.shape[0]):
        largest = 0.0
        # A view: the compiler cannot tell that an index is never negative which begins at a row's first place.
        t = s[SLOPES + a * STRIDE :]
        for w in range(pixels, n):
            t[w] = 0.0
        for w in range(pixels):
            t[w] = slopes[a, i, first + w]
        for w in range(n):
            largest += abs(t[w])
        if largest > 0.0:
            active[found] = a
            found += 1
    return found


@inner_inlined
def add_product(s, row, other, to, n):
    """Add the product of two rows to a third."""
    x, y, z = s[row:], s[other:], s[to:]
    for w in range(n):
        z[w] += x[w] * y[w]


@inner
def add_products(directions, active, found, with_spread, n, s):
    """Add the products of derivatives to the rows of the gradient and of the matrices."""
    gradient = SLOPES + directions * STRIDE
    triangle = gradient + directions * STRIDE
    other = triangle + directions * (directions + 1) // 2 * STRIDE
    for i in range(found):
        a = active[i]
        slope = SLOPES + a * STRIDE
        add_product(s, _PULL, slope, gradient + a * STRIDE, n)
        x = s[slope:]
        for w in range(n):
            s[_FIRST + w] = s[_INFORMATION + w] * x[w]
            s[_SECOND + w] = s[_SPREAD + w] * x[w]
        for j in range(i, found):
            b = active[j]
            pair = (a * directions - a * (a - 1) // 2 + b - a) * STRIDE
            add_product(s, _FIRST, SLOPES + b * STRIDE, triangle + pair, n)
            if with_spread:
                add_product(s, _SECOND, SLOPES + b * STRIDE, other + pair, n)


@inner
def add_part(data, used, model, slopes, i, first, pixels, lanes, variance, s, active, sums):
    """Add some pixels of a row; a GPU thread's are one pixel, in every row of `s` at its own place."""
    if weigh_pixels(data, used, model, i, first, pixels, lanes, variance, s, sums):
        found = take_slopes(slopes, i, first, pixels, lanes, s, active)
        add_products(slopes.shape[0], active, found, variance != 0.0, lanes, s)


@inner_inlined
def matrix_row(number, directions, with_spread):
    """Row of the working memory whose sum is one number of the gradient and the two triangles.

    The covariance of the gradient of counts is their information.
    """
    last, triangle = directions + directions * (directions + 1), directions * (directions + 1) // 2
    shifted = number - triangle
    return directions + (shifted if number >= last - triangle and not with_spread else number)


@kernel
def add_likelihood(data, used, model, slopes, variance, scratch, active, sums):
    """Add what the pixels of a band say about a model.

    Parameters
    ----------
    data, model : (rows, columns) [photons]
    used : (rows, columns) bool
    slopes : (directions, rows, columns)
        Derivatives of the model.
    variance : float [photons^2]
        Of the readout; 0: the data are counts, of a Poisson distribution.
    scratch : (scratch_size(directions),)
        A thread's own, as `active`.
    active : (directions,) int
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
    n, s, with_spread = slopes.shape[0], borrowed(scratch), variance != 0.0
    last = n + n * (n + 1)
    for w in range(SLOPES + n * STRIDE, SLOPES + (n + last) * STRIDE):
        s[w] = 0.0
    for i in range(data.shape[0]):
        for first in range(0, data.shape[1], PART):
            pixels = min(PART, data.shape[1] - first)
            lanes = (pixels + LANES - 1) // LANES * LANES
            add_part(data, used, model, slopes, i, first, pixels, lanes, variance, s, active, sums)
    for number in range(last):
        row = matrix_row(number, n, with_spread)
        total = 0.0
        for w in range(PART):
            total += s[SLOPES + row * STRIDE + w]
        sums[FIRST_SUM + number] += total
