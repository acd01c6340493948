"""Lattice factor of an ellipsoidal crystal in float32, for mixed precision on the processor.

`sample.sinc3` of an angle x = pi s, with s up to thousands, needs s without its whole turns, to 1e-8 of one. The square
of s is worked out in float64 and handed on as two float32, the second what the first has lost. With m, half an odd
number and next to s, s - m = (s^2 - m^2)/(s + m): m^2 is exact, and s^2 - m^2 hardly rounded. So s - m has all its
digits where the lattice factor is nearly 0, which is next to half-odd s.
"""

import math

import numpy as np

from ..jit import physics
from .intrinsics import bits_of, constant, float_of, floor, polynomial

MOST_RADIUS = 2048.0  # s must stay below for m^2 to be a float32

_SINGLE_BITS = -(1 << 29)  # of a float64, those that a float32 has too
# Minimax polynomials in s^2 for float32. sin(pi s)/s, to a relative error of 5e-9, and cos(pi s), to 5e-8, for
# |s| <= 1/2: the last coefficient, and the rest as a product of two quadratics, which wait less for each other than
# Horner's rule has it.
_SINE_SCALE, _COSINE_SCALE = 0.07764191908097058, 0.2196361547131292
_SINE = tuple(map(np.float32, (15.432758, -4.087286, 2.6218634, -3.6184032)))
_COSINE = tuple(map(np.float32, (9.589785, -3.9148111, 0.4747744, -2.1490974)))
_SINC3 = (1.0, -0.9869568, 0.347734, -0.06167878)  # sinc3(pi s) up to _CENTRAL, to 3e-8
_CENTRAL = np.float32(0.14)
_PER_X = np.float32(_COSINE_SCALE / _SINE_SCALE / math.pi)
_HEIGHT = np.float32(3.0 * _SINE_SCALE * (_SINE_SCALE / _COSINE_SCALE) ** 2)


@physics
def squared_radius(dh, dk, dl, square_a, square_b, square_c):
    """The square of `sample.ellipsoid_radius`, from offsets and the squares of N along each axis times fudge."""
    return dh * dh * square_a + dk * dk * square_b + dl * dl * square_c


@physics
def in_two(x):
    """A float64 as the sum of two float32, the larger one first."""
    large = float_of(bits_of(x) & _SINGLE_BITS)
    return np.float32(large), np.float32(x - large)


@physics
def sinc3_of_square(squared, rest):
    """sinc3(pi s), up to sign, from s^2 as two float32: error 2e-7 of its envelope, and less where it is nearly 0.

    With y = pi (s - m), sin(x)/x - cos(x) is cos(y)/x + sin(y), up to sign. Near 0, where that cancels, the value is a
    power series.
    """
    s = np.float32(math.sqrt(squared))
    middle = floor(s) + constant(0.5, s)
    both = s + middle
    inverse = constant(1.0, s) / (s * both)  # of two numbers at once: infinite for 0, which is another branch's
    y = (((squared - middle * middle) + rest) * s) * inverse
    per_x = (both * _PER_X) * inverse
    t = y * y
    b, a, d, c = _SINE
    f, e, h, g = _COSINE
    sine = y * (t * (t + a) + b) * (t * (t + c) + d)
    beyond = sine + (per_x * (t * (t + e) + f)) * (t * (t + g) + h)
    beyond *= (per_x * per_x) * _HEIGHT
    return polynomial(squared, _SINC3, _SINC3) if squared < _CENTRAL else beyond
