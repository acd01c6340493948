"""C's Poisson and Gaussian deviates, to the bit.

What C stores in a `float` is float32 here, and the mathematical functions run in double as there: the casts
are the contract.

Notes
-----
nanoBragg.c:3616-3790. The state that C keeps in static variables is passed in: the table of
`park_miller`, and `kept`, float32 numbers (a spare Gaussian deviate and whether there is one; the
last mean and three numbers derived from it; then ln gamma of whole numbers, which C works out each
time). As C's `oldm` says which of the two Poisson branches was last, what one branch leaves there is
never read by the other.
"""

from __future__ import annotations

import math

import numpy as np

from ..jit import strict
from . import park_miller

HAS_SPARE = 0
SPARE = 1
LAST_MEAN = 2
ROOT = 3  # sqrt(2 mean)
LOG_MEAN = 4
THRESHOLD = 5  # exp(-mean) below a mean of 12, else mean log(mean) - ln gamma(mean + 1)
_LOG_GAMMA = 6  # of whole numbers, from here on; 0 where it has not been asked for
_WHOLE = 4096

ZERO = np.float32(0.0)
ONE = np.float32(1.0)
GAUSSIAN_ABOVE = 1.0e6
DIRECT_BELOW = 12.0

ran1 = strict(park_miller.ran1)


def new_state() -> tuple[np.ndarray, np.ndarray]:
    """Return a table and kept numbers as they are when the C program starts.

    Returns
    -------
    table : (34,) int64
    kept : (n,) float32
    """
    kept = np.zeros(_LOG_GAMMA + _WHOLE, dtype=np.float32)
    kept[LAST_MEAN] = -1.0
    return np.array(park_miller.new_table(), dtype=np.int64), kept


@strict
def gaussian_deviate(table, kept):
    """Draw from a Gaussian of mean 0 and variance 1, as float32; every second one is the spare of the first.

    Notes
    -----
    Polar Box-Muller, nanoBragg.c:3674.
    """
    if kept[HAS_SPARE] != ZERO:
        kept[HAS_SPARE] = ZERO
        return kept[SPARE]
    while True:
        first = np.float32(2.0 * np.float64(ran1(table)) - 1.0)
        second = np.float32(2.0 * np.float64(ran1(table)) - 1.0)
        square = first * first + second * second
        if square < ONE and square != ZERO:
            break
    factor = np.float32(math.sqrt(-2.0 * math.log(np.float64(square)) / np.float64(square)))
    kept[SPARE] = first * factor
    kept[HAS_SPARE] = ONE
    return second * factor


@strict
def log_gamma(x):
    """Return ln gamma(x) of a float32 number, as float32; double within.

    Notes
    -----
    Lanczos' series, nanoBragg.c:3738.
    """
    x = np.float64(x)
    shifted = x + 5.5
    shifted -= (x + 0.5) * math.log(shifted)
    series = 1.000000000190015
    series += 76.18009172947146 / (x + 1.0)
    series += -86.50532032941677 / (x + 2.0)
    series += 24.01409824083091 / (x + 3.0)
    series += -1.231739572450155 / (x + 4.0)
    series += 0.1208650973866179e-2 / (x + 5.0)
    series += -0.5395239384953e-5 / (x + 6.0)
    return np.float32(-shifted + math.log(2.5066282746310005 * series / x))


@strict
def log_factorial(count, kept):
    """Return `log_gamma` of a whole number and 1."""
    if not count < np.float32(_WHOLE):
        return log_gamma(count + ONE)
    place = _LOG_GAMMA + np.int64(count)
    if kept[place] == ZERO:
        kept[place] = log_gamma(count + ONE)
    return kept[place]


@strict
def poisson_direct(mean, table, kept):
    """Count how many uniform deviates multiply to more than exp(-mean), as float32."""
    if mean != kept[LAST_MEAN]:
        kept[LAST_MEAN] = mean
        kept[THRESHOLD] = np.float32(math.exp(np.float64(-mean)))
    threshold = kept[THRESHOLD]
    count = ZERO
    product = ran1(table)
    while product > threshold:
        count += ONE
        product *= ran1(table)
    return count


@strict
def poisson_rejection(mean, table, kept):
    """Draw from a Lorentzian above the Poisson distribution until a draw is accepted, as float32."""
    if mean != kept[LAST_MEAN]:
        kept[LAST_MEAN] = mean
        kept[ROOT] = np.float32(math.sqrt(2.0 * np.float64(mean)))
        kept[LOG_MEAN] = np.float32(math.log(np.float64(mean)))
        kept[THRESHOLD] = mean * kept[LOG_MEAN] - log_gamma(mean + ONE)
    while True:
        count = np.float32(-1.0)
        while count < ZERO:
            tangent = np.float32(math.tan(math.pi * np.float64(ran1(table))))
            count = kept[ROOT] * tangent + mean
        count = np.floor(count)
        exponent = count * kept[LOG_MEAN] - log_factorial(count, kept) - kept[THRESHOLD]
        # as C: 0.9 and 1.0 are double, the square and the exponent float32
        ratio = np.float32(0.9 * (1.0 + np.float64(tangent * tangent)) * math.exp(np.float64(exponent)))
        if not ran1(table) > ratio:
            return count


@strict
def poisson_deviate(mean, table, kept):
    """Draw a photon count for a mean, both float32.

    Notes
    -----
    nanoBragg.c:3616. Above a mean of a million the result is Gaussian and not a whole number. A mean below 0
    gives 0 and takes one uniform deviate; NaN gives NaN and takes two; infinity gives infinity or NaN.
    (-1 before any other mean is C's value for "no mean yet": exp is left out and a count near 100 comes.)
    """
    if mean > GAUSSIAN_ABOVE:
        root = math.sqrt(np.float64(mean))
        return np.float32(np.float64(mean) + root * np.float64(gaussian_deviate(table, kept)))
    if mean < DIRECT_BELOW:
        return poisson_direct(mean, table, kept)
    return poisson_rejection(mean, table, kept)


@strict
def to_whole(value):
    """Cut a number to a whole one; NaN and what a 32-bit integer cannot hold give 0."""
    if not abs(value) < 2147483648.0:
        return np.int64(0)
    return np.int64(value)


@strict
def to_unsigned_short(value):
    """Convert as a C cast does on x86-64: through a 32-bit integer, of which the low half is kept.

    Notes
    -----
    Below 0 the counts wrap (-3.7 gives 65533); NaN and what a 32-bit integer cannot hold give 0.
    """
    return np.uint16(to_whole(value) & 0xFFFF)


@strict
def ceiling(counts):
    """Largest count that an array of uint16 or int32 takes; of int32 the two above are marks of bad pixels."""
    return 65535.0 if counts.itemsize == 2 else 2147483645.0


@strict
def draw_rows(mean, counts, roi, adc, table, kept, photons):
    """Draw the counts of some rows in raster order.

    Parameters
    ----------
    mean : (n_slow, n_fast) float32 [photons]
    counts : (n_slow, n_fast) uint16 or int32
        Written within the region only.
    roi : (int, int, int, int)
        First and last pixel along fast, first and last along slow, inclusive.
    adc : float
        Added to every pixel of the region.
    table, kept : see the module
        Changed in place.
    photons : float
        Photons drawn in the rows before these: the sum goes on from there, in C's order.

    Returns
    -------
    photons : float
    overloads : int
        Pixels of these rows that were above what the counts hold.

    Notes
    -----
    nanoBragg.c:3235-3256.
    """
    fast_min, fast_max, slow_min, slow_max = roi
    overloads = 0
    most = ceiling(counts)
    for slow in range(slow_min, slow_max + 1):
        for fast in range(fast_min, fast_max + 1):
            drawn = np.float64(poisson_deviate(mean[slow, fast], table, kept))
            photons += drawn
            drawn += adc
            if drawn > most:
                drawn = most
                overloads += 1
            # Below 0 an uint16 wraps, as C's does.
            counts[slow, fast] = to_whole(drawn) & 0xFFFF if counts.itemsize == 2 else to_whole(drawn)
    return photons, overloads
