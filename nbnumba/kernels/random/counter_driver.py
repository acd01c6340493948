"""Draws photon counts on all threads of the processor: each pixel's depends on nothing but its own mean and number."""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from . import counter_rows

if TYPE_CHECKING:
    from ..types import Progress

_PIXELS_PER_BLOCK = 2**17  # about 0.02 s


def draw(
    mean: NDArray[np.float32],
    region: tuple[int, int, int, int],
    adc: float,
    seed: int,
    image_number: int,
    threads: int,
    progress: Progress | None,
    dtype: str,
) -> tuple[NDArray[np.uint16] | NDArray[np.int32], float, int]:
    """Draw photon counts; see `nbnumba.kernels.draw_noise`."""
    fast_min, fast_max, slow_min, slow_max = region
    counts = np.zeros(mean.shape, dtype=dtype)
    rows = max(1, _PIXELS_PER_BLOCK // max(1, fast_max - fast_min + 1))
    starts = range(slow_min, slow_max + 1, rows)
    numbers = np.uint64(seed % 2**64), np.uint64(image_number % 2**64)

    def draw_block(start: int) -> tuple[float, int]:
        block = (fast_min, fast_max, start, min(start + rows - 1, slow_max))
        photons, overloads = counter_rows.draw_rows(mean, counts, block, float(adc), *numbers)
        return float(photons), int(overloads)

    def add_up(drawn: Iterable[tuple[float, int]]) -> tuple[float, int]:
        photons, overloads = 0.0, 0
        for done, (more, clipped) in enumerate(drawn, start=1):
            photons, overloads = photons + more, overloads + clipped
            if progress is not None:
                progress(done / len(starts))
        return photons, overloads

    if threads == 1 or len(starts) == 1:
        return counts, *add_up(map(draw_block, starts))
    with ThreadPoolExecutor(threads) as pool:
        try:
            return counts, *add_up(pool.map(draw_block, starts))
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
