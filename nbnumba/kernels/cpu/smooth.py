"""Strips of a flat panel in mixed precision: what varies smoothly along a strip is worked out at eight places of it.

Directions, solid angles and other factors of these places come from the same functions as those of pixels; polynomials
through them serve all pixels (`nodes`). `single_scene.smooth_width` tells how wide a strip may be.
"""

import numpy as np

from ..jit import borrowed, inner, inner_inlined, kernel
from ..physics import fixed_point as fixed
from ..physics import sample as p
from ..physics.intrinsics import float_of
from . import mixed
from .kernel import activate_strip, open_place, place_of_strip, polarize, prepare
from .mixed import OFFSET_H, OFFSET_K, OFFSET_L, PLACE, REST_H, REST_K, REST_L, TERMS
from .nodes import (
    CONSTANT,
    COUNT,
    NODES,
    coefficients,
    expand,
    fit,
    lay_nodes,
    node_count,
    place_nodes,
    polynomial,
)
from .strip import (
    ACTIVE,
    DX,
    DY,
    DZ,
    EVALUATED,
    FOURTH,
    GAIN,
    OMEGA_SUM,
    POWERS,
    QX,
    SQUARE,
    SUM,
    TOTAL,
    UNIT,
    WIDTH,
    H,
    K,
    L,
    fill,
    finish_strip,
    is_bounded,
    total_omega,
    weigh_strip,
)
from .whole_strip import is_dark, middle_of_strip

FEW_ORIENTATIONS = 2  # up to which indices are expanded themselves, and not the scattering vector

# Polynomials after the sums of powers: of direction, scattering vector and indices, three each, and of a factor
_DX, _QX, _H, _FACTOR = (POWERS + i * NODES for i in (1, 4, 7, 10))
# Numbers after the rows of `mixed` and their count of nodes
_FIRST, _LANES, _TERMS = (COUNT + 1 + i for i in range(3))
SINGLES = COUNT + 4


@inner
def scattering_powers(sources, source, s, n):
    """The polynomials of the scattering vector for one source, from those of the direction."""
    scale = sources[source, 3]
    x, y, z = sources[source, 0] * scale, sources[source, 1] * scale, sources[source, 2] * scale
    for k in range(n):
        s[_QX + k] = s[_DX + k] * scale - x * CONSTANT[k]
        s[_QX + NODES + k] = s[_DX + NODES + k] * scale - y * CONSTANT[k]
        s[_QX + 2 * NODES + k] = s[_DX + 2 * NODES + k] * scale - z * CONSTANT[k]


@inner
def index_powers(a, s, n, o, of):
    """The polynomials of the products of a, b and c of an orientation with a vector, whose polynomials are at `of`."""
    ax, ay, az, bx, by, bz = a[o, 0], a[o, 1], a[o, 2], a[o, 3], a[o, 4], a[o, 5]
    cx, cy, cz = a[o, 6], a[o, 7], a[o, 8]
    for k in range(n):
        x, y, z = s[of + k], s[of + NODES + k], s[of + 2 * NODES + k]
        s[_H + k] = p.dot(ax, ay, az, x, y, z)
        s[_H + NODES + k] = p.dot(bx, by, bz, x, y, z)
        s[_H + 2 * NODES + k] = p.dot(cx, cy, cz, x, y, z)


@inner_inlined
def index_strip(q, s, numbers, first, n, fine):
    """Offsets and places of `mixed.fixed_strip`, from polynomials of the indices.

    One axis after the other: there are not enough registers for the coefficients of all of them.
    """
    nk, nl = np.uint32(q.nk), np.uint32(q.nl)
    at = s[first:]
    powers, origin, last = coefficients(s, _H), fixed.fixed_origin(float(q.h_min)), np.uint32(q.nh - 1)
    for w in range(n):
        h = polynomial(powers, at[UNIT + w], at[SQUARE + w], at[FOURTH + w])
        place = mixed.reduce_index(numbers, OFFSET_H + w, REST_H + w, h, origin, last, fine)
        numbers[PLACE + w] = np.int32(place)
    powers, origin, last = coefficients(s, _H + NODES), fixed.fixed_origin(float(q.k_min)), np.uint32(q.nk - 1)
    for w in range(n):
        k = polynomial(powers, at[UNIT + w], at[SQUARE + w], at[FOURTH + w])
        place = mixed.reduce_index(numbers, OFFSET_K + w, REST_K + w, k, origin, last, fine)
        numbers[PLACE + w] = np.int32(np.uint32(np.uint32(np.uint32(numbers[PLACE + w]) * nk) + place))
    powers, origin, last = coefficients(s, _H + 2 * NODES), fixed.fixed_origin(float(q.l_min)), np.uint32(q.nl - 1)
    for w in range(n):
        l = polynomial(powers, at[UNIT + w], at[SQUARE + w], at[FOURTH + w])
        place = mixed.reduce_index(numbers, OFFSET_L + w, REST_L + w, l, origin, last, fine)
        numbers[PLACE + w] = np.int32(np.uint32(np.uint32(np.uint32(numbers[PLACE + w]) * nl) + place))


@inner
def coarse_index_strip(q, s, numbers, first, n):
    """`index_strip` for few cells along each axis."""
    index_strip(q, s, numbers, first, n, False)


@inner
def fine_index_strip(q, s, numbers, first, n):
    """`index_strip` for any number of cells."""
    index_strip(q, s, numbers, first, n, True)


@inner_inlined
def shifted_strip(q, sources, source, a, s, numbers, n, fine):
    """Offsets and places of `mixed.fixed_strip`, from the products of a, b and c with the direction in H, K and L."""
    ix, iy, iz, scale = sources[source, 0], sources[source, 1], sources[source, 2], sources[source, 3]
    h_shift = p.dot(a[0, 0], a[0, 1], a[0, 2], ix, iy, iz) * scale
    k_shift = p.dot(a[0, 3], a[0, 4], a[0, 5], ix, iy, iz) * scale
    l_shift = p.dot(a[0, 6], a[0, 7], a[0, 8], ix, iy, iz) * scale
    table = mixed.table_of(q)
    for w in range(n):
        mixed.reduce_indices(
            table, numbers, w, s[H + w] * scale - h_shift, s[K + w] * scale - k_shift, s[L + w] * scale - l_shift, fine
        )


@inner
def coarse_shifted_strip(q, sources, source, a, s, numbers, n):
    """`shifted_strip` for few cells along each axis."""
    shifted_strip(q, sources, source, a, s, numbers, n, False)


@inner
def fine_shifted_strip(q, sources, source, a, s, numbers, n):
    """`shifted_strip` for any number of cells."""
    shifted_strip(q, sources, source, a, s, numbers, n, True)


@inner_inlined
def lanes_of(numbers):
    """First lane that may have a structure factor, and how many lanes there are from it on."""
    return np.int64(numbers[_FIRST]), np.int64(numbers[_LANES])


@inner
def flush_terms(q, s, numbers, weight):
    """Add up what is in the float32 sums, times the factor of the source, and clear them."""
    first, n = lanes_of(numbers)
    at = s[first:]
    if q.plain:
        for w in range(n):
            at[TOTAL + w] += float_of(numbers[TERMS + w])
    else:
        factor = coefficients(s, _FACTOR)
        for w in range(n):
            gain = polynomial(factor, at[UNIT + w], at[SQUARE + w], at[FOURTH + w])
            at[TOTAL + w] += weight * gain * float_of(numbers[TERMS + w])
    for w in range(n):
        numbers[TERMS + w] = 0
    numbers[_TERMS] = 0


@inner
def expand_place(orientations, n_sources, s, numbers, n):
    """Polynomials of the direction at the place that is open; for a single orientation also its products with a, b, c.

    Of these every source needs a multiple, less a constant.
    """
    first, lanes = lanes_of(numbers)
    fit(s, n, DX, _DX)
    fit(s, n, DY, _DX + NODES)
    fit(s, n, DZ, _DX + 2 * NODES)
    if orientations.shape[0] == 1 and n_sources > 1:
        index_powers(orientations, s, n, 0, _DX)
        expand(s, first, lanes, _H, H)


@inner
def add_terms(q, sources, source, orientations, weights, flat, s, numbers, n):
    """Add the terms of square crystals at the place that is open for one source; `flat` is float32."""
    first, lanes = lanes_of(numbers)
    Na, Nb, Nc = p.cells_along_axes(q)
    fine = max(Na, Nb, Nc) > fixed.MOST_CELLS_COARSE
    Na, Nb, Nc = np.int32(Na), np.int32(Nb), np.int32(Nc)
    plain = q.plain
    expanded = orientations.shape[0] == 1 and sources.shape[0] > 1
    few = orientations.shape[0] <= FEW_ORIENTATIONS
    if not expanded:
        scattering_powers(sources, source, s, n)
        if not few:
            expand(s, first, lanes, _QX, QX)
    part = s[first:]
    weight = weights[0]
    for o in range(orientations.shape[0]):
        if expanded:
            if fine:
                fine_shifted_strip(q, sources, source, orientations, part, numbers, lanes)
            else:
                coarse_shifted_strip(q, sources, source, orientations, part, numbers, lanes)
        elif few:
            index_powers(orientations, s, n, o, _QX)
            if fine:
                fine_index_strip(q, s, numbers, first, lanes)
            else:
                coarse_index_strip(q, s, numbers, first, lanes)
        elif fine:
            mixed.fine_strip(q, orientations, part, numbers, lanes, o)
        else:
            mixed.coarse_strip(q, orientations, part, numbers, lanes, o)
        if not mixed.gather_strip(flat, numbers, lanes):
            continue
        if numbers[_TERMS] == mixed.MOST_TERMS or (weights[o] != weight and not plain):
            flush_terms(q, s, numbers, weight)
        weight = weights[o]
        if fine:
            mixed.fine_square_strip(numbers, lanes, Na, Nb, Nc)
        else:
            mixed.coarse_square_strip(numbers, lanes, Na, Nb, Nc)
        numbers[_TERMS] += 1
        s[EVALUATED] += 1.0
    if not plain:
        flush_terms(q, s, numbers, weight)


@inner
def sum_strip(q, sources, orientations, weights, flat, s, numbers, slow, fast):
    """Run the sum of one strip, in the order of `kernel.sum_strip`."""
    n = node_count(numbers)
    subs = q.oversample * q.oversample
    prepare(q, s, n)
    unpolarized = q.polarized
    for layer in range(q.layers):
        for sub in range(subs):
            open_place(place_nodes, q, s, n, slow, fast, layer, sub)
            expand_place(orientations, sources.shape[0], s, numbers, n)
            for source in range(sources.shape[0]):
                if q.polarized:
                    unpolarized = polarize(q, sources, s, n, source, False, unpolarized)
                if not q.plain:
                    fill(s, GAIN, n, 1.0)
                    weigh_strip(q, s, n, sources[source, 4])
                    fit(s, n, GAIN, _FACTOR)
                add_terms(q, sources, source, orientations, weights, flat, s, numbers, n)


@inner
def open_strip(q, s, numbers, slow, fast, pixels, middle):
    """Empty the sums of a strip, and find the pixels that may have a structure factor, in whole vectors.

    Those of float32 are empty from the start, and after each strip.
    """
    first, stop = lanes_in_reach(q, slow, fast, pixels, middle)
    numbers[_FIRST], numbers[_LANES], numbers[_TERMS] = first, stop - first, 0
    fill(s, TOTAL, WIDTH, 0.0)
    s[EVALUATED] = 0.0


@inner
def lanes_in_reach(q, slow, fast, pixels, middle):
    """First lane, and that after the last one, for which some source may have a structure factor; 0 and 0 if none.

    `middle` is the `middle_of_strip`.
    """
    every = (pixels + mixed.LANES - 1) // mixed.LANES * mixed.LANES
    if not is_bounded(q):
        return 0, every
    x, y, z, turn = middle
    least, most = q.chord_least, q.chord_most
    mx, my, mz = q.middle[0], q.middle[1], q.middle[2]
    if p.chord_in_range(x, y, z, mx, my, mz, least + turn, most - turn, 0.0):  # not only some of them
        return 0, every
    first, stop = every, 0
    for lane in range(0, every, mixed.LANES):
        x, y, z, turn = middle_of_strip(q, slow, fast + lane, mixed.LANES)
        if p.chord_in_range(x, y, z, mx, my, mz, least, most, turn):
            first, stop = min(first, lane), lane + mixed.LANES
    return min(first, stop), stop


@inner
def store_sums(q, s, numbers, masked, pixels, row):
    """Put the sums of a strip into the image [photons], which is 0."""
    first, lanes = lanes_of(numbers)
    n = node_count(numbers)
    if numbers[_TERMS] > 0:
        flush_terms(q, s, numbers, 1.0)
    fill(s, SUM, n, 1.0)
    finish_strip(q, s, n)
    fit(s, n, SUM, _FACTOR)
    factor = coefficients(s, _FACTOR)
    live, at, pixel = min(lanes, pixels - first), s[first:], row[first:]
    for w in range(live):
        photons = at[TOTAL + w] * polynomial(factor, at[UNIT + w], at[SQUARE + w], at[FOURTH + w])
        pixel[w] = np.float32(photons)
    if masked:
        for w in range(live):
            pixel[w] = pixel[w] if at[ACTIVE + w] > 0.0 else np.float32(0.0)


@inner
def sum_of_solid_angles(s, numbers, every, width):
    """Sum of the solid angles of all pixels of a strip, or of those that are active."""
    n = node_count(numbers)
    fit(s, n, OMEGA_SUM, _FACTOR)
    omega = coefficients(s, _FACTOR)
    if every:
        total = 0.0
        for k in range(NODES):
            total += omega[k] * s[POWERS + k]
        return total
    for w in range(width):
        s[OMEGA_SUM + w] = polynomial(omega, s[UNIT + w], s[SQUARE + w], s[FOURTH + w])
    return total_omega(s, width)


@kernel
def render_smooth(scene, scratch, numbers, image, tallies, first, last, strips_per_row, width):
    """Render strips of square crystals whose factors are smooth, in mixed precision; the scene's table is float32."""
    q = scene.numbers[0]
    mask, sources, orientations = borrowed(scene.mask), borrowed(scene.sources), borrowed(scene.orientations)
    weights, flat = borrowed(scene.weights), borrowed(scene.flat)
    s, index = borrowed(scratch), borrowed(numbers)
    masked = mask.shape[0] > 0
    lay_nodes(s, index, width)
    for strip in range(first, last):
        slow, fast, pixels = place_of_strip(q, strip, strips_per_row, width)
        every = not masked and pixels == width
        if not every and not activate_strip(mask, s, width, pixels, slow, fast):
            continue
        middle = middle_of_strip(q, slow, fast, pixels)
        if is_dark(q, middle):  # the image is 0 there
            prepare(q, s, NODES)
            open_place(place_nodes, q, s, node_count(index), slow, fast, 0, 0)
        else:
            open_strip(q, s, index, slow, fast, pixels, middle)
            sum_strip(q, sources, orientations, weights, flat, s, index, slow, fast)
            store_sums(q, s, index, masked, pixels, image[slow, fast : fast + pixels])
            tallies[strip, 1] = s[EVALUATED] * pixels
        tallies[strip, 0] = sum_of_solid_angles(s, index, every, width)
