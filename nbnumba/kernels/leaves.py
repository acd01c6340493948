"""Loops over a strip for one orientation of the crystal: the lattice factor and the structure factor of a sample.

Three ways through them, chosen by the driver in `cpu`. Square and round crystals: offsets, structure factors,
amplitudes, sum. Gaussian and top-hat spots are nearly everywhere nothing: the distance to the nearest reflection is
computed for all pixels, the rest only for those within reach. And a general way, where every value is wanted.
"""

import numpy as np

from . import physics as p
from .jit import inner
from .strip import (
    ACTIVE, AMPLITUDE, FACTOR, FCELL, FIRST, GAIN, H_WEIGHTS, K_WEIGHTS, L_WEIGHTS, PART, QX, QY, QZ, RADIUS_SQUARED,
    SUM, TERM, WIDTH, H, K, L,
)  # fmt: skip

H1, H2, H3 = (H_WEIGHTS + i * WIDTH for i in (1, 2, 3))
K1, K2, K3 = (K_WEIGHTS + i * WIDTH for i in (1, 2, 3))
L1, L2, L3 = (L_WEIGHTS + i * WIDTH for i in (1, 2, 3))

SQUARE, ROUND, GAUSS, TOPHAT = 0, 1, 2, 3


@inner
def index_strip(scene, s, n, o):
    """Fractional indices of orientation o."""
    a = scene.orientations
    ax, ay, az, bx, by, bz = a[o, 0], a[o, 1], a[o, 2], a[o, 3], a[o, 4], a[o, 5]
    cx, cy, cz = a[o, 6], a[o, 7], a[o, 8]
    for w in range(n):
        x = s[QX + w]
        y = s[QY + w]
        z = s[QZ + w]
        s[H + w] = ax * x + ay * y + az * z
        s[K + w] = bx * x + by * y + bz * z
        s[L + w] = cx * x + cy * y + cz * z


@inner
def offset_strip(scene, s, index, n, o):
    """Offsets from the nearest reflection of orientation o, and its place in the table."""
    q = scene.numbers[0]
    a = scene.orientations
    ax, ay, az, bx, by, bz = a[o, 0], a[o, 1], a[o, 2], a[o, 3], a[o, 4], a[o, 5]
    cx, cy, cz = a[o, 6], a[o, 7], a[o, 8]
    h_min, k_min, l_min = float(q.h_min), float(q.k_min), float(q.l_min)
    nh, nk, nl = float(scene.table.shape[0]), float(scene.table.shape[1]), float(scene.table.shape[2])
    for w in range(n):
        x = s[QX + w]
        y = s[QY + w]
        z = s[QZ + w]
        h = ax * x + ay * y + az * z
        k = bx * x + by * y + bz * z
        l = cx * x + cy * y + cz * z
        h0 = p.nearest_index(h)
        k0 = p.nearest_index(k)
        l0 = p.nearest_index(l)
        s[H + w] = h - h0
        s[K + w] = k - k0
        s[L + w] = l - l0
        place = (p.padded_index(h0, h_min, nh) * nk + p.padded_index(k0, k_min, nk)) * nl
        index[w] = np.int32(place + p.padded_index(l0, l_min, nl))


@inner
def gather_strip(s, index, n, flat):
    """Structure factors of the nearest reflections; tell whether any is not zero."""
    found = 0
    for w in range(n):
        f = flat[index[w]]
        s[FCELL + w] = f
        found += f != 0.0
    return found > 0


@inner
def offsets_from_indices(s, n):
    """Replace fractional indices by their offsets from the nearest whole numbers."""
    for w in range(n):
        s[H + w] -= p.nearest_index(s[H + w])
        s[K + w] -= p.nearest_index(s[K + w])
        s[L + w] -= p.nearest_index(s[L + w])


@inner
def square_strip(s, n, Na, Nb, Nc):
    """Lattice factors of a parallelepiped crystal."""
    for w in range(n):
        s[AMPLITUDE + w] = p.lattice_factor_square(s[H + w], s[K + w], s[L + w], Na, Nb, Nc)


@inner
def round_strip(s, n, Na, Nb, Nc, fudge):
    """Lattice factors of an ellipsoidal crystal."""
    for w in range(n):
        s[AMPLITUDE + w] = p.lattice_factor_round(s[H + w], s[K + w], s[L + w], Na, Nb, Nc, fudge)


@inner
def amplitude_strip(scene, s, n):
    """Lattice factors of any shape from the offsets."""
    q = scene.numbers[0]
    shape, fudge = q.shape, q.fudge
    Na, Nb, Nc = q.Na, q.Nb, q.Nc
    if shape == SQUARE:
        square_strip(s, n, Na, Nb, Nc)
        return
    if shape == ROUND:
        round_strip(s, n, Na, Nb, Nc, fudge)
        return
    cells = Na * Nb * Nc
    t = q.triangle
    xa, xb, xc, yb, yc, zc = t[0], t[1], t[2], t[3], t[4], t[5]
    for w in range(n):
        s[RADIUS_SQUARED + w] = p.spot_radius_squared(s[H + w], s[K + w], s[L + w], xa, xb, xc, yb, yc, zc, cells)
    if shape == GAUSS:
        for w in range(n):
            s[AMPLITUDE + w] = p.lattice_factor_gauss(s[RADIUS_SQUARED + w], cells, fudge)
    else:
        for w in range(n):
            s[AMPLITUDE + w] = p.lattice_factor_tophat(s[RADIUS_SQUARED + w], cells, fudge)


@inner
def sum_terms(s, n, plain):
    """Add the squares of F_cell F_latt to the pixel's sum, or to the source's part of it."""
    if plain:
        for w in range(n):
            amplitude = s[FCELL + w] * s[AMPLITUDE + w]
            s[SUM + w] += amplitude * amplitude
    else:
        for w in range(n):
            amplitude = s[FCELL + w] * s[AMPLITUDE + w]
            s[PART + w] += amplitude * amplitude


@inner
def compound_terms(s, n, skip_empty):
    """Add a term to the running sum and multiply the whole by the factors, as C does."""
    for w in range(n):
        amplitude = s[FCELL + w] * s[AMPLITUDE + w]
        left_out = s[GAIN + w] == 0.0 or (s[AMPLITUDE + w] == 0.0 and skip_empty)
        together = (s[SUM + w] + amplitude * amplitude) * s[FACTOR + w]
        s[SUM + w] = s[SUM + w] if left_out else together


@inner
def spots_in_reach(scene, s, index, n, o):
    """Collect the pixels whose spot amplitude can be seen; their number is returned, their lanes are in `index`."""
    q = scene.numbers[0]
    a = scene.orientations
    ax, ay, az, bx, by, bz = a[o, 0], a[o, 1], a[o, 2], a[o, 3], a[o, 4], a[o, 5]
    cx, cy, cz = a[o, 6], a[o, 7], a[o, 8]
    t = q.triangle
    xa, xb, xc, yb, yc, zc = t[0], t[1], t[2], t[3], t[4], t[5]
    cells, reach = q.Na * q.Nb * q.Nc, q.reach
    found = 0
    for w in range(n):
        x = s[QX + w]
        y = s[QY + w]
        z = s[QZ + w]
        h = ax * x + ay * y + az * z
        k = bx * x + by * y + bz * z
        l = cx * x + cy * y + cz * z
        radius_squared = p.spot_radius_squared(
            h - p.nearest_index(h), k - p.nearest_index(k), l - p.nearest_index(l), xa, xb, xc, yb, yc, zc, cells
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
def sum_spots(scene, s, index, lanes, o, first_pixel, sample, samples, cubic):
    """Add the terms of the collected pixels."""
    q = scene.numbers[0]
    a, table = scene.orientations, scene.table
    cells, fudge, gauss, plain = q.Na * q.Nb * q.Nc, q.fudge, q.shape == GAUSS, q.plain
    for i in range(lanes):
        w = index[i]
        x = s[QX + w]
        y = s[QY + w]
        z = s[QZ + w]
        h = a[o, 0] * x + a[o, 1] * y + a[o, 2] * z
        k = a[o, 3] * x + a[o, 4] * y + a[o, 5] * z
        l = a[o, 6] * x + a[o, 7] * y + a[o, 8] * z
        on = cubic and (first_pixel + w) * samples + sample < q.latch
        f = p.structure_factor(h, k, l, table, q.h_min, q.k_min, q.l_min, on)
        radius_squared = s[RADIUS_SQUARED + w]
        if gauss:
            f *= p.lattice_factor_gauss(radius_squared, cells, fudge)
        else:
            f *= p.lattice_factor_tophat(radius_squared, cells, fudge)
        if plain:
            s[SUM + w] += f * f
        else:
            s[PART + w] += f * f


@inner
def cubic_strip(scene, s, index, n, allowed):
    """Structure factors by tricubic interpolation where the table reaches, of the first `allowed` lanes, else the nearest.

    Neighbouring pixels mostly stand among the same 4 x 4 x 4 reflections: a run of such pixels is computed at once.
    """
    q = scene.numbers[0]
    table = scene.table
    h_min, k_min, l_min = float(q.h_min), float(q.k_min), float(q.l_min)
    nh, nk, nl = table.shape
    for w in range(n):
        h, k, l = s[H + w], s[K + w], s[L + w]
        h_below, k_below, l_below = p.floor(h), p.floor(k), p.floor(l)
        place = ((h_below - h_min) * nk + (k_below - k_min)) * nl + (l_below - l_min)
        inside = p.cubic_fits(h, h_min, nh) & p.cubic_fits(k, k_min, nk) & p.cubic_fits(l, l_min, nl) & (w < allowed)
        index[w] = np.int32(place if inside else -1.0)
        s[H_WEIGHTS + w], s[H1 + w], s[H2 + w], s[H3 + w] = p.cubic_weights(h - h_below)
        s[K_WEIGHTS + w], s[K1 + w], s[K2 + w], s[K3 + w] = p.cubic_weights(k - k_below)
        s[L_WEIGHTS + w], s[L1 + w], s[L2 + w], s[L3 + w] = p.cubic_weights(l - l_below)
    flat = table.reshape(nh * nk * nl)
    start = 0
    while start < n:
        place = index[start]
        stop = start + 1
        while stop < n and index[stop] == place:
            stop += 1
        if place >= 0:
            cubic_run(s, start, stop, flat, place, nk, nl)
        else:
            for w in range(start, stop):
                s[FCELL + w] = p.nearest_factor(s[H + w], s[K + w], s[L + w], table, h_min, k_min, l_min)
        start = stop


@inner
def cubic_run(s, start, stop, flat, place, nk, nl):
    """Interpolate for neighbouring pixels among the same 64 reflections; `place` is the first in the flat table."""
    for w in range(start, stop):
        s[FCELL + w] = 0.0
    for a in range(4):
        h_row = H_WEIGHTS + a * WIDTH
        for w in range(start, stop):
            s[TERM + w] = 0.0
        for b in range(4):
            k_row = K_WEIGHTS + b * WIDTH
            first = place + (a * nk + b) * nl
            f0, f1, f2, f3 = flat[first], flat[first + 1], flat[first + 2], flat[first + 3]
            for w in range(start, stop):
                line = p.cubic_line(s[L_WEIGHTS + w], s[L1 + w], s[L2 + w], s[L3 + w], f0, f1, f2, f3)
                s[TERM + w] += line * s[k_row + w]
        for w in range(start, stop):
            s[FCELL + w] += s[TERM + w] * s[h_row + w]


@inner
def search_strip(scene, s, n, sample):
    """Note the first sample of each pixel that trips the interpolation latch; AMPLITUDE tells which ones count."""
    q = scene.numbers[0]
    h_min, k_min, l_min = float(q.h_min), float(q.k_min), float(q.l_min)
    nh, nk, nl = scene.table.shape
    skip_empty = q.skip_empty
    for w in range(n):
        trips = (
            p.trips_latch(s[H + w], h_min, nh)
            or p.trips_latch(s[K + w], k_min, nk)
            or p.trips_latch(s[L + w], l_min, nl)
        )
        counted = s[GAIN + w] > 0.0 and s[ACTIVE + w] > 0.0 and (s[AMPLITUDE + w] != 0.0 or not skip_empty)
        if trips and counted and sample < s[FIRST + w]:
            s[FIRST + w] = sample
