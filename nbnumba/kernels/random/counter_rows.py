"""The photon counts of `counter` on a processor, in less time.

A count depends on comparisons of a random number with probabilities. Here they are worked out with the exponential and
the logarithm of the C library, which differ from processor to processor in their last digits. Where these
digits could decide, `counter` does, so that the counts are its counts.
"""

import math

import numpy as np

from ..jit import strict, strict_inner
from ..physics.functions import exp_minus
from .c_stream import ceiling, to_whole
from .counter import (
    NOISELESS_FROM,
    REJECTION_FROM,
    at_once,
    hat,
    level_of,
    logarithm,
    never,
    poisson_count,
    probability,
    propose,
    proposed,
    two_fractions,
)

MARGIN = 1e-9  # far above what is lost to rounding here, 1e-11, and in `counter`
_STRIP = 256  # pixels whose random numbers are worked out together
_LONGEST = 64  # counts by inversion; larger ones are as good as never met
_QUICK_BELOW = 1000.0  # means; the exponent's rounding grows with them
_INVERSE = 1.0 / np.maximum(np.arange(_LONGEST), 1)
_LOG_FACTORIAL = np.array([math.lgamma(count + 1.0) for count in range(2048)])


@strict_inner
def by_inversion(mean, u, p):
    """Count as `count_by_inversion` does from the same random number and exp(-mean); -1 where rounding could decide."""
    total = p
    count = 0
    while u > total + MARGIN:
        count += 1
        if count == _LONGEST:
            return -1.0
        p *= mean * _INVERSE[count]
        total += p
    return -1.0 if u > total - MARGIN else float(count)


@strict_inner
def by_rejection(mean, seed, image, pixel, draw):
    """Draw as `count_by_rejection` does from a draw on, with a quicker look at most probabilities."""
    constants = hat(mean)
    while True:
        count, level = propose(mean, constants, seed, image, pixel, draw)
        draw += np.uint64(1)
        if level == 0.0:
            return count
        if level > 1.0:
            continue
        if mean < _QUICK_BELOW and count < _LOG_FACTORIAL.shape[0]:
            quick = math.exp(count * math.log(mean) - mean - _LOG_FACTORIAL[int(count)])
            if level < quick * (1.0 - MARGIN):
                return count
            if level > quick * (1.0 + MARGIN):
                continue
        if level <= probability(count, mean):
            return count


@strict_inner
def prepare(mean, first, seed, image, u, v, p, places):
    """Work out what most counts of some pixels in a row need, in vector units.

    Parameters
    ----------
    mean : (n,) float32
    first : uint64
        Number of the first pixel.
    seed, image : uint64
    u, v, p : (n,) or longer
        Written: the first two random numbers, and exp(-mean) of small means. For others p is the count where the first
        draw is accepted, -2 where it is refused, and -1 where rounding could decide.
    places : (n,) or longer, int64
        Scratch.
    """
    smallest, largest = np.float32(REJECTION_FROM), np.float32(0.0)
    for w in range(mean.shape[0]):
        smallest = mean[w] if mean[w] < smallest else smallest
        largest = mean[w] if mean[w] > largest else largest
    for w in range(mean.shape[0]):
        u[w], v[w] = two_fractions(seed, image, first + np.uint64(w), np.uint64(0))
    if largest < REJECTION_FROM:
        for w in range(mean.shape[0]):
            p[w] = exp_minus(np.float64(mean[w]))
        return
    for w in range(mean.shape[0]):
        expected = np.float64(max(mean[w], np.float32(REJECTION_FROM)))
        a, b, _, surely = hat(expected)
        count, reach = proposed(expected, a, b, u[w])
        p[w] = count if at_once(reach, v[w], surely) else -1.0
    if smallest < REJECTION_FROM:
        for w in range(mean.shape[0]):
            if mean[w] < REJECTION_FROM:
                p[w] = exp_minus(np.float64(mean[w]))
    look_at_pending(mean, u, v, p, places)


@strict_inner
def look_at_pending(mean, u, v, p, places):
    """Replace p where it is below 0, as `prepare` says.

    Notes
    -----
    Four loops without branches over what is pending; all but the look-up are computed in vector units.
    """
    pending = 0
    for w in range(mean.shape[0]):
        places[pending] = w
        pending += p[w] < 0.0
    means, levels, counts, exponents = np.empty(pending), np.empty(pending), np.empty(pending), np.empty(pending)
    for i in range(pending):
        w = places[i]
        means[i], levels[i], counts[i] = mean[w], v[w], u[w]
    highest = _LOG_FACTORIAL.shape[0] - 1.0
    for i in range(pending):
        expected, one = means[i], levels[i]
        a, b, inverse_alpha, _ = hat(expected)
        count, reach = proposed(expected, a, b, counts[i])
        level = level_of(reach, one, a, b, inverse_alpha)
        levels[i] = 2.0 if never(count, reach, one) else level
        counts[i] = count
        exponents[i] = expected - count * logarithm(expected)
    for i in range(pending):
        exponents[i] += _LOG_FACTORIAL[int(min(max(counts[i], 0.0), highest))]
    for i in range(pending):
        quick, level = exp_minus(exponents[i]), levels[i]
        known = (means[i] < _QUICK_BELOW) & (counts[i] <= highest) & (abs(level - quick) > MARGIN * quick)
        value = -2.0 if level > quick else counts[i]
        value = value if known else -1.0
        counts[i] = -2.0 if level > 1.0 else value
    for i in range(pending):
        p[places[i]] = counts[i]


@strict_inner
def quick_count(mean, u, p, seed, image, pixel):
    """Draw a photon count, as a float: that of `counter.poisson_count`.

    `u` and `p` are what `prepare` has worked out.
    """
    if not mean > 0.0:
        return 0.0
    if mean < REJECTION_FROM:
        count = by_inversion(mean, u, p)
        return count if count >= 0.0 else poisson_count(mean, seed, image, pixel)
    if mean < NOISELESS_FROM:
        return p if p >= 0.0 else by_rejection(mean, seed, image, pixel, np.uint64(0 if p == -1.0 else 1))
    return mean


@strict
def draw_rows(mean, counts, region, adc, seed, image):
    """Draw the counts of some rows.

    Parameters
    ----------
    mean : (n_slow, n_fast) float32 [photons]
    counts : (n_slow, n_fast) uint16 or int32
        Written within the region only.
    region : (int, int, int, int)
        First and last pixel along fast, first and last along slow, inclusive.
    adc : float
        Added to every pixel of the region.
    seed, image : uint64

    Returns
    -------
    photons : float
        Sum of the photons drawn, before the offset was added and overloads were clipped.
    overloads : int
        Pixels above what the counts hold.
    """
    fast_min, fast_max, slow_min, slow_max = region
    photons = 0.0
    overloads = 0
    most = ceiling(counts)
    u, v, p, places = np.empty(_STRIP), np.empty(_STRIP), np.empty(_STRIP), np.empty(_STRIP, np.int64)
    for slow in range(slow_min, slow_max + 1):
        for start in range(fast_min, fast_max + 1, _STRIP):
            means = mean[slow, start : min(start + _STRIP, fast_max + 1)]
            first = np.uint64(slow) * np.uint64(mean.shape[1]) + np.uint64(start)
            prepare(means, first, seed, image, u, v, p, places)
            for w in range(means.shape[0]):
                drawn = quick_count(np.float64(means[w]), u[w], p[w], seed, image, first + np.uint64(w))
                photons += drawn
                stored = drawn + adc
                if stored > most:
                    stored = most
                    overloads += 1
                counts[slow, start + w] = to_whole(stored) & 0xFFFF if counts.itemsize == 2 else to_whole(stored)
    return photons, overloads
