"""The CUDA kernels: one GPU thread sums one pixel. Imported where a GPU is to be used, and nowhere else."""

from __future__ import annotations

import functools
import hashlib
import importlib.metadata

import numba
import numpy as np
from numba import cuda

from .. import pixel
from ..code_folder import kept_in
from ..jit import CACHE_FOLDER
from ..random import counter as counter_random
from ..random.c_stream import to_whole
from ..scene import NEVER

SIMULATED = bool(numba.config.ENABLE_CUDASIM)
THREADS_PER_BLOCK = 4 if SIMULATED else 128  # the simulator makes threads of the operating system of them
PARTIAL_SUMS = 64 if SIMULATED else 4096  # of an image; their number decides the order of a sum, so it is fixed


if not SIMULATED and not hasattr(np, "row_stack"):
    # numba-cuda 0.30 refers to it while it is imported, and never again; NumPy 2.5 has removed it.
    np.row_stack = np.vstack  # noqa: NPY201
    try:
        import numba.cuda.np.arrayobj
    finally:
        del np.row_stack  # noqa: NPY201


def kernel_of(function, tag, blocks=8):
    """Make a kernel of which so many blocks fit on a multiprocessor, and give it its place in the cache folder.

    What a kernel is compiled for stands in the names that its function closes over, which Numba's cache cannot
    tell apart from one process to the next: a tag can.
    """
    if SIMULATED:
        return cuda.jit(function)
    kernel = cuda.jit(function, launch_bounds=(THREADS_PER_BLOCK, blocks))
    if CACHE_FOLDER is None:
        return kernel
    from numba.cuda.dispatcher import CUDACache

    class TaggedCache(CUDACache):
        def _index_key(self, sig, codegen):
            compiler = importlib.metadata.version("numba-cuda")
            return sig, codegen.magic_tuple(), compiler, hashlib.sha256(repr(tag).encode()).hexdigest()

    kernel._cache = kept_in(CACHE_FOLDER, TaggedCache)(kernel.py_func)
    return kernel


def configured(kernel, blocks, stream):
    """Return a kernel to be launched with so many blocks.

    Numba would print a warning of fewer blocks than 128, which the end of every image takes.
    """
    before, numba.config.CUDA_LOW_OCCUPANCY_WARNINGS = numba.config.CUDA_LOW_OCCUPANCY_WARNINGS, 0
    try:
        return kernel[blocks, THREADS_PER_BLOCK, stream]
    finally:
        numba.config.CUDA_LOW_OCCUPANCY_WARNINGS = before


@functools.cache
def sum_kernel(variant):
    """Return the kernel that renders a block of rows, or carries its pixels on by some samples."""
    run = pixel.make_sum(variant)

    def sum_pixels(
        numbers, masked, mask, sources, orientations, weights, flat, first_row, rows, first, last, state, image, omega
    ):
        """Add the samples first to last - 1 of the pixels in `rows` rows, counted from the region's first.

        `image` and `omega` hold the region alone. `state` keeps unfinished pixels of these rows.
        """
        i = cuda.grid(1)
        q = numbers[0]
        columns = q.fast_last - q.fast_first + 1
        if i >= rows * columns:
            return
        row = first_row + i // columns
        column = i % columns
        slow, fast = q.slow_first + row, q.fast_first + column
        value = omega_sum = 0.0
        if not masked or mask[slow, fast] != 0:
            value, omega_sum = run(q, sources, orientations, weights, flat, slow, fast, first, last, state, i)
        image[row, column] = np.float32(value)
        omega[row * columns + column] = omega_sum

    # Registers go to the inner loop; what is needed outside it may be spilled. Interpolation needs more of them.
    return kernel_of(sum_pixels, variant, 4 if variant.look_up == pixel.CUBIC else 6)


@functools.cache
def search_kernel(shape):
    """Return the kernel that looks for the sample that trips the interpolation latch."""
    run = pixel.make_search(shape)

    def search_pixels(numbers, masked, mask, sources, orientations, weights, first_row, rows, first, last, found):
        """Keep the number of the first of the samples first to last - 1 that trips, of each pixel in `rows` rows."""
        i = cuda.grid(1)
        q = numbers[0]
        columns = q.fast_last - q.fast_first + 1
        if i >= rows * columns:
            return
        slow, fast = q.slow_first + first_row + i // columns, q.fast_first + i % columns
        if first == 0:
            found[i] = NEVER
        if found[i] == NEVER and (not masked or mask[slow, fast] != 0):
            found[i] = run(q, sources, orientations, slow, fast, first, last)

    return kernel_of(search_pixels, ("search", shape), 4)


@functools.cache
def fold_kernel():
    """Return the kernel that adds up many numbers, in an order that does not depend on the launch."""

    def fold(values, partial):
        i = cuda.grid(1)
        if i < partial.shape[0]:
            total = 0.0
            for j in range(i, values.shape[0], partial.shape[0]):
                total += values[j]
            partial[i] = total

    return kernel_of(fold, "fold")


@functools.cache
def noise_kernel():
    """Return the kernel that draws photon counts."""

    def draw(mean, slow_first, fast_first, n_fast, adc, most, seed, image_number, counts, photons, overloads):
        """Draw a region of an image; `mean` and `counts` hold the region alone, `n_fast` is the image's.

        `most` is the largest count, of uint16 or of int32.
        """
        i = cuda.grid(1)
        columns = mean.shape[1]
        if i >= mean.shape[0] * columns:
            return
        row, column = i // columns, i % columns
        place = np.uint64(slow_first + row) * np.uint64(n_fast) + np.uint64(fast_first + column)
        drawn = counter_random.poisson_count(np.float64(mean[row, column]), seed, image_number, place)
        photons[i] = drawn
        overloads[i] = 1.0 if drawn + adc > most else 0.0
        stored = to_whole(min(drawn + adc, most))
        counts[row, column] = stored & 0xFFFF if most < 65536.0 else stored

    return kernel_of(draw, "noise")
