"""The sum over the orientations of one source in mixed precision, for round crystals.

Squared distances from the nearest reflections are worked out in float64; what follows is float32, as in `mixed`.
"""

import numpy as np

from ...constants import ROUND_AMPLITUDE
from ..jit import inner, inner_inlined
from ..physics import ellipsoid, functions
from ..physics import sample as p
from ..physics.intrinsics import bits_of, float_of
from .mixed import FCELL, LANES, MOST_TERMS, PLACE, TERMS, flush_terms, gather_strip
from .mixed import OFFSET_H as SQUARED
from .mixed import REST_H as REST
from .strip import EVALUATED, PART, QX, QY, QZ, SUM, lanes_in_range

# Squared distance, in units of 1/N, below which C's formula has lost so many digits that they show in float32.
CANCELS = np.float32(1e-9)


@inner
def radius_strip(q, a, s, numbers, n, o):
    """Squared distances from the nearest reflections of orientation o, and their places in the table."""
    ax, ay, az, bx, by, bz = a[o, 0], a[o, 1], a[o, 2], a[o, 3], a[o, 4], a[o, 5]
    cx, cy, cz = a[o, 6], a[o, 7], a[o, 8]
    Na, Nb, Nc = p.cells_along_axes(q)
    square_a, square_b, square_c = Na * Na * q.fudge, Nb * Nb * q.fudge, Nc * Nc * q.fudge
    h_first, k_first, l_first = np.int32(q.h_min - 1), np.int32(q.k_min - 1), np.int32(q.l_min - 1)
    h_last, k_last, l_last = np.uint32(q.nh - 1), np.uint32(q.nk - 1), np.uint32(q.nl - 1)
    nk, nl = np.uint32(q.nk), np.uint32(q.nl)
    for w in range(n):
        x = s[QX + w]
        y = s[QY + w]
        z = s[QZ + w]
        h = p.dot(ax, ay, az, x, y, z)
        k = p.dot(bx, by, bz, x, y, z)
        l = p.dot(cx, cy, cz, x, y, z)
        h0, h_whole = functions.nearest_whole(h)
        k0, k_whole = functions.nearest_whole(k)
        l0, l_whole = functions.nearest_whole(l)
        squared, rest = ellipsoid.in_two(ellipsoid.squared_radius(h - h0, k - k0, l - l0, square_a, square_b, square_c))
        numbers[SQUARED + w] = bits_of(squared)
        numbers[REST + w] = bits_of(rest)
        # Unsigned, what lies below the table lies far above it; all of its border is the same.
        i = min(np.uint32(h_whole - h_first), h_last)
        j = min(np.uint32(k_whole - k_first), k_last)
        m = min(np.uint32(l_whole - l_first), l_last)
        row = np.uint32(np.uint32(i * nk) + j)
        numbers[PLACE + w] = np.int32(np.uint32(np.uint32(row * nl) + m))


@inner_inlined
def any_cancels(numbers, n):
    """Tell whether any distance is so small that C's formula loses its digits."""
    nearest = bits_of(CANCELS)
    for w in range(n):
        nearest = min(nearest, numbers[SQUARED + w])  # numbers above 0 compare as their bits do
    return nearest != bits_of(CANCELS)


@inner
def add_cancelling(q, a, s, numbers, n, o, plain, weight):
    """Add terms where C's formula loses its digits as it does, in float64, and leave them out of what follows."""
    Na, Nb, Nc = p.cells_along_axes(q)
    for w in range(n):
        if float_of(numbers[SQUARED + w]) < CANCELS:
            x, y, z = s[QX + w], s[QY + w], s[QZ + w]
            h = p.dot(a[o, 0], a[o, 1], a[o, 2], x, y, z)
            k = p.dot(a[o, 3], a[o, 4], a[o, 5], x, y, z)
            l = p.dot(a[o, 6], a[o, 7], a[o, 8], x, y, z)
            h -= functions.nearest_index(h)
            k -= functions.nearest_index(k)
            l -= functions.nearest_index(l)
            amplitude = float_of(numbers[FCELL + w]) * p.lattice_factor_round(h, k, l, Na, Nb, Nc, q.fudge, True)
            if plain:
                s[SUM + w] += amplitude * amplitude
            else:
                s[PART + w] += p.weighted_square(amplitude, weight)
            numbers[FCELL + w] = 0


@inner
def round_strip(numbers, n, height):
    """Add the squares of F_cell F_latt of an ellipsoidal crystal."""
    for w in range(n):
        profile = ellipsoid.sinc3_of_square(float_of(numbers[SQUARED + w]), float_of(numbers[REST + w]))
        amplitude = float_of(numbers[FCELL + w]) * height * profile
        numbers[TERMS + w] = bits_of(float_of(numbers[TERMS + w]) + amplitude * amplitude)


@inner
def sum_mixed_round(q, orientations, weights, flat, s, numbers, n, first_pixel, first_sample, samples):
    """Add the terms of round crystals; `flat` is float32."""
    plain, cancels = q.plain, q.sinc3_cancels
    height = np.float32(p.cells_in_crystal(q) * ROUND_AMPLITUDE)
    first, stop = lanes_in_range(q, s, n, LANES)
    if first == stop:
        return
    lanes = stop - first
    part = s[first:]
    evaluated = terms = 0
    weight = weights[0]
    for o in range(orientations.shape[0]):
        radius_strip(q, orientations, part, numbers, lanes, o)
        if not gather_strip(flat, numbers, lanes):
            continue
        if cancels and any_cancels(numbers, lanes):
            add_cancelling(q, orientations, part, numbers, lanes, o, plain, weights[o])
        if terms == MOST_TERMS or weights[o] != weight:
            flush_terms(part, numbers, lanes, plain, weight)
            terms, weight = 0, weights[o]
        round_strip(numbers, lanes, height)
        terms += 1
        evaluated += n
    flush_terms(part, numbers, lanes, plain, weight)
    s[EVALUATED] += evaluated
