"""Pictures by the code of a GPU thread, on the processor and without CUDA: one pixel after another."""

from __future__ import annotations

import functools
from concurrent.futures import ThreadPoolExecutor

import numba
import numpy as np
from numpy.typing import NDArray

from nbnumba.kernels import pixel, spot_lists
from nbnumba.kernels.cpu import spot_driver
from nbnumba.kernels.cuda import plan as cuda_plan
from nbnumba.kernels.latch import may_trip
from nbnumba.kernels.mixed import scaled_by
from nbnumba.kernels.scene import NEVER, Scene

_OPTIONS = {"nogil": True, "error_model": "numpy", "fastmath": {"contract"}}
_THREADS = 2


@functools.cache
def _compiled_sum(variant: pixel.Variant):
    run = pixel.make_sum(variant)

    @numba.njit(**_OPTIONS)
    def rows(numbers, mask, sources, orientations, weights, flat, first, last, portion, image):
        q = numbers[0]
        samples = q.layers * q.oversample * q.oversample * sources.shape[0] * (orientations.shape[0] // 9)
        state = np.full((pixel.STATE, 1), np.nan)
        for slow in range(first, last):
            for fast in range(q.fast_first, q.fast_last + 1):
                if mask.shape[0] > 0 and mask[slow, fast] == 0:
                    continue
                value = 0.0
                for start in range(0, samples, portion):
                    stop = min(start + portion, samples)
                    value, _ = run(q, sources, orientations, weights, flat, slow, fast, start, stop, state, 0)
                image[slow, fast] = value

    return rows


@functools.cache
def _compiled_search(shape: int):
    run = pixel.make_search(shape)

    @numba.njit(**_OPTIONS)
    def search(numbers, mask, sources, orientations):
        q = numbers[0]
        samples = q.layers * q.oversample * q.oversample * sources.shape[0] * (orientations.shape[0] // 9)
        for slow in range(q.slow_first, q.slow_last + 1):
            for fast in range(q.fast_first, q.fast_last + 1):
                if mask.shape[0] > 0 and mask[slow, fast] == 0:
                    continue
                found = run(q, sources, orientations, slow, fast, 0, samples)
                if found != NEVER:
                    return (slow * q.n_fast + fast) * samples + found
        return NEVER

    return search


def may_latch(scene: Scene) -> bool:
    """Tell whether a sample may switch interpolation off for the rest of the image."""
    return scene.interpolate and scene.latching and may_trip(scene)


def find_latch(scene: Scene) -> int:
    """Return the ordinal of the sample that switches interpolation off."""
    if not may_latch(scene):
        return scene.latch
    return _compiled_search(scene.shape)(scene.numbers, scene.mask, scene.sources, scene.orientations.reshape(-1))


def render(scene: Scene, mixed: bool, portion: int | None = None) -> NDArray[np.float32]:
    """Render a scene as a GPU does; `portion` samples of a pixel at a time."""
    scene = scene.replace(latch=find_latch(scene))
    variant = cuda_plan.choose_variant(scene, mixed)
    flat, power = cuda_plan.table_of(scene.flat, variant)
    scaled = scaled_by(scene, power)
    image = np.zeros((scene.n_slow, scene.n_fast), dtype=np.float32)
    rows = _compiled_sum(variant)
    portion = portion or scene.samples_per_pixel

    def draw(part: NDArray[np.int64]) -> None:
        arrays = (scaled.numbers, scaled.mask, scaled.sources, scaled.orientations.reshape(-1), scaled.weights, flat)
        if part.size:
            rows(*arrays, int(part[0]), int(part[-1]) + 1, portion, image)

    draw(np.zeros(0, dtype=np.int64))
    with ThreadPoolExecutor(_THREADS) as pool:
        list(pool.map(draw, np.array_split(np.arange(scene.slow_first, scene.slow_last + 1), 4 * _THREADS)))
    return image


@functools.cache
def _compiled_spots(variant: spot_lists.SpotVariant):
    run = pixel.make_sum(pixel.Variant(variant.shape, pixel.NEAREST), spot_lists.make_spot_terms(variant))

    @numba.njit(**_OPTIONS)
    def starts_of(counts):
        starts = np.zeros(counts.shape[0] + 1, dtype=np.int64)
        for i in range(counts.shape[0]):
            starts[i + 1] = starts[i] + counts[i]
        return starts

    @numba.njit(**_OPTIONS)
    def listed(numbers, view, sources, orientations, weights, flat, first, last):
        q = numbers[0]
        columns = np.zeros(last - first, dtype=np.int64)
        for i in range(last - first):
            columns[i] = spot_lists.columns_of_pair(q, view, sources, orientations, flat, first + i)
        starts = starts_of(columns)
        counts = np.zeros(starts[-1], dtype=np.int64)
        for i in range(counts.shape[0]):
            pair = spot_lists.last_start(starts, last - first, i)
            counts[i] = spot_lists.count_column(q, view, sources, orientations, flat, first + pair, i - starts[pair])
        places = starts_of(counts)
        spots = np.full((places[-1], spot_lists.LISTED), np.nan)
        boxes = np.zeros((4, places[-1]), dtype=np.int32)
        for i in range(counts.shape[0]):
            pair = spot_lists.last_start(starts, last - first, i)
            spot_lists.list_column(
                q, view, sources, orientations, weights, flat, first + pair, i - starts[pair], places[i], spots, boxes
            )
        return spots, boxes

    @numba.njit(**_OPTIONS)
    def ordered(boxes, rows, columns, tiles_per_row, tiles, units):
        counts = np.zeros(tiles * units, dtype=np.int64)
        spots = boxes.shape[1]
        for unit in range(units):
            first, last = spots * unit // units, spots * (unit + 1) // units
            spot_lists.count_unit(boxes, first, last, rows, columns, tiles_per_row, unit, units, counts)
        places = starts_of(counts)
        order = np.full(places[-1], -1, dtype=np.int32)
        for unit in range(units):
            first, last = spots * unit // units, spots * (unit + 1) // units
            spot_lists.order_unit(boxes, first, last, rows, columns, tiles_per_row, unit, units, places, order)
        return order, places

    @numba.njit(**_OPTIONS)
    def draw(numbers, mask, sources, orientations, weights, spots, order, places, units, rows, columns, sums):
        q = numbers[0]
        samples = q.layers * q.oversample * q.oversample * sources.shape[0] * (orientations.shape[0] // 9)
        state = np.zeros((pixel.STATE, 1))
        tiles_per_row = (q.fast_last - q.fast_first) // columns + 1
        omega = 0.0
        for slow in range(q.slow_first, q.slow_last + 1):
            for fast in range(q.fast_first, q.fast_last + 1):
                if mask.shape[0] > 0 and mask[slow, fast] == 0:
                    continue
                tile = (slow - q.slow_first) // rows * tiles_per_row + (fast - q.fast_first) // columns
                first, last = spot_lists.tile_bounds(places, tile, units)
                value, own = run(
                    q, sources, orientations, weights, (spots, order, first, last), slow, fast, 0, samples, state, 0
                )
                sums[slow, fast] += value
                omega += own
        return omega

    return listed, ordered, draw


def render_spots(
    scene: Scene, plan: spot_driver.SpotPlan, mixed: bool, rows: int = 8, columns: int = 16, units: int = 5
) -> tuple[NDArray[np.float32], float, NDArray[np.float64]]:
    """Render a scene from lists of spots as a GPU does; return image, solid angle and the spots of the last block.

    `rows` and `columns` are those of a tile, and the list is put in order by so many units.
    """
    view = plan.geometry.view
    listed, ordered, draw = _compiled_spots(
        spot_lists.SpotVariant(scene.shape, bool(view[7]), mixed, bool(scene.continuous))
    )
    n_slow, n_fast = scene.region_shape
    per_row = -(-n_fast // columns)
    tiles = per_row * -(-n_slow // rows)
    sums = np.zeros((scene.n_slow, scene.n_fast))
    omega, one = 0.0, scene
    spots = np.zeros((0, spot_lists.LISTED))
    for first in range(0, plan.pairs, plan.block):
        arrays = (one.sources, one.orientations, one.weights, one.flat)
        spots, boxes = listed(one.numbers, view, *arrays, first, min(plan.pairs, first + plan.block))
        order, places = ordered(boxes, rows, columns, per_row, tiles, units)
        omega = draw(
            one.numbers, one.mask, one.sources, one.orientations.reshape(-1), one.weights, spots, order, places, units,
            rows, columns, sums,
        )  # fmt: skip
        one = scene.replace(water_start=0.0, water_end=0.0)
    return sums.astype(np.float32), omega, spots
