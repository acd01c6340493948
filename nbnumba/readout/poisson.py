"""Photon-counting noise: drawn as C draws it, or with random numbers that are counted by pixel."""

from __future__ import annotations

import time
from collections.abc import Callable, MutableSequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from ..kernels.random import park_miller

# Pixels between two looks at Ctrl-C and the progress bar: about 0.05 s where a pixel is dearest.
_PIXELS_PER_BLOCK = 2**18


@dataclass(frozen=True)
class NoiseImage:
    """A noisy image.

    Attributes
    ----------
    counts : (n_slow, n_fast) uint16 or int32
        Photons and the offset; 0 outside the region of interest.
    photons : float
        Photons drawn, before the offset was added and overloads were clipped.
    overloads : int
        Pixels clipped at 65535, or as int32 at 2147483645.
    """

    counts: NDArray[Any]
    photons: float
    overloads: int


def seed_from_time() -> int:
    """Return the seed that stands for "not given": the seconds since 1970, kept in 31 bits."""
    return int(time.time()) % 2**31


def poisson_image_c(
    mean: NDArray[np.float32],
    seed: int,
    adc: float,
    roi: tuple[int, int, int, int] | None = None,
    progress: Callable[[float], None] | None = None,
    table: MutableSequence[int] | None = None,
    dtype: str = "uint16",
) -> NoiseImage:
    """Draw the noise image that C draws from a float image.

    Parameters
    ----------
    mean : (n_slow, n_fast) float32 [photons]
        Every pixel of the region is drawn, masked ones (mean 0) too, in raster order.
    seed : int
        As typed after -seed. One below 0 depends on `table`, see `nbnumba.kernels.random.park_miller`.
    adc : float
        Offset added to each pixel of the region.
    roi : (fast_min, fast_max, slow_min, slow_max), optional
        Inclusive and inside the image; all of it by default. A minimum above its maximum draws nothing.
    progress : callable, optional
        Called with the fraction done, 0 to 1, after each block of rows.
    table : sequence of 34 int, optional
        Random table as the random orientation and the mosaic domains left it; untouched by default. Advanced
        in place, as C's.
    dtype : {"uint16", "int32"}
        Of the counts.

    Returns
    -------
    NoiseImage

    Raises
    ------
    InputError
        When `mean` has not two dimensions or `roi` reaches outside it.

    Notes
    -----
    nanoBragg.c:3230-3257: trunc(poisson + adc), clipped at 65535 and not at 0: a negative sum wraps around as
    the x86-64 program's does. No value of `mean` can make it hang: negative means count as 0, and NaN or
    infinity give 0 or an overload (`nbnumba.kernels.random.c_stream.poisson_deviate`).
    """
    from ..kernels.random import c_stream as c_random

    if mean.ndim != 2:
        raise InputError(f"noise needs an image of two dimensions, not {mean.ndim}")
    mean = np.ascontiguousarray(mean, dtype=np.float32)
    fast_min, fast_max, slow_min, slow_max = _checked_roi(roi, mean.shape)
    counts = np.zeros(mean.shape, dtype=dtype)
    numbers, kept = c_random.new_state()
    if table is not None:
        numbers[:] = table
    numbers[park_miller.VALUE] = park_miller.start_value(seed)

    photons, overloads = 0.0, 0
    rows = slow_max - slow_min + 1
    block = max(1, _PIXELS_PER_BLOCK // max(1, fast_max - fast_min + 1))
    for first in range(slow_min, slow_max + 1, block):
        last = min(first + block - 1, slow_max)
        part = (fast_min, fast_max, first, last)
        photons, clipped = c_random.draw_rows(mean, counts, part, float(adc), numbers, kept, photons)
        overloads += clipped
        if progress is not None:
            progress((last - slow_min + 1) / rows)
    if table is not None:
        table[:] = numbers.tolist()
    return NoiseImage(counts, photons, overloads)


def poisson_image_counter(
    mean: NDArray[np.float32],
    seed: int,
    adc: float,
    roi: tuple[int, int, int, int] | None = None,
    progress: Callable[[float], None] | None = None,
    image_number: int = 0,
    threads: int | None = None,
    device: int | None = None,
    dtype: str = "uint16",
) -> NoiseImage:
    """Draw a noise image in which each pixel depends on its mean, the seed, the image number and its place alone.

    The counts are the same for any number of threads, on any processor and on any GPU, for a region of interest as
    for the whole image.

    Parameters
    ----------
    mean : (n_slow, n_fast) float32 [photons]
        What is below 0 or no number counts as 0; from 1e15 on there is no noise, as float32 holds no more digits.
    seed, image_number : int
        Whole numbers of up to 64 bits. Images of one series differ in the number.
    adc : float
        Offset added to each pixel of the region.
    roi : (fast_min, fast_max, slow_min, slow_max), optional
        Inclusive and inside the image; all of it by default. A minimum above its maximum draws nothing.
    progress : callable, optional
        Called with the fraction done, 0 to 1.
    threads : int, optional
        Every core that this process may use by default.
    device : int, optional
        GPU to draw on; the processor by default.
    dtype : {"uint16", "int32"}
        Of the counts.

    Raises
    ------
    InputError
        When `mean` has not two dimensions or `roi` reaches outside it.
    DeviceError
        When the GPU is not there or fails.

    Notes
    -----
    As in `poisson_image_c` the file holds trunc(poisson + adc), clipped at 65535, and a negative sum
    wraps around; as int32 it does not.
    """
    from .. import kernels

    if mean.ndim != 2:
        raise InputError(f"noise needs an image of two dimensions, not {mean.ndim}")
    mean = np.ascontiguousarray(mean, dtype=np.float32)
    region = _checked_roi(roi, mean.shape)
    return NoiseImage(*kernels.draw_noise(mean, region, adc, seed, image_number, threads, progress, device, dtype))


def _checked_roi(roi: tuple[int, int, int, int] | None, shape: tuple[int, ...]) -> tuple[int, int, int, int]:
    """Return the region to draw, the whole image when none is given."""
    n_slow, n_fast = shape
    if roi is None:
        return 0, n_fast - 1, 0, n_slow - 1
    fast_min, fast_max, slow_min, slow_max = (int(bound) for bound in roi)
    if fast_min < 0 or slow_min < 0 or fast_max >= n_fast or slow_max >= n_slow:
        raise InputError(f"the region {roi} of the noise reaches outside the image of {n_fast} x {n_slow} pixels")
    return fast_min, fast_max, slow_min, slow_max


NOISE_RNGS = ("counter", "c")
