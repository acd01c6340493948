"""Fractional indices in fixed point, for mixed precision on the processor.

An index h becomes a float64 of such a size that its last 32 bits are the offset from the nearest whole number, in units
of 2^-32, and those above them that number, counted from the first of the table. Whole numbers of 32 bits wrap around
as turns do: N times an offset is, by itself, less its whole turns. The error of h is half a unit, 1.2e-10. Where
N is large, what an index has lost is kept and added to the offset and, N times, to the turns.
"""

import numpy as np

from ..jit import physics
from .intrinsics import bits_of, float_of

MOST_INDEX = 2.0**18  # |h|, and |h_min| of the table, must stay below for the sum to keep its size
MOST_CELLS = 2**24  # along an axis
MOST_CELLS_COARSE = 48  # the error of N h is 6e-9 of a turn then, which shows in no fringe

_SIZE = 1.5 * 2.0**20  # a float64 of that size has 32 bits for its fraction
_SIZE_BITS = np.int32(np.float64(_SIZE).view(np.int64) >> 32)
_SQUARED_UNIT = np.int32(64 << 23)  # what the exponent of a float32 falls by in a division by 2^64
_HALF = np.int32(2**31 - 1)  # in units; a tie goes down, as in `functions.nearest_index`
_ONE = np.uint32(1)
# sin(pi x)/x, the float32 polynomial of `functions.sin_pi` over its last coefficient, as a product of two quadratics
_SINE = tuple(map(np.float32, (2.6239345, -3.620518, 15.436787, -4.092725)))


@physics
def fixed_origin(h_min):
    """What to add to an index so that the sum is in fixed point; `h_min` is the first of the unpadded table."""
    return _SIZE + 0.5 - 2.0**-32 - (h_min - 1.0)


@physics
def fixed_index(h, origin):
    """The bits of an index in fixed point, as an integer of 64 bits."""
    return bits_of(h + origin)


@physics
def fixed_rest(h, bits, origin):
    """What an index has lost in fixed point, in units of 2^-32, as a float32."""
    return np.float32((h - (float_of(bits) - origin)) * 2.0**32)


@physics
def fixed_place(bits, last):
    """Index along one axis of the padded table of the nearest reflection: the border, `last`, when it lies outside."""
    i = np.uint32(np.int32(bits >> 32) - _SIZE_BITS)
    return min(i, last)


@physics
def fixed_offset(low):
    """Offset from the nearest reflection in units of 2^-32, but not 0, from the lower 32 bits."""
    return np.int32(max(np.uint32(low - _HALF), _ONE))


@physics
def fixed_turns(offset, cells):
    """What is left of N dh turns, at most 1/2 either way, in units of 2^-32."""
    return np.int32(offset * cells)


@physics
def sine_of_units(x):
    """sin(pi x / 2^32) times a constant, for a float32 of |x| <= 2^31: relative error 2e-7.

    Constant factors cancel in a ratio of such sines, and processors have less room for multiplications than for
    anything else: these are five, where `functions.sin_pi` takes six of a number that has been scaled.
    """
    square = x * float_of(np.int32(bits_of(x) - _SQUARED_UNIT))  # 0 for 0: the other factor is finite
    b, a, d, c = _SINE
    return x * (square * (square + a) + b) * (square * (square + c) + d)


@physics
def lattice_ratio_of_units(dh, dk, dl, turned_h, turned_k, turned_l):
    """`sample.lattice_ratio` of offsets that are not 0 and turns in units of 2^-32; all are float32."""
    top = sine_of_units(turned_h) * sine_of_units(turned_k) * sine_of_units(turned_l)
    return top / (sine_of_units(dh) * sine_of_units(dk) * sine_of_units(dl))
