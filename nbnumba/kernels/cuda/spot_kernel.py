"""The CUDA kernels of compact spots: they list them, sort them by tiles, and sum the pixels, one block a tile."""

from __future__ import annotations

import functools

import numpy as np
from numba import cuda

from .. import pixel, spot_lists
from .kernel import SIMULATED, THREADS_PER_BLOCK, kernel_of

TILE_COLUMNS = 2 if SIMULATED else 16
TILE_ROWS = THREADS_PER_BLOCK // TILE_COLUMNS
SCAN_PARTS = 8 if SIMULATED else 2048


@functools.cache
def columns_kernel():
    """Return the kernel that counts the columns of each pair."""

    def columns(numbers, view, sources, orientations, flat, first_pair, counts):
        i = cuda.grid(1)
        if i < counts.shape[0]:
            q = numbers[0]
            counts[i] = spot_lists.columns_of_pair(q, view, sources, orientations, flat, first_pair + i)

    return kernel_of(columns, "columns of pairs")


@functools.cache
def count_kernel():
    """Return the kernel that counts the spots of each column."""

    def count(numbers, view, sources, orientations, flat, first_pair, starts, counts):
        i = cuda.grid(1)
        if i < counts.shape[0]:
            pair = spot_lists.last_start(starts, starts.shape[0], i)
            counts[i] = spot_lists.count_column(
                numbers[0], view, sources, orientations, flat, first_pair + pair, i - starts[pair]
            )

    return kernel_of(count, "spots of columns", 4)  # of more blocks, most registers would be spilled


@functools.cache
def list_kernel():
    """Return the kernel that lists the spots."""

    def listed(numbers, view, sources, orientations, weights, flat, first_pair, starts, places, spots, boxes):
        i = cuda.grid(1)
        if i < places.shape[0]:
            pair = spot_lists.last_start(starts, starts.shape[0], i)
            spot_lists.list_column(
                numbers[0], view, sources, orientations, weights, flat, first_pair + pair, i - starts[pair], places[i],
                spots, boxes,
            )  # fmt: skip

    return kernel_of(listed, "list of spots", 4)


@functools.cache
def units_kernel():
    """Return the kernel that counts the spots of each unit of the list, tile by tile."""

    def count(boxes, spots, tiles_per_row, units, counts):
        unit = cuda.grid(1)
        if unit < units:
            for i in range(unit, counts.shape[0], units):
                counts[i] = 0
            spot_lists.count_unit(
                boxes, spots * unit // units, spots * (unit + 1) // units, TILE_ROWS, TILE_COLUMNS, tiles_per_row, unit,
                units, counts,
            )  # fmt: skip

    return kernel_of(count, "spots of tiles")


@functools.cache
def order_kernel():
    """Return the kernel that puts each unit of the list in order."""

    def order(boxes, spots, tiles_per_row, units, places, ordered):
        unit = cuda.grid(1)
        if unit < units:
            spot_lists.order_unit(
                boxes, spots * unit // units, spots * (unit + 1) // units, TILE_ROWS, TILE_COLUMNS, tiles_per_row, unit,
                units, places, ordered,
            )  # fmt: skip

    return kernel_of(order, "order of spots")


@functools.cache
def scan_kernels():
    """Return three kernels that replace whole numbers by the sums of those before them, one after the other.

    Of parts of the numbers: their sums; where each begins, and the sum of all; the sums within.
    """

    def parts(values, sums):
        i = cuda.grid(1)
        count = sums.shape[0] - 1
        if i < count:
            total = 0
            for j in range(values.shape[0] * i // count, values.shape[0] * (i + 1) // count):
                total += values[j]
            sums[i] = total

    def starts(sums):
        if cuda.grid(1) == 0:
            total = 0
            for i in range(sums.shape[0]):
                value = sums[i]
                sums[i] = total
                total += value

    def within(values, sums):
        i = cuda.grid(1)
        count = sums.shape[0] - 1
        if i < count:
            total = sums[i]
            for j in range(values.shape[0] * i // count, values.shape[0] * (i + 1) // count):
                value = values[j]
                values[j] = total
                total += value

    return kernel_of(parts, "scan parts"), kernel_of(starts, "scan starts"), kernel_of(within, "scan within")


@functools.cache
def draw_kernel(variant):
    """Return the kernel that sums the pixels of some tiles, one block each."""
    run = pixel.make_sum(pixel.Variant(variant.shape, pixel.NEAREST), spot_lists.make_spot_terms(variant))

    def draw_tiles(
        numbers, masked, mask, sources, orientations, weights, spots, order, places, units, first_tile, begins, ends,
        sums, image, omega,
    ):  # fmt: skip
        """Add the listed spots to the pixels; `begins` and `ends` tell the first list of an image and the last."""
        q = numbers[0]
        rows_in_all, columns_in_all = q.slow_last - q.slow_first + 1, q.fast_last - q.fast_first + 1
        tiles_per_row = (columns_in_all - 1) // TILE_COLUMNS + 1
        tile = first_tile + cuda.blockIdx.x
        row = tile // tiles_per_row * TILE_ROWS + cuda.threadIdx.x // TILE_COLUMNS
        column = tile % tiles_per_row * TILE_COLUMNS + cuda.threadIdx.x % TILE_COLUMNS
        if row >= rows_in_all or column >= columns_in_all:
            return
        slow, fast = q.slow_first + row, q.fast_first + column
        value = omega_sum = 0.0
        if not masked or mask[slow, fast] != 0:
            first, last = spot_lists.tile_bounds(places, tile, units)
            samples = q.layers * q.oversample * q.oversample * sources.shape[0] * (orientations.shape[0] // 9)
            value, omega_sum = run(
                q, sources, orientations, weights, (spots, order, first, last), slow, fast, 0, samples, sums, 0
            )
        if not begins:
            value += sums[row, column]
        if ends:
            image[row, column] = np.float32(value)
        else:
            sums[row, column] = value
        omega[row * columns_in_all + column] = omega_sum

    return kernel_of(draw_tiles, ("spots", variant), 4)
