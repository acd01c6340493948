"""Functions of one number, without branches and calls: the loops around them are computed in vector units.

They use nothing but arithmetic and `intrinsics`, so that they compile for a GPU too. Those that say so take float32
as well, and stay in float32.
"""

import math

import numpy as np

from ..jit import physics
from .intrinsics import bits_of, ceil, float_of, polynomial, power_of_two, round_even, whole_ceil

_LOG2_E = 1.4426950408889634
_LN2_HIGH = 0.6931471803691238  # ln 2 with its last bits zero, so that n * _LN2_HIGH is exact
_LN2_LOW = 1.9082149292705877e-10

# Minimax polynomials, from the constant term up; the second of a kind is for float32.
_SIN_PI = (
    3.1415926535233476,
    -5.1677127621156105,
    2.5501632403133097,
    -0.5992513300797654,
    0.0820464787869173,
    -0.0070221635507176534,
)
_SIN_PI_SINGLE = (3.1415927, -5.16771, 2.5500698, -0.5982421, 0.07756039)
_EXP = (
    1.0,
    1.0000000000000064,
    0.49999999999997286,
    0.1666666666655774,
    0.04166666666842573,
    0.008333333384666939,
    0.0013888888499199242,
    0.00019841171382838866,
    2.4801917635509972e-05,
    2.7639768792727978e-06,
    2.7488459360278e-07,
)
_EXP_SINGLE = (1.0, 1.0, 0.4999999, 0.1666642, 0.041668225, 0.008374816, 0.0013836846)
_LN2 = 0.6931471805599453
_SHIFTER = 6755399441055744.0  # 1.5 2^52: a float64 of that size has no room for a fraction
_EXP_SHORT = (
    0.9999999999997623,
    0.9999999999806229,
    0.5000000000618229,
    0.16666666885448056,
    0.04166666422004413,
    0.008333267031812407,
    0.0013889178645189332,
    0.0001991542208216558,
    2.4727215912901194e-05,
)
_SINE = (
    -0.16666666666504604,
    0.008333333321087323,
    -0.00019841266729734368,
    2.7556953113117888e-06,
    -2.5030196945924265e-08,
    1.5409528760326e-10,
)
_SINE_SINGLE = (-0.16666667, 0.008333333, -0.00019841082, 2.7536203e-06, -2.4074897e-08)
_COSINE = (
    -0.499999999979384,
    0.04166666650396573,
    -0.0013888884612303207,
    2.4801070170301778e-05,
    -2.752566085918576e-07,
    1.9919951488124795e-09,
)
_COSINE_SINGLE = (-0.5, 0.04166666, -0.0013888642, 2.4773977e-05, -2.628538e-07)


@physics
def nearest_index(h):
    """Nearest whole number, as a float; a tie goes down (nanoBragg.c:2815)."""
    return ceil(h - 0.5)


@physics
def nearest_whole(h):
    """The same, as a float and as an integer of 32 bits."""
    return whole_ceil(h - 0.5)


@physics
def sin_pi(x):
    """sin(pi x) for |x| <= 1/2, to a relative error of 2.2e-11; in float32 to its rounding.

    Notes
    -----
    Minimax polynomial in x^2 with six terms. Six such factors, squared, make an error of 2.6e-10 at the
    most in an intensity: one part in 200 of the rounding to float32.
    """
    return x * polynomial(x * x, _SIN_PI, _SIN_PI_SINGLE)


@physics
def inverse_sqrt(x):
    """1/sqrt(x) for x >= 0, relative error 3e-16; a large finite number for 0.

    Notes
    -----
    Halving the exponent's bits gives a first guess that is good to 3.5 %; two steps of Householder's
    method make it 7e-6 and then exact. Vector units take a third of the time that their root and division take.
    """
    y = float_of(0x5FE6EB50C7B537A9 - (bits_of(x) >> 1))
    r = 1.0 - x * y * y
    y = y + y * (r * (0.5 + r * (0.375 + r * 0.3125)))
    r = 1.0 - x * y * y
    return y + y * (r * (0.5 + r * 0.375))


@physics
def inverse_sqrt_medium(x):
    """1/sqrt(x) for 1e-30 < x < 1e30, relative error 3e-14: Newton's step from float32, half the time of a division."""
    y = np.float64(np.float32(1.0) / np.float32(math.sqrt(np.float32(x))))
    return y + y * (0.5 - 0.5 * x * y * y)


@physics
def exp_parts(x):
    """Whole number n and remainder r, |r| <= ln(2)/2, such that exp(-x) = 2^n exp(r)."""
    n = round_even(-x * _LOG2_E)
    return n, (-x - n * _LN2_HIGH) - n * _LN2_LOW


@physics
def exp_of_rest(r):
    """exp(r) for |r| <= ln(2)/2, relative error 4e-16; in the type of r."""
    return polynomial(r, _EXP, _EXP_SINGLE)


@physics
def exp_of_parts(n, r):
    """2^n exp(r) for an integer n and small r, relative error 4e-16; in the type of r."""
    # In two halves, so that results below the smallest normal number are reached.
    half = n >> 1
    return exp_of_rest(r) * power_of_two(half, r) * power_of_two(n - half, r)


@physics
def exp_minus(x):
    """exp(-x), relative error 4e-16, zero where the exact function underflows; x is kept within -700 and 750.

    Notes
    -----
    exp(-x) = 2^n exp(r) with |r| <= ln(2)/2 and a minimax polynomial of eleven terms. Written out because a
    call into the C library would keep the loop around it from being vectorized.
    """
    x = x if x < 750.0 else 750.0
    x = x if x > -700.0 else -700.0
    n, r = exp_parts(x)
    return exp_of_parts(np.int64(n), r)


@physics
def exp_negative(x):
    """exp(-x) for x >= 0, to a relative error of 8e-13; beyond 700, where nothing is left, it is exp(-700).

    Notes
    -----
    As `exp_minus`, with a polynomial of nine terms and a third less of instructions. The whole number n stands in the
    last bits of a sum that has no room for a fraction, ready to be put into an exponent.
    """
    x = x if x < 700.0 else 700.0
    shifted = _SHIFTER - x * _LOG2_E
    r = -x - (shifted - _SHIFTER) * _LN2
    return polynomial(r, _EXP_SHORT, _EXP_SINGLE) * float_of((bits_of(shifted) + 1023) << 52)


@physics
def sine_cosine_terms(t):
    """S and C such that sin(y) = y + y t S and cos(y) = 1 + t C, for t = y^2 and |y| <= pi/2.

    Minimax polynomials of relative error 7e-14 and 8e-13; in float32 to its rounding.
    """
    return polynomial(t, _SINE, _SINE_SINGLE), polynomial(t, _COSINE, _COSINE_SINGLE)
