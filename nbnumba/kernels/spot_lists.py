"""Compact spots as a GPU draws them: what one thread does to list them, to sort them by tiles, and to sum a pixel.

The spots of some pairs of source and orientation are counted column by column, one thread for each h and k of a pair,
and then listed where the counts before it say: the list is that of `cpu.spots`, in the same order. Tiles are small, one
block of threads each. Units, ranges of the list, are counted and put in order tile by tile in the same way. Nothing is
added up by several threads, so that an image is the same each time. Nothing here is about CUDA: the functions compile
for the processor too.
"""

from typing import NamedTuple

import numpy as np

from .cpu.spots import find_spot, form_of, open_column, opened_pair, stepped
from .jit import inner
from .physics import functions
from .physics import sample as p
from .physics import spot as geometry
from .physics.intrinsics import power_of_two
from .scene import GAUSS

# Of a spot: M, M q of its middle, peak, where it ends, its pair, h k l, its bend.
M, C, HEIGHT, END, PAIR, HKL, BEND = 0, 9, 12, 13, 14, 15, 18
LISTED = 21
_VANISHED = 700.0  # beyond it exp(-x) is nothing, and its power of two is no normal number


class SpotVariant(NamedTuple):
    """What the sum over spots is compiled for."""

    shape: int
    crowded: bool  # spots overlap their neighbors
    single: bool  # mixed precision: the Gaussian itself is float32
    bent: bool  # spots in closed form, which follow a sphere


@inner
def last_start(starts, count, place):
    """The last of `count` ascending starts that is not above a place."""
    low, high = 0, count - 1
    while low < high:
        middle = (low + high + 1) // 2
        if starts[middle] <= place:
            low = middle
        else:
            high = middle - 1
    return low


@inner
def columns_of_pair(q, view, sources, orientations, flat, pair):
    """Number of columns, pairs of h and k, that a pair of source and orientation is asked for."""
    box = opened_pair(q, view, sources, orientations, flat[0] == 0.0, pair)[3]
    return max(0, box[1] - box[0] + 1) * max(0, box[3] - box[2] + 1)


@inner
def count_column(q, view, sources, orientations, flat, pair, column):
    """Number of spots of one column of a pair."""
    opened = opened_pair(q, view, sources, orientations, flat[0] == 0.0, pair)
    h1, k1, width = opened[3][0], opened[3][2], opened[3][3] - opened[3][2] + 1
    h, k = h1 + column // width, k1 + column % width
    l, l_last, middle, skipped = open_column(opened, h, k)
    found = 0
    while l <= l_last:
        l = stepped(l, middle, skipped)
        if l > l_last:
            break
        found += find_spot(q, view, flat, opened, h, k, l)[0]
        l += 1
    return found


@inner
def list_column(q, view, sources, orientations, weights, flat, pair, column, place, spots, boxes):
    """Enter the spots of one column of a pair, from a place of the list on.

    Parameters
    ----------
    spots : (n, LISTED)
    boxes : (4, n) int32
        First and last column and row, counted from the region's first.
    """
    opened = opened_pair(q, view, sources, orientations, flat[0] == 0.0, pair)
    (k0, ix, iy, iz), m, _, box, _ = opened
    width = box[3] - box[2] + 1
    h, k = box[0] + column // width, box[2] + column % width
    l, l_last, middle, skipped = open_column(opened, h, k)
    while l <= l_last:
        l = stepped(l, middle, skipped)
        if l > l_last:
            break
        seen, x, y, z, f, root, left, right, bottom, top = find_spot(q, view, flat, opened, h, k, l)
        if seen:
            x, y, z = x - ix, y - iy, z - iz
            form, gain, bend = form_of(q, view, m, k0, x, y, z)
            closer = 1.0 - bend[0]
            for i in range(9):
                spots[place, M + i] = form[i]
            for i in range(3):
                spots[place, C + i] = (form[3 * i] * x + form[3 * i + 1] * y + form[3 * i + 2] * z) * closer
            spots[place, BEND], spots[place, BEND + 1], spots[place, BEND + 2] = bend[1], bend[2], bend[3]
            amplitude = f * q.spot_height
            spots[place, HEIGHT] = amplitude * amplitude * gain * weights[pair % orientations.shape[0]]
            spots[place, END] = root * root
            spots[place, PAIR] = pair
            spots[place, HKL], spots[place, HKL + 1], spots[place, HKL + 2] = h, k, l
            boxes[0, place], boxes[1, place] = left - q.fast_first, right - q.fast_first
            boxes[2, place], boxes[3, place] = bottom - q.slow_first, top - q.slow_first
            place += 1
        l += 1


@inner
def count_unit(boxes, first, last, rows, columns, tiles_per_row, unit, units, counts):
    """Count the spots first to last - 1, a unit of the list, in the tiles that they touch.

    Parameters
    ----------
    rows, columns : int
        Of a tile.
    counts : (tiles * units,) int
        Of every tile and, innermost, unit; increased.
    """
    for i in range(first, last):
        for row in range(boxes[2, i] // rows, boxes[3, i] // rows + 1):
            for column in range(boxes[0, i] // columns, boxes[1, i] // columns + 1):
                counts[(row * tiles_per_row + column) * units + unit] += 1


@inner
def order_unit(boxes, first, last, rows, columns, tiles_per_row, unit, units, places, order):
    """Enter a unit of the list in the order by tiles; places, those of `count_unit`'s counts, move on."""
    for i in range(first, last):
        for row in range(boxes[2, i] // rows, boxes[3, i] // rows + 1):
            for column in range(boxes[0, i] // columns, boxes[1, i] // columns + 1):
                at = (row * tiles_per_row + column) * units + unit
                order[places[at]] = i
                places[at] += 1


@inner
def tile_bounds(places, tile, units):
    """First and last + 1 of a tile in the order, when all places have moved on."""
    return places[tile * units - 1] if tile > 0 else 0, places[tile * units + units - 1]


def make_spot_terms(variant):
    """Compile the sum over the listed spots of one source, in place of the sum over all orientations of `pixel`."""
    single, crowded, gauss, bent = variant.single, variant.crowded, variant.shape == GAUSS, variant.bent

    @inner
    def falloff(squared):
        if not single:
            return functions.exp_negative(squared)
        n, r = functions.exp_parts(squared if squared < _VANISHED else _VANISHED)
        return np.float64(functions.exp_of_rest(np.float32(r))) * power_of_two(np.int64(n), r)

    @inner
    def run(q, source, orientations, weights, lists, begin, end, qx, qy, qz, ordinal, total, carry, factor):
        """Add terms to a sum; see `pixel.make_sum_orientations`.

        `lists` are the spots, their order, and where this pixel's tile begins and ends in it.
        """
        spots, order, first, last = lists
        count = orientations.shape[0] // 9
        at, high = first, last
        while at < high:
            middle = (at + high) // 2
            if spots[order[middle], PAIR] < source * count:
                at = middle + 1
            else:
                high = middle
        stop = (source + 1) * count
        while at < last:
            i = order[at]
            if spots[i, PAIR] >= stop:
                break
            at += 1
            if crowded:
                o, t = (int(spots[i, PAIR]) - source * count) * 9, q.triangle
                h = p.dot(orientations[o], orientations[o + 1], orientations[o + 2], qx, qy, qz)
                k = p.dot(orientations[o + 3], orientations[o + 4], orientations[o + 5], qx, qy, qz)
                l = p.dot(orientations[o + 6], orientations[o + 7], orientations[o + 8], qx, qy, qz)
                h0, k0, l0 = spots[i, HKL], spots[i, HKL + 1], spots[i, HKL + 2]
                if (
                    functions.nearest_index(h) != h0
                    or functions.nearest_index(k) != k0
                    or functions.nearest_index(l) != l0
                ):
                    continue
                squared = p.spot_radius_squared(
                    h - h0, k - k0, l - l0, t[0], t[1], t[2], t[3], t[4], t[5], q.spot_scale * q.spot_stretch
                )
            else:
                r0 = spots[i, M] * qx + spots[i, M + 1] * qy + (spots[i, M + 2] * qz - spots[i, C])
                r1 = spots[i, M + 3] * qx + spots[i, M + 4] * qy + (spots[i, M + 5] * qz - spots[i, C + 1])
                r2 = spots[i, M + 6] * qx + spots[i, M + 7] * qy + (spots[i, M + 8] * qz - spots[i, C + 2])
                if bent:
                    squared = geometry.bent(r0, r1, r2, spots[i, BEND], spots[i, BEND + 1], spots[i, BEND + 2])
                else:
                    squared = r0 * r0 + r1 * r1 + r2 * r2
            if not gauss:
                total += p.lattice_intensity_tophat(squared, spots[i, HEIGHT])
            elif squared < spots[i, END]:
                total += spots[i, HEIGHT] * falloff(squared)
        return total, carry

    return run
