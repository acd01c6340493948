"""Photon counts that depend on a seed, an image number and a pixel alone, the same on every processor and GPU.

A pixel's random numbers come from Philox, keyed by the seed and counted by pixel, draw and image: nothing is
handed on from pixel to pixel, so pixels may be drawn in any order and images one by one. The counts are worked
out with whole numbers and with + - * / and square root of float64, each rounded by itself, so that for a mean
they are the same number everywhere: products that meet a sum go through `rounded_product`.

Notes
-----
J. K. Salmon et al., Parallel random numbers: as easy as 1, 2, 3 (2011). W. Hörmann, The transformed rejection
method for generating Poisson random variables (1993). C. Loader, Fast and accurate computation of binomial
probabilities (2000).
"""

import math

import numpy as np

from ..jit import strict_inner, strict_physics
from ..physics.intrinsics import bits_of, float_of, floor, power_of_two, round_even, rounded_product

REJECTION_FROM = 10.0  # the method needs a mean of 10 at least
NOISELESS_FROM = 1.0e15  # from here on the noise is smaller than the rounding of a float32 mean

_LOW_HALF = np.uint64(0xFFFFFFFF)
_HALF = np.uint64(32)
_MULTIPLIER_0 = np.uint64(0xD2511F53)
_MULTIPLIER_1 = np.uint64(0xCD9E8D57)
_WEYL_0 = np.uint64(0x9E3779B9)
_WEYL_1 = np.uint64(0xBB67AE85)
_UP = np.uint64(20)  # two words of 32 bits make a fraction of 52
_DOWN = np.uint64(12)
_LAST_PLACE = 2.0**-52

_LOG2_E = 1.4426950408889634
_LN2_HIGH = 0.6931471803691238  # ln 2 with its last bits zero
_LN2_LOW = 1.9082149292705877e-10
_EXPONENTIAL = tuple(1.0 / math.factorial(n) for n in range(13, -1, -1))
_TWO_PI = 2.0 * math.pi
_LN2 = 0.6931471805599453
_ROOT_HALF = 0.7071067811865476
_ODD = tuple(1.0 / n for n in range(23, 0, -2))


@strict_physics
def philox(c0, c1, c2, c3, k0, k1):
    """Four random words from a counter of four words and a key of two: Philox 4x32, ten rounds.

    All are uint64 that hold 32 bits.
    """
    for _ in range(10):
        product_0 = _MULTIPLIER_0 * c0
        product_1 = _MULTIPLIER_1 * c2
        c0 = (product_1 >> _HALF) ^ c1 ^ k0
        c1 = product_1 & _LOW_HALF
        c2 = (product_0 >> _HALF) ^ c3 ^ k1
        c3 = product_0 & _LOW_HALF
        k0 = (k0 + _WEYL_0) & _LOW_HALF
        k1 = (k1 + _WEYL_1) & _LOW_HALF
    return c0, c1, c2, c3


@strict_physics
def fraction(high, low):
    """Number between 0 and 1, both excluded, from two random words."""
    return rounded_product(np.float64((high << _UP) | (low >> _DOWN)) + 0.5, _LAST_PLACE)


@strict_physics
def two_fractions(seed, image, pixel, draw):
    """Two random numbers between 0 and 1 for a draw of a pixel; all four arguments are uint64."""
    w0, w1, w2, w3 = philox(pixel & _LOW_HALF, draw, image & _LOW_HALF, image >> _HALF, seed & _LOW_HALF, seed >> _HALF)
    return fraction(w0, w1), fraction(w2, w3)


@strict_inner
def exponential(x):
    """exp(-x) for x >= 0, relative error 1e-15; 0 above 700."""
    if x > 700.0:
        return 0.0
    n = round_even(x * _LOG2_E)
    r = rounded_product(n, _LN2_HIGH) - x + rounded_product(n, _LN2_LOW)
    total = 0.0
    for coefficient in _EXPONENTIAL:
        total = rounded_product(total, r) + coefficient
    return rounded_product(total, power_of_two(-np.int64(n), total))


@strict_physics
def horner(x, coefficients):
    """Polynomial from its coefficients, from the highest order down."""
    total = 0.0
    for coefficient in coefficients:
        total = rounded_product(total, x) + coefficient
    return total


@strict_physics
def logarithm(x):
    """ln(x) of a normal number above 0, relative error 1e-15 (absolute around 1).

    Notes
    -----
    x = 2^e m with m from 0.71 to 1.41; ln m = 2 (v + v^3/3 + v^5/5 + ...), v = (m - 1)/(m + 1).
    """
    bits = bits_of(x)
    exponent = (bits >> 52) - 1023
    m = float_of((bits & 0xFFFFFFFFFFFFF) | (1023 << 52))
    upper = rounded_product(m, _ROOT_HALF) > 1.0
    m = 0.5 * m if upper else m
    exponent = exponent + 1 if upper else exponent
    v = (m - 1.0) / (m + 1.0)
    return rounded_product(np.float64(exponent), _LN2) + rounded_product(2.0 * v, horner(v * v, _ODD))


@strict_inner
def deviance(count, mean):
    """count ln(count/mean) + mean - count, without cancellation; count and mean within a factor of 20.

    Notes
    -----
    With v = (count - mean)/(count + mean) it is (count - mean) v + 2 count (v^3/3 + v^5/5 + ...).
    """
    difference = count - mean
    v = difference / (count + mean)
    total = rounded_product(difference, v)
    power = 2.0 * count * v
    square = v * v
    odd = 1.0
    while True:
        power *= square
        odd += 2.0
        longer = total + power / odd
        if longer == total:
            return total
        total = longer


@strict_inner
def probability(count, mean):
    """Probability of a count under a Poisson distribution of mean 10 or more, relative error 1e-13.

    Notes
    -----
    exp(-deviance - d)/sqrt(2 pi count) with Stirling's series d = 1/(12 count) - 1/(360 count^3) + ...
    """
    if count > 20.0 * mean or (mean > 20.0 * count and count >= 16.0):
        return 0.0  # below 1e-100
    if count < 16.0:
        p = exponential(mean)
        factor = 1.0
        while factor <= count:
            p = p * mean / factor
            factor += 1.0
        return p
    square = count * count
    d = (1.0 / 12.0 - (1.0 / 360.0 - (1.0 / 1260.0 - 1.0 / 1680.0 / square) / square) / square) / count
    return exponential(deviance(count, mean) + d) / math.sqrt(_TWO_PI * count)


@strict_inner
def count_by_inversion(mean, seed, image, pixel):
    """Count up until the probabilities exceed a random number; for small means."""
    u, _ = two_fractions(seed, image, pixel, np.uint64(0))
    p = exponential(mean)
    total = p
    count = 0.0
    while u > total and count < 100.0:
        count += 1.0
        p = p * mean / count
        total += p
    return count


@strict_physics
def hat(mean):
    """Constants of the wider distribution that `propose` draws from (Hörmann's PTRS)."""
    b = 0.931 + rounded_product(2.53, math.sqrt(mean))
    a = rounded_product(0.02483, b) - 0.059
    return a, b, 1.1239 + 1.1328 / (b - 3.4), 0.9277 - 3.6224 / (b - 2.0)


@strict_physics
def proposed(mean, a, b, u):
    """Count that a random number proposes, and the number's distance from 0 or 1, whichever is nearer."""
    middle = u - 0.5
    reach = 0.5 - abs(middle)
    return floor(rounded_product(2.0 * a / reach + b, middle) + mean + 0.43), reach


@strict_physics
def at_once(reach, v, surely):
    """Whether a proposed count is accepted without a look at its probability."""
    return (reach >= 0.07) & (v <= surely)


@strict_physics
def never(count, reach, v):
    """Whether a proposed count is refused without a look at its probability."""
    return (count < 0.0) | ((reach < 0.013) & (v > reach))


@strict_physics
def level_of(reach, v, a, b, inverse_alpha):
    """Level that the probability of a proposed count must reach."""
    return v * inverse_alpha / (a / (reach * reach) + b)


@strict_physics
def propose(mean, constants, seed, image, pixel, draw):
    """Propose a count, and the level that its probability must reach: 0 where it is accepted, 2 where it is not."""
    a, b, inverse_alpha, surely = constants
    u, v = two_fractions(seed, image, pixel, draw)
    count, reach = proposed(mean, a, b, u)
    if at_once(reach, v, surely):
        return count, 0.0
    if never(count, reach, v):
        return count, 2.0
    return count, level_of(reach, v, a, b, inverse_alpha)


@strict_inner
def count_by_rejection(mean, seed, image, pixel):
    """Draw from a wider distribution until a draw is accepted."""
    constants = hat(mean)
    draw = np.uint64(0)
    while True:
        count, level = propose(mean, constants, seed, image, pixel, draw)
        draw += np.uint64(1)
        if level == 0.0 or (level <= 1.0 and level <= probability(count, mean)):
            return count


@strict_inner
def poisson_count(mean, seed, image, pixel):
    """Draw a photon count, as a float.

    Parameters
    ----------
    mean : float64
        0 and less, and what is not a number, give 0. From 1e15 on it is returned as it is.
    seed, image, pixel : uint64
    """
    if not mean > 0.0:
        return 0.0
    if mean < REJECTION_FROM:
        return count_by_inversion(mean, seed, image, pixel)
    if mean < NOISELESS_FROM:
        return count_by_rejection(mean, seed, image, pixel)
    return mean
