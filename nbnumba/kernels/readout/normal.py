"""Gaussian deviates counted by pixel, the same number on every processor and GPU.

Notes
-----
M. J. Wichura, Algorithm AS 241: the percentage points of the normal distribution, Appl. Stat. 37, 477 (1988), PPND16.
Products that meet a sum go through `rounded_product`.
"""

import math

import numpy as np

from ..jit import strict_inner, strict_physics
from ..physics.intrinsics import rounded_product
from ..random.counter import horner, logarithm, two_fractions

# What a random number is for; it is counted in the upper byte of the draw. Photon counts are purpose 0.
FLICKER, CALIBRATION, READOUT, DARK, BAD_PIXELS, HOT_PIXELS, PIXEL_FLICKER = (
    np.uint64(purpose << 24) for purpose in range(1, 8)
)

_CENTRAL = 0.425
_SWITCH = 5.0
# From the highest order down.
_A = (
    2.5090809287301226727e3, 3.3430575583588128105e4, 6.7265770927008700853e4, 4.5921953931549871457e4,
    1.3731693765509461125e4, 1.9715909503065514427e3, 1.3314166789178437745e2, 3.3871328727963666080e0,
)  # fmt: skip
_B = (
    5.2264952788528545610e3, 2.8729085735721942674e4, 3.9307895800092710610e4, 2.1213794301586595867e4,
    5.3941960214247511077e3, 6.8718700749205790830e2, 4.2313330701600911252e1, 1.0,
)  # fmt: skip
_C = (
    7.74545014278341407640e-4, 2.27238449892691845833e-2, 2.41780725177450611770e-1, 1.27045825245236838258e0,
    3.64784832476320460504e0, 5.76949722146069140550e0, 4.63033784615654529590e0, 1.42343711074968357734e0,
)  # fmt: skip
_D = (
    1.05075007164441684324e-9, 5.47593808499534494600e-4, 1.51986665636164571966e-2, 1.48103976427480074590e-1,
    6.89767334985100004550e-1, 1.67638483018380384940e0, 2.05319162663775882187e0, 1.0,
)  # fmt: skip
_E = (
    2.01033439929228813265e-7, 2.71155556874348757815e-5, 1.24266094738807843860e-3, 2.65321895265761230930e-2,
    2.96560571828504891230e-1, 1.78482653991729133580e0, 5.46378491116411436990e0, 6.65790464350110377720e0,
)  # fmt: skip
_F = (
    2.04426310338993978564e-15, 1.42151175831644588870e-7, 1.84631831751005468180e-5, 7.86869131145613259100e-4,
    1.48753612908506148525e-2, 1.36929880922735805310e-1, 5.99832206555887937690e-1, 1.0,
)  # fmt: skip


@strict_physics
def _central(q):
    r = _CENTRAL * _CENTRAL - rounded_product(q, q)
    return rounded_product(q, horner(r, _A)) / horner(r, _B)


@strict_physics
def _depth(u):
    """How far in the tails a probability lies."""
    return math.sqrt(-logarithm(min(u, 1.0 - u)))


@strict_physics
def _tail(r):
    """Quantile of a depth up to `_SWITCH`, without its sign."""
    r -= 1.6
    return horner(r, _C) / horner(r, _D)


@strict_inner
def normal_quantile(u):
    """Number below which a Gaussian of mean 0 and variance 1 lies with a probability u between 0 and 1."""
    q = u - 0.5
    if abs(q) <= _CENTRAL:
        return _central(q)
    r = _depth(u)
    if r <= _SWITCH:
        value = _tail(r)
    else:
        r -= _SWITCH
        value = horner(r, _E) / horner(r, _F)
    return -value if q < 0.0 else value


@strict_inner
def gaussian(seed, image, purpose, pixel):
    """Deviate of mean 0 and variance 1; all arguments are uint64, the purpose is one of this module's."""
    u, _ = two_fractions(seed, image, pixel, purpose)
    return normal_quantile(u)


@strict_inner
def gaussians(seed, image, purpose, first, deviates, tails, places):
    """Write the deviates of pixels in a row, those of `gaussian`, nearly all of them worked out in vector units.

    `tails` (float64) and `places` (int64) are scratch, as long as the deviates.
    """
    n = deviates.shape[0]
    for w in range(n):
        deviates[w] = two_fractions(seed, image, first + np.uint64(w), purpose)[0]
    count = 0
    for w in range(n):
        tails[count] = deviates[w]
        places[count] = w
        count += abs(deviates[w] - 0.5) > _CENTRAL
    for w in range(n):
        deviates[w] = _central(deviates[w] - 0.5)
    for i in range(count):
        u = tails[i]
        r = _depth(u)
        value = _tail(r)
        signed = -value if u < 0.5 else value
        tails[i] = signed if r <= _SWITCH else math.nan
    for i in range(count):
        w = places[i]
        deviates[w] = tails[i]
        if math.isnan(tails[i]):
            deviates[w] = gaussian(seed, image, purpose, first + np.uint64(w))
