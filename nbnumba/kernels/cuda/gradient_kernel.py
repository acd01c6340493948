"""The CUDA kernels of derivatives: a thread takes one pixel through what a strip of the processor goes through.

The threads of a block share a scratch array as the pixels of a strip do: every value of a thread stands in the row that
it has on the processor, at the thread's own place. Nothing is shared but that, so no order of threads matters.
"""

from __future__ import annotations

import functools

from numba import cuda

from ..gradient import kernel, reduce
from ..gradient.samples import sum_samples
from ..gradient.spots import sum_spots
from ..gradient.tangents import Tangents
from ..jit import inner
from ..scene import Scene
from .kernel import SIMULATED, kernel_of

REDUCING = reduce.PART + 6 if SIMULATED else 4096  # threads that add up likelihoods; they decide the order
MEMORY = 2**20 if SIMULATED else 2**28  # bytes of the scratch arrays of a band


@inner
def work_on_pixel(i, sum_terms, masked, scene, tangents, wanted, extra, first_row, s, own, image, slopes):
    """Take pixel i of a band of rows through what a strip of the processor goes through."""
    q = scene.numbers[0]
    columns = q.fast_last - q.fast_first + 1
    if i >= image.shape[0] * columns:
        return
    row, column = i // columns, i % columns
    slow, fast = q.slow_first + first_row + row, q.fast_first + column
    if masked and scene.mask[slow, fast] == 0:
        return
    want = wanted & 1 != 0, wanted & 2 != 0, wanted & 4 != 0
    s[kernel.ACTIVE] = 1.0
    kernel.work_on_strip(
        sum_terms, q, scene, tangents, s, own, 1, 1, slow, fast, row, column, want, extra, image, slopes
    )


@functools.cache
def samples_kernel():
    """Return the kernel that adds samples of pixels and of their derivatives."""

    def add_samples(
        numbers, masked, mask, sources, orientations, weights, flat, form, d_numbers, d_sources, strains, forms, tables,
        table_of, moving, strained, strained_apart, wanted, first_row, scratch, index, image, slopes,
    ):  # fmt: skip
        """Add to the rows of `image` and `slopes`, which count from `first_row` of the region."""
        scene = Scene(numbers, mask, sources, orientations, weights, flat)
        tangents = Tangents(
            form, d_numbers, d_sources, strains, forms, tables, table_of, moving, strained, strained_apart
        )
        s, own = scratch[cuda.blockIdx.x, cuda.threadIdx.x :], index[cuda.blockIdx.x, cuda.threadIdx.x :]
        work_on_pixel(cuda.grid(1), sum_samples, masked, scene, tangents, wanted, 0, first_row, s, own, image, slopes)

    return kernel_of(add_samples, "samples of derivatives", 2)


@functools.cache
def spots_kernel():
    """Return the kernel that adds listed spots to pixels and to their derivatives."""

    def add_spots(
        numbers, masked, mask, sources, orientations, weights, flat, form, d_numbers, d_sources, strains, forms, tables,
        table_of, moving, strained, strained_apart, wanted, coefficients, ellipses, starts, first_row, scratch, index,
        image, slopes,
    ):  # fmt: skip
        """As of `samples_kernel`."""
        scene = Scene(numbers, mask, sources, orientations, weights, flat)
        tangents = Tangents(
            form, d_numbers, d_sources, strains, forms, tables, table_of, moving, strained, strained_apart
        )
        s, own = scratch[cuda.blockIdx.x, cuda.threadIdx.x :], index[cuda.blockIdx.x, cuda.threadIdx.x :]
        extra = coefficients, ellipses, starts, numbers[0].fast_last + 1
        work_on_pixel(cuda.grid(1), sum_spots, masked, scene, tangents, wanted, extra, first_row, s, own, image, slopes)

    return kernel_of(add_spots, "spots of derivatives", 2)


@functools.cache
def likelihood_kernel():
    """Return the kernel that adds what pixels say about a model."""

    def add_likelihood(data, used, model, slopes, variance, scratch, active, sums):
        """As `gradient.reduce.add_likelihood`, each thread in working memory and sums of its own.

        Threads take pixels in turn. Gradient and matrices stay in the rows of `scratch`, (threads/PART, ...).
        """
        i = cuda.grid(1)
        if i >= sums.shape[0]:
            return
        s = scratch[i // reduce.PART, i % reduce.PART :]
        columns = data.shape[1]
        for pixel in range(i, data.shape[0] * columns, sums.shape[0]):
            row, column = pixel // columns, pixel % columns
            reduce.add_part(data, used, model, slopes, row, column, 1, 1, variance, s, active[i], sums[i])

    return kernel_of(add_likelihood, "likelihood", 4)


@functools.cache
def weigh_kernel():
    """Return the kernel that adds products of weights and derivatives."""

    def weigh(weights, slopes, sums):
        """Add to the sums of each thread, (threads, directions)."""
        i = cuda.grid(1)
        if i >= sums.shape[0]:
            return
        columns = weights.shape[1]
        for pixel in range(i, weights.shape[0] * columns, sums.shape[0]):
            row, column = pixel // columns, pixel % columns
            for direction in range(slopes.shape[0]):
                sums[i, direction] += weights[row, column] * slopes[direction, row, column]

    return kernel_of(weigh, "weighted derivatives")


@functools.cache
def fold_kernel():
    """Return the kernel that adds up what the threads of `likelihood_kernel` have found, one number a thread."""

    def fold(scratch, threads, directions, with_spread, out):
        number = cuda.grid(1)
        if number < out.shape[0]:
            row = reduce.matrix_row(number, directions, with_spread)
            total = 0.0
            for i in range(threads):
                total += scratch[i // reduce.PART, reduce.SLOPES + row * reduce.STRIDE + i % reduce.PART]
            out[number] = total

    return kernel_of(fold, "fold likelihoods")
