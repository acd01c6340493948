"""Loops over a strip for one orientation of the crystal: the lattice factor and the structure factor of a sample.

Three ways through them, chosen by the driver in `cpu`. Square and round crystals: offsets, structure factors,
amplitudes, sum. Gaussian and top-hat spots are nearly everywhere nothing: the distance to the nearest reflection is
computed for all pixels, the rest only for those within reach. And a general way, where every value is wanted.
"""

import math

import numpy as np

from ..jit import inner, inner_inlined
from ..physics import functions
from ..physics import sample as p
from ..physics import structure_factor as look_up
from ..physics.diffuse import halo_intensity
from ..scene import GAUSS, ROUND, SQUARE
from .strip import (
    ACTIVE,
    AMPLITUDE,
    EVALUATED,
    FACTOR,
    FCELL,
    FIRST,
    GAIN,
    HALO,
    PART,
    QX,
    QY,
    QZ,
    RADIUS_SQUARED,
    SUM,
    H,
    K,
    L,
)


@inner
def index_strip(a, s, n, o):
    """Fractional indices of one of the orientations `a`."""
    ax, ay, az, bx, by, bz = a[o, 0], a[o, 1], a[o, 2], a[o, 3], a[o, 4], a[o, 5]
    cx, cy, cz = a[o, 6], a[o, 7], a[o, 8]
    for w in range(n):
        x = s[QX + w]
        y = s[QY + w]
        z = s[QZ + w]
        s[H + w] = p.dot(ax, ay, az, x, y, z)
        s[K + w] = p.dot(bx, by, bz, x, y, z)
        s[L + w] = p.dot(cx, cy, cz, x, y, z)


@inner_inlined
def offset_strip(q, a, s, index, n, o):
    """Offsets from the nearest reflection of orientation o, and its place in the table."""
    ax, ay, az, bx, by, bz = a[o, 0], a[o, 1], a[o, 2], a[o, 3], a[o, 4], a[o, 5]
    cx, cy, cz = a[o, 6], a[o, 7], a[o, 8]
    h_min, k_min, l_min = float(q.h_min), float(q.k_min), float(q.l_min)
    nh, nk, nl = float(q.nh), float(q.nk), float(q.nl)
    for w in range(n):
        x = s[QX + w]
        y = s[QY + w]
        z = s[QZ + w]
        h = p.dot(ax, ay, az, x, y, z)
        k = p.dot(bx, by, bz, x, y, z)
        l = p.dot(cx, cy, cz, x, y, z)
        h0 = functions.nearest_index(h)
        k0 = functions.nearest_index(k)
        l0 = functions.nearest_index(l)
        s[H + w] = h - h0
        s[K + w] = k - k0
        s[L + w] = l - l0
        i, j, m = (
            look_up.padded_index(h0, h_min, nh),
            look_up.padded_index(k0, k_min, nk),
            look_up.padded_index(l0, l_min, nl),
        )
        index[w] = np.int32(look_up.table_place(i, j, m, nk, nl))


@inner_inlined
def gather_strip(flat, s, index, n):
    """Structure factors of the nearest reflections; tell whether any is not zero."""
    found = 0
    for w in range(n):
        f = flat[np.uint32(index[w])]  # unsigned: it cannot count from the end
        s[FCELL + w] = f
        found += f != 0.0
    return found > 0


@inner
def offsets_from_indices(s, n):
    """Replace fractional indices by their offsets from the nearest whole numbers."""
    for w in range(n):
        s[H + w] -= functions.nearest_index(s[H + w])
        s[K + w] -= functions.nearest_index(s[K + w])
        s[L + w] -= functions.nearest_index(s[L + w])


@inner
def square_strip(s, n, Na, Nb, Nc):
    """Lattice factors of a parallelepiped crystal."""
    for w in range(n):
        s[AMPLITUDE + w] = p.lattice_factor_square(s[H + w], s[K + w], s[L + w], Na, Nb, Nc)


@inner
def round_strip(s, n, Na, Nb, Nc, fudge):
    """Lattice factors of an ellipsoidal crystal."""
    for w in range(n):
        s[AMPLITUDE + w] = p.lattice_factor_round(s[H + w], s[K + w], s[L + w], Na, Nb, Nc, fudge, False)


@inner
def cancelling_round_strip(s, n, Na, Nb, Nc, fudge):
    """The same as C computes it, which loses digits near the middle of a spot."""
    for w in range(n):
        s[AMPLITUDE + w] = p.lattice_factor_round(s[H + w], s[K + w], s[L + w], Na, Nb, Nc, fudge, True)


@inner_inlined
def either_round_strip(s, n, Na, Nb, Nc, fudge, cancels):
    """Lattice factors of an ellipsoidal crystal, in one of two ways.

    Both loops in one function compete for registers: twice the constants are stored and read again for each strip.
    """
    if cancels:
        cancelling_round_strip(s, n, Na, Nb, Nc, fudge)
    else:
        round_strip(s, n, Na, Nb, Nc, fudge)


@inner
def halo_strip(q, flat, s, n):
    """Diffuse scattering at fractional indices."""
    for w in range(n):
        h, k, l = s[H + w], s[K + w], s[L + w]
        h0, k0, l0 = functions.nearest_index(h), functions.nearest_index(k), functions.nearest_index(l)
        s[HALO + w] = halo_intensity(q, flat, h0, k0, l0, h - h0, k - k0, l - l0)


@inner
def add_halo(q, s, n):
    """Replace amplitudes by those whose square is the spot and its halo together."""
    spots = 0.0 if q.halo_only else 1.0
    for w in range(n):
        amplitude = s[AMPLITUDE + w]
        s[AMPLITUDE + w] = math.sqrt(spots * (amplitude * amplitude) + s[HALO + w])


@inner
def amplitude_strip(q, s, n):
    """Lattice factors of any shape from the offsets."""
    shape, fudge = q.shape, q.fudge
    Na, Nb, Nc = p.cells_along_axes(q)
    if shape == SQUARE:
        square_strip(s, n, Na, Nb, Nc)
        return
    if shape == ROUND:
        either_round_strip(s, n, Na, Nb, Nc, fudge, q.sinc3_cancels)
        return
    scale, height, width, limit = q.spot_scale, q.spot_height, q.spot_width, q.spot_limit
    t = q.triangle
    xa, xb, xc, yb, yc, zc = t[0], t[1], t[2], t[3], t[4], t[5]
    for w in range(n):
        s[RADIUS_SQUARED + w] = p.spot_radius_squared(s[H + w], s[K + w], s[L + w], xa, xb, xc, yb, yc, zc, scale)
    if shape == GAUSS:
        for w in range(n):
            s[AMPLITUDE + w] = p.lattice_factor_gauss(s[RADIUS_SQUARED + w], height, fudge, width, limit)
    else:
        for w in range(n):
            s[AMPLITUDE + w] = p.lattice_factor_tophat(s[RADIUS_SQUARED + w], height, fudge)


@inner_inlined
def sum_terms(s, n, plain, weight):
    """Add the squares of F_cell F_latt to the pixel's sum, or weighted to the source's part of it."""
    if plain:
        for w in range(n):
            amplitude = s[FCELL + w] * s[AMPLITUDE + w]
            s[SUM + w] += amplitude * amplitude
    else:
        for w in range(n):
            amplitude = s[FCELL + w] * s[AMPLITUDE + w]
            s[PART + w] += p.weighted_square(amplitude, weight)


@inner_inlined
def sum_factors(s, n, plain, weight):
    """The same for a single unit cell, whose lattice factor is 1."""
    if plain:
        for w in range(n):
            s[SUM + w] += s[FCELL + w] * s[FCELL + w]
    else:
        for w in range(n):
            s[PART + w] += p.weighted_square(s[FCELL + w], weight)


@inner
def compound_terms(s, n, skip_empty, weight):
    """Add a term to the running sum and multiply the whole by the factors, as C does."""
    for w in range(n):
        amplitude = s[FCELL + w] * s[AMPLITUDE + w]
        left_out = s[GAIN + w] == 0.0 or (s[AMPLITUDE + w] == 0.0 and skip_empty)
        together = (s[SUM + w] + p.weighted_square(amplitude, weight)) * s[FACTOR + w]
        s[SUM + w] = s[SUM + w] if left_out else together


@inner
def spots_in_reach(q, a, s, index, n, o):
    """Collect the pixels whose spot amplitude can be seen; their number is returned, their lanes are in `index`."""
    ax, ay, az, bx, by, bz = a[o, 0], a[o, 1], a[o, 2], a[o, 3], a[o, 4], a[o, 5]
    cx, cy, cz = a[o, 6], a[o, 7], a[o, 8]
    t = q.triangle
    xa, xb, xc, yb, yc, zc = t[0], t[1], t[2], t[3], t[4], t[5]
    scale, reach = q.spot_scale, q.reach
    found = 0
    for w in range(n):
        x = s[QX + w]
        y = s[QY + w]
        z = s[QZ + w]
        h = p.dot(ax, ay, az, x, y, z)
        k = p.dot(bx, by, bz, x, y, z)
        l = p.dot(cx, cy, cz, x, y, z)
        radius_squared = p.spot_radius_squared(
            h - functions.nearest_index(h),
            k - functions.nearest_index(k),
            l - functions.nearest_index(l),
            xa,
            xb,
            xc,
            yb,
            yc,
            zc,
            scale,
        )
        s[RADIUS_SQUARED + w] = radius_squared
        found += radius_squared < reach
    if found == 0:
        return 0
    lanes = 0
    for w in range(n):
        index[lanes] = w
        lanes += s[RADIUS_SQUARED + w] < reach
    return lanes


@inner
def sum_spots(q, a, weights, flat, s, index, lanes, o, first_pixel, sample, samples, cubic):
    """Add the terms of the collected pixels."""
    s[EVALUATED] += lanes
    fudge, gauss, plain, weight = q.fudge, q.shape == GAUSS, q.plain, weights[o]
    height, width, limit = q.spot_height, q.spot_width, q.spot_limit
    for i in range(lanes):
        w = index[i]
        x = s[QX + w]
        y = s[QY + w]
        z = s[QZ + w]
        h = p.dot(a[o, 0], a[o, 1], a[o, 2], x, y, z)
        k = p.dot(a[o, 3], a[o, 4], a[o, 5], x, y, z)
        l = p.dot(a[o, 6], a[o, 7], a[o, 8], x, y, z)
        on = cubic and (first_pixel + w) * samples + sample < q.latch
        f = look_up.structure_factor(h, k, l, flat, q.h_min, q.k_min, q.l_min, q.nh, q.nk, q.nl, on)
        radius_squared = s[RADIUS_SQUARED + w]
        if gauss:
            f *= p.lattice_factor_gauss(radius_squared, height, fudge, width, limit)
        else:
            f *= p.lattice_factor_tophat(radius_squared, height, fudge)
        if plain:
            s[SUM + w] += f * f
        else:
            s[PART + w] += p.weighted_square(f, weight)


@inner
def search_strip(q, s, n, sample):
    """Note the first sample of each pixel that trips the interpolation latch; AMPLITUDE tells which ones count."""
    h_min, k_min, l_min = float(q.h_min), float(q.k_min), float(q.l_min)
    nh, nk, nl = float(q.nh), float(q.nk), float(q.nl)
    all_count = not q.skip_empty
    found = 0
    for w in range(n):
        trips = (
            look_up.trips_latch(s[H + w], h_min, nh)
            | look_up.trips_latch(s[K + w], k_min, nk)
            | look_up.trips_latch(s[L + w], l_min, nl)
        )
        counted = (s[GAIN + w] > 0.0) & (s[ACTIVE + w] > 0.0) & (all_count | (s[AMPLITUDE + w] != 0.0))
        s[FCELL + w] = 1.0 if trips & counted else 0.0
        found += trips & counted
    if found == 0:
        return
    for w in range(n):
        if s[FCELL + w] > 0.0 and sample < s[FIRST + w]:
            s[FIRST + w] = sample
