"""Tricubic interpolation of structure factors for a strip of pixels.

Neighboring pixels mostly stand among the same 4 x 4 x 4 reflections, and so do the sub-pixels of a strip and the rows
of a chunk. The tricubic polynomial of such a cell is worked out once and kept as long as no other cell takes its place.
"""

import numpy as np

from ..jit import inner, inner_inlined
from ..physics import sample as p
from ..physics import structure_factor as look_up
from .strip import FCELL, LANES, QX, QY, QZ, SCRATCH, H, K, L

CELL_COUNT = 128  # polynomials that are kept: 64 kB
_CELLS = SCRATCH  # the place in the table of each
_POLYNOMIALS = _CELLS + CELL_COUNT  # 64 coefficients of each, and room to work one out
ROOM = _POLYNOMIALS + (CELL_COUNT + 1) * 64  # scratch and polynomials


@inner
def forget_cells(s):
    """Keep no polynomials of another table."""
    for cell in range(CELL_COUNT):
        s[_CELLS + cell] = -1.0


@inner_inlined
def run_end(index, start, n):
    """First lane after `start` whose number is another one, or n."""
    place = index[start]
    stop = start + 1
    while stop + LANES <= n:
        others = 0
        for i in range(LANES):
            others |= index[np.uint64(stop) + np.uint64(i)] ^ place  # unsigned: it cannot count from the end
        if others != 0:
            break
        stop += LANES
    while stop < n and index[np.uint64(stop)] == place:
        stop += 1
    return stop


@inner
def cell_strip(q, a, s, index, n, o, allowed):
    """Place within their cells of the first `allowed` lanes, and of the cells in the table; -1 where it does not reach.

    Fractional indices less the whole numbers below are left in H, K and L.
    """
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
        h0, k0, l0 = p.floor(h), p.floor(k), p.floor(l)
        s[H + w] = h - h0
        s[K + w] = k - k0
        s[L + w] = l - l0
        place = look_up.table_place(h0 - h_min, k0 - k_min, l0 - l_min, nk, nl)
        inside = look_up.cubic_fits(h, h_min, nh) & look_up.cubic_fits(k, k_min, nk) & look_up.cubic_fits(l, l_min, nl)
        index[w] = np.int32(place if inside & (w < allowed) else -1.0)


@inner
def cubic_strip(q, a, flat, s, index, n, o, allowed):
    """Structure factors by tricubic interpolation where the table reaches, in the first `allowed` lanes; else nearest.

    Neighboring pixels mostly stand among the same 4 x 4 x 4 reflections: a run of such pixels is computed at once.
    Uses H, K and L.
    """
    cell_strip(q, a, s, index, n, o, allowed)
    start = 0
    while start < n:
        place = index[start]
        stop = run_end(index, start, n)
        if place >= 0:
            cubic_run(s, known_cell(flat, s, place, q.nk, q.nl), start, stop)
        else:
            nearest_run(q, a, flat, s, start, stop, o)
        start = stop


@inner
def nearest_run(q, a, flat, s, start, stop, o):
    """Structure factors of the nearest reflections, lane by lane."""
    for w in range(start, stop):
        x, y, z = s[QX + w], s[QY + w], s[QZ + w]
        h = p.dot(a[o, 0], a[o, 1], a[o, 2], x, y, z)
        k = p.dot(a[o, 3], a[o, 4], a[o, 5], x, y, z)
        l = p.dot(a[o, 6], a[o, 7], a[o, 8], x, y, z)
        s[FCELL + w] = look_up.nearest_factor(h, k, l, flat, q.h_min, q.k_min, q.l_min, q.nh, q.nk, q.nl)


@inner_inlined
def transform(s, source, step, target, i):
    """Coefficients of the cubic through four numbers of one table, into another table."""
    first = source + (i if step == 16 else 4 * i)
    s[target + i], s[target + 16 + i], s[target + 32 + i], s[target + 48 + i] = look_up.cubic_coefficients(
        s[first], s[first + step], s[first + 2 * step], s[first + 3 * step]
    )


@inner
def polynomial_of_cell(flat, s, done, place, nk, nl):
    """Leave at `done` the coefficients of the tricubic polynomial among the 64 reflections from `place` on.

    Powers of k are outermost in their order, those of h innermost.
    """
    other = _POLYNOMIALS + CELL_COUNT * 64
    for line in range(16):
        first = np.uint32(place + (line // 4 * nk + line % 4) * nl)  # unsigned: it cannot count from the end
        a, b, c, d = flat[first], flat[first + np.uint32(1)], flat[first + np.uint32(2)], flat[first + np.uint32(3)]
        to = other + 4 * line
        s[to], s[to + 1], s[to + 2], s[to + 3] = a, b, c, d
    for i in range(16):
        transform(s, other, 16, done, i)
    for i in range(16):
        transform(s, done, 1, other, i)
    for i in range(16):
        transform(s, other, 1, done, i)


@inner
def known_cell(flat, s, place, nk, nl):
    """Number of the kept polynomial of the cell at `place`, which is worked out if need be."""
    cell = np.uint32(place) % np.uint32(CELL_COUNT)  # unsigned: it cannot count from the end
    if s[_CELLS + cell] != place:
        s[_CELLS + cell] = place
        polynomial_of_cell(flat, s, _POLYNOMIALS + 64 * cell, place, nk, nl)
    return cell


@inner
def cubic_run(s, cell, start, stop):
    """Interpolate for neighboring pixels in one cell.

    Whole vectors of lanes are computed: those before `start` keep what they have, those after `stop` belong to the next
    run, which overwrites them. No other function is called: 64 coefficients would be put aside for it.
    """
    polynomial = _POLYNOMIALS + 64 * np.uint32(cell)
    c0 = look_up.neighbors_on_plane(s, polynomial, 4)
    c1 = look_up.neighbors_on_plane(s, polynomial + 16, 4)
    c2 = look_up.neighbors_on_plane(s, polynomial + 32, 4)
    c3 = look_up.neighbors_on_plane(s, polynomial + 48, 4)
    first = start // LANES * LANES
    lanes = (stop - first + LANES - 1) // LANES * LANES
    before = start - first
    for i in range(lanes):
        w = np.uint32(first) + i  # unsigned: it cannot count from the end
        along_h, along_k, along_l = s[H + w], s[K + w], s[L + w]
        planes = (
            look_up.cubic_polynomial_on_plane(along_l, along_h, c0),
            look_up.cubic_polynomial_on_plane(along_l, along_h, c1),
            look_up.cubic_polynomial_on_plane(along_l, along_h, c2),
            look_up.cubic_polynomial_on_plane(along_l, along_h, c3),
        )
        f = look_up.cubic_polynomial(along_k, planes)
        kept = s[FCELL + w]
        s[FCELL + w] = f if i >= before else kept
