"""Pictures by the code of a GPU thread, on the processor: one pixel after another, without CUDA."""

from __future__ import annotations

import functools
from concurrent.futures import ThreadPoolExecutor

import numba
import numpy as np
from nbnumba.kernels import cuda_plan, pixel
from nbnumba.kernels.packing import pack
from nbnumba.scene import NEVER, Scene
from numpy.typing import NDArray


@functools.cache
def _compiled_sum(variant: pixel.Variant):
    run = pixel.make_sum(variant)

    @numba.njit(nogil=True, error_model="numpy", fastmath={"contract"})
    def rows(numbers, mask, sources, orientations, flat, first, last, portion, image):
        q = numbers[0]
        samples = q.layers * q.oversample * q.oversample * sources.shape[0] * (orientations.shape[0] // 9)
        state = np.full((pixel.STATE, 1), np.nan)
        for slow in range(first, last):
            for fast in range(q.fast_first, q.fast_last + 1):
                if mask.shape[0] > 0 and mask[slow, fast] == 0:
                    continue
                for start in range(0, samples, portion):
                    stop = min(start + portion, samples)
                    value, _ = run(q, sources, orientations, flat, slow, fast, start, stop, state, 0)
                image[slow, fast] = value

    return rows


@functools.cache
def _compiled_search(shape: int):
    run = pixel.make_search(shape)

    @numba.njit(nogil=True, error_model="numpy", fastmath={"contract"})
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


def find_latch(scene: Scene) -> int:
    """Return the ordinal of the sample that switches interpolation off."""
    if not (scene.interpolate and scene.latching):
        return NEVER
    packed = pack(scene)
    return _compiled_search(scene.shape)(
        packed.numbers, packed.mask, packed.sources, packed.orientations.reshape(-1)
    )


def render(scene: Scene, mixed: bool, portion: int | None = None) -> NDArray[np.float32]:
    """Render a scene as a GPU does; `portion` samples of a pixel at a time."""
    scene = scene._replace(latch=find_latch(scene))
    variant = cuda_plan.choose_variant(scene, mixed)
    packed = cuda_plan.pack_for(scene, *cuda_plan.table_of(scene, variant))
    image = np.zeros((scene.n_slow, scene.n_fast), dtype=np.float32)
    arrays = (packed.numbers, packed.mask, packed.sources, packed.orientations.reshape(-1), packed.flat)
    rows = _compiled_sum(variant)
    rows(*arrays, 0, 0, 1, image)
    middle = (scene.slow_first + scene.slow_last + 1) // 2
    with ThreadPoolExecutor(2) as pool:
        parts = [(scene.slow_first, middle), (middle, scene.slow_last + 1)]
        list(pool.map(lambda part: rows(*arrays, *part, portion or scene.samples_per_pixel, image), parts))
    return image
