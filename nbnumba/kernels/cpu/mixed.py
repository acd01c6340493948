"""The sum over the orientations of one source in mixed precision, for square crystals.

Indices are worked out in float64 and reduced in fixed point (`physics.fixed_point`). What follows is float32, in
vectors of twice as many pixels, up to sums of a few terms; those of a pixel are float64.
"""

import numpy as np

from ..jit import inner, inner_inlined
from ..physics import fixed_point as fixed
from ..physics import functions
from ..physics import sample as p
from ..physics.intrinsics import bits_of, float_of
from ..scene import FLAT
from .strip import DX, DY, DZ, EVALUATED, INVERSE, PART, QX, QY, QZ, SUM, WIDTH, lanes_in_range, place_strip
from .whole_strip import position

LANES = 16  # of a vector of float32
# Rows of 32-bit numbers. A multiple of LANES, and no power of two: see `strip`.
SINGLE_STRIDE = WIDTH + LANES
PLACE, OFFSET_H, OFFSET_K, OFFSET_L, REST_H, REST_K, REST_L, FCELL, TERMS = (i * SINGLE_STRIDE for i in range(9))
SINGLES = 9 * SINGLE_STRIDE
MOST_TERMS = 8  # that are added in float32


@inner
def place_strip_fused(q, s, n, slow, fast, sub_slow, sub_fast, layer):
    """Diffracted direction and inverse distance, as `place_strip`, but for the last digits."""
    if q.surface != FLAT:
        place_strip(q, s, n, slow, fast, sub_slow, sub_fast, layer)
        return
    along_fast = p.subpixel_center(fast, sub_fast, q.oversample, q.pixel_fast)
    along_slow = p.subpixel_center(slow, sub_slow, q.oversample, q.pixel_slow)
    depth, pixel = layer * q.layer_step, q.pixel_fast
    first_x, first_y, first_z, _ = position(q, along_fast, along_slow, depth)
    step_x, step_y, step_z = pixel * q.fast[0], pixel * q.fast[1], pixel * q.fast[2]
    for w in range(n):
        x, y, z = first_x + w * step_x, first_y + w * step_y, first_z + w * step_z
        inverse = functions.inverse_sqrt_medium(p.dot(x, y, z, x, y, z))
        s[INVERSE + w] = inverse
        s[DX + w] = x * inverse
        s[DY + w] = y * inverse
        s[DZ + w] = z * inverse


@inner_inlined
def reduce_index(numbers, offset, rest, index, origin, last, fine):
    """Keep the offset of an index from the nearest reflection in fixed point; return its place along the axis.

    `offset` and `rest` are where in `numbers` they go; the second counts if `fine`.
    """
    bits = fixed.fixed_index(index, origin)
    numbers[offset] = np.int32(bits)
    if fine:
        numbers[rest] = bits_of(fixed.fixed_rest(index, bits, origin))
    return fixed.fixed_place(bits, last)


@inner_inlined
def table_of(q):
    """What tells the place of a reflection in the table: origins of the indices, last places, and sizes."""
    return (
        fixed.fixed_origin(float(q.h_min)),
        fixed.fixed_origin(float(q.k_min)),
        fixed.fixed_origin(float(q.l_min)),
        np.uint32(q.nh - 1),
        np.uint32(q.nk - 1),
        np.uint32(q.nl - 1),
        np.uint32(q.nk),
        np.uint32(q.nl),
    )


@inner_inlined
def reduce_indices(table, numbers, w, h, k, l, fine):
    """Offsets of pixel w from the nearest reflection in fixed point, and its place in the table."""
    h_origin, k_origin, l_origin, h_last, k_last, l_last, nk, nl = table
    in_h = reduce_index(numbers, OFFSET_H + w, REST_H + w, h, h_origin, h_last, fine)
    in_k = reduce_index(numbers, OFFSET_K + w, REST_K + w, k, k_origin, k_last, fine)
    in_l = reduce_index(numbers, OFFSET_L + w, REST_L + w, l, l_origin, l_last, fine)
    row = np.uint32(np.uint32(in_h * nk) + in_k)
    numbers[PLACE + w] = np.int32(np.uint32(np.uint32(row * nl) + in_l))


@inner_inlined
def fixed_strip(q, a, s, numbers, n, o, fine):
    """Offsets from the nearest reflection of orientation o in fixed point, and its place in the table."""
    ax, ay, az, bx, by, bz = a[o, 0], a[o, 1], a[o, 2], a[o, 3], a[o, 4], a[o, 5]
    cx, cy, cz = a[o, 6], a[o, 7], a[o, 8]
    table = table_of(q)
    for w in range(n):
        x = s[QX + w]
        y = s[QY + w]
        z = s[QZ + w]
        h = p.dot(ax, ay, az, x, y, z)
        k = p.dot(bx, by, bz, x, y, z)
        l = p.dot(cx, cy, cz, x, y, z)
        reduce_indices(table, numbers, w, h, k, l, fine)


@inner
def coarse_strip(q, a, s, numbers, n, o):
    """`fixed_strip` for few cells along each axis."""
    fixed_strip(q, a, s, numbers, n, o, False)


@inner
def fine_strip(q, a, s, numbers, n, o):
    """`fixed_strip` for any number of cells."""
    fixed_strip(q, a, s, numbers, n, o, True)


@inner_inlined
def gather_strip(flat, numbers, n):
    """Structure factors of the nearest reflections; tell whether any is not zero."""
    found = np.int32(0)
    for w in range(n):
        f = bits_of(flat[np.uint32(numbers[PLACE + w])])
        numbers[FCELL + w] = f
        found |= f
    return found != 0


@inner_inlined
def square_strip(numbers, n, Na, Nb, Nc, fine):
    """Add the squares of F_cell F_latt of a parallelepiped crystal."""
    cells_a, cells_b, cells_c = np.float32(Na), np.float32(Nb), np.float32(Nc)
    for w in range(n):
        h = fixed.fixed_offset(numbers[OFFSET_H + w])
        k = fixed.fixed_offset(numbers[OFFSET_K + w])
        l = fixed.fixed_offset(numbers[OFFSET_L + w])
        dh, turned_h = np.float32(h), np.float32(fixed.fixed_turns(h, Na))
        dk, turned_k = np.float32(k), np.float32(fixed.fixed_turns(k, Nb))
        dl, turned_l = np.float32(l), np.float32(fixed.fixed_turns(l, Nc))
        if fine:
            rest_h, rest_k, rest_l = (
                float_of(numbers[REST_H + w]),
                float_of(numbers[REST_K + w]),
                float_of(numbers[REST_L + w]),
            )
            dh, turned_h = dh + rest_h, turned_h + cells_a * rest_h
            dk, turned_k = dk + rest_k, turned_k + cells_b * rest_k
            dl, turned_l = dl + rest_l, turned_l + cells_c * rest_l
        amplitude = float_of(numbers[FCELL + w]) * fixed.lattice_ratio_of_units(
            dh, dk, dl, turned_h, turned_k, turned_l
        )
        numbers[TERMS + w] = bits_of(float_of(numbers[TERMS + w]) + amplitude * amplitude)


@inner
def coarse_square_strip(numbers, n, Na, Nb, Nc):
    """`square_strip` for few cells along each axis."""
    square_strip(numbers, n, Na, Nb, Nc, False)


@inner
def fine_square_strip(numbers, n, Na, Nb, Nc):
    """`square_strip` for any number of cells."""
    square_strip(numbers, n, Na, Nb, Nc, True)


@inner_inlined
def flush_terms(s, numbers, n, plain, weight):
    """Add the sum of terms of one weight to that of the pixel, or weighted to the source's part of it, and clear it.

    Terms are 0 from the start, and after each source.
    """
    if plain:
        for w in range(n):
            s[SUM + w] += float_of(numbers[TERMS + w])
    else:
        for w in range(n):
            s[PART + w] += weight * float_of(numbers[TERMS + w])
    for w in range(n):
        numbers[TERMS + w] = 0


@inner
def sum_mixed(q, orientations, weights, flat, s, numbers, n, first_pixel, first_sample, samples):
    """Add the terms of square crystals; `flat` is float32."""
    plain = q.plain
    Na, Nb, Nc = p.cells_along_axes(q)
    fine = max(Na, Nb, Nc) > fixed.MOST_CELLS_COARSE
    Na, Nb, Nc = np.int32(Na), np.int32(Nb), np.int32(Nc)
    first, stop = lanes_in_range(q, s, n, LANES)
    if first == stop:
        return
    lanes = stop - first
    part = s[first:]
    evaluated = terms = 0
    weight = weights[0]
    for o in range(orientations.shape[0]):
        if fine:
            fine_strip(q, orientations, part, numbers, lanes, o)
        else:
            coarse_strip(q, orientations, part, numbers, lanes, o)
        if not gather_strip(flat, numbers, lanes):
            continue
        if terms == MOST_TERMS or weights[o] != weight:
            flush_terms(part, numbers, lanes, plain, weight)
            terms, weight = 0, weights[o]
        if fine:
            fine_square_strip(numbers, lanes, Na, Nb, Nc)
        else:
            coarse_square_strip(numbers, lanes, Na, Nb, Nc)
        terms += 1
        evaluated += n
    flush_terms(part, numbers, lanes, plain, weight)
    s[EVALUATED] += evaluated
