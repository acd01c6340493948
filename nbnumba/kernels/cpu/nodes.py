"""Polynomials along a strip of a flat panel, of the seventh degree and in float64, through eight places of it.

The places are the Chebyshev nodes of the strip. In the rows of the scratch array the first NODES lanes are the nodes,
save for TOTAL, UNIT, SQUARE, FOURTH and what `expand` has filled. Row POWERS holds coefficients; its first are the sums
of the powers over all pixels.
"""

import math

import numpy as np

from ..jit import inner, inner_inlined
from ..physics import sample as p
from . import mixed
from .strip import DX, DY, DZ, FOURTH, INVERSE, NODE, POWERS, SQUARE, STRIDE, UNIT, fill

NODES = 8
PLACES = np.cos((np.arange(NODES) + 0.5) * math.pi / NODES)  # in units of half a strip, from its middle
CONSTANT = np.eye(NODES)[0]  # the polynomial 1
COUNT = mixed.SINGLES  # where NODES stands in the array of whole numbers, see `node_count`

_TO_POWERS = np.ascontiguousarray(np.linalg.inv(np.vander(PLACES, increasing=True)).T)  # a row for each node


@inner_inlined
def node_count(numbers):
    """The number of nodes, as the compiler does not know it: it takes loops of a known few apart, without vectors."""
    return np.int64(numbers[COUNT])


@inner
def lay_nodes(s, numbers, width):
    """Set where the nodes and the pixels are, for strips of so many pixels."""
    numbers[COUNT] = NODES
    half = (width - 1) / 2.0
    for j in range(NODES):
        s[NODE + j] = half + half * PLACES[j]  # from the middle of the first pixel, in pixels
    fill(s, POWERS, NODES, 0.0)
    for w in range(width):
        t = (w - half) / half
        s[UNIT + w], s[SQUARE + w], s[FOURTH + w] = t, t**2, t**4
        power = 1.0
        for k in range(NODES):
            s[POWERS + k] += power
            power *= t


@inner
def place_nodes(q, s, n, slow, fast, sub_slow, sub_fast, layer):
    """Diffracted direction and inverse distance at the nodes, as `strip.place_strip` has them of pixels."""
    oversample, pixel = q.oversample, q.pixel_fast
    along_slow = p.subpixel_center(slow, sub_slow, oversample, q.pixel_slow)
    depth = layer * q.layer_step
    fx, fy, fz = q.fast[0], q.fast[1], q.fast[2]
    sx, sy, sz = q.slow[0], q.slow[1], q.slow[2]
    nx, ny, nz = q.normal[0], q.normal[1], q.normal[2]
    ox, oy, oz = q.origin[0], q.origin[1], q.origin[2]
    for w in range(n):
        along_fast = p.subpixel_center(fast + s[NODE + w], sub_fast, oversample, pixel)
        x = p.flat_position(along_fast, along_slow, depth, fx, sx, nx, ox)
        y = p.flat_position(along_fast, along_slow, depth, fy, sy, ny, oy)
        z = p.flat_position(along_fast, along_slow, depth, fz, sz, nz, oz)
        inverse = 1.0 / math.sqrt(x * x + y * y + z * z)
        s[INVERSE + w] = inverse
        s[DX + w] = x * inverse
        s[DY + w] = y * inverse
        s[DZ + w] = z * inverse


@inner_inlined
def fit(s, n, row, to):
    """The polynomial through the values of a row at the nodes."""
    m, reference = _TO_POWERS, s[row]
    v1, v2, v3 = s[row + 1] - reference, s[row + 2] - reference, s[row + 3] - reference
    v4, v5, v6 = s[row + 4] - reference, s[row + 5] - reference, s[row + 6] - reference
    v7 = s[row + 7] - reference
    for k in range(n):
        low = m[1, k] * v1 + m[2, k] * v2 + m[3, k] * v3 + m[4, k] * v4
        s[to + k] = low + m[5, k] * v5 + m[6, k] * v6 + m[7, k] * v7 + reference * CONSTANT[k]


@inner_inlined
def coefficients(s, at):
    """The coefficients of a polynomial."""
    return s[at], s[at + 1], s[at + 2], s[at + 3], s[at + 4], s[at + 5], s[at + 6], s[at + 7]


@inner_inlined
def polynomial(c, t, square, fourth):
    """Value of a polynomial at t, of which the second and fourth power are given (Estrin's scheme)."""
    low = (c[1] * t + c[0]) + square * (c[3] * t + c[2])
    return low + fourth * ((c[5] * t + c[4]) + square * (c[7] * t + c[6]))


@inner
def expand(s, first, n, of, row):
    """Values at the pixels of three polynomials, in three rows of the scratch array."""
    x, y, z = coefficients(s, of), coefficients(s, of + NODES), coefficients(s, of + 2 * NODES)
    at = s[first:]
    for w in range(n):
        t, square, fourth = at[UNIT + w], at[SQUARE + w], at[FOURTH + w]
        at[row + w] = polynomial(x, t, square, fourth)
        at[row + STRIDE + w] = polynomial(y, t, square, fourth)
        at[row + 2 * STRIDE + w] = polynomial(z, t, square, fourth)
