"""Pictures by the code of a GPU thread, on the processor and without CUDA: one pixel after another."""

from __future__ import annotations

import functools
from concurrent.futures import ThreadPoolExecutor

import numba
import numpy as np
from numpy.typing import NDArray

from nbnumba.kernels import pixel
from nbnumba.kernels.cuda import plan as cuda_plan
from nbnumba.kernels.latch import may_trip
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
    scaled = cuda_plan.scaled_by(scene, power)
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
