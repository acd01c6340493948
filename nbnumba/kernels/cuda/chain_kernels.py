"""The CUDA kernels of background and readout: one GPU thread works out one pixel, by the functions of the processor."""

from __future__ import annotations

import functools
import math

import numpy as np
from numba import cuda

from ..background.sums import pixel_sum
from ..random.counter import poisson_count
from ..readout.chain import converted, detected, flicker_deviate, sensitivity_deviate
from ..readout.normal import READOUT, gaussian
from .kernel import kernel_of


@functools.cache
def background_kernel():
    """Return the kernel that sums one term of the background."""

    def add(
        numbers, masked, mask, sources, kind, knots, values, slopes, table, cells, scale, first_row, rows, begin, end,
        photons, image,
    ):  # fmt: skip
        """Sum a term of the pixels in `rows` rows; all arrays but the mask hold the region alone.

        `begin` and `end` tell the first and the last of several terms: `photons` begins with the one, and is added to
        `image` with the other.
        """
        i = cuda.grid(1)
        q = numbers[0]
        columns = q.fast_last - q.fast_first + 1
        if i >= rows * columns:
            return
        row, column = first_row + i // columns, i % columns
        slow, fast = q.slow_first + row, q.fast_first + column
        value = 0.0
        if not masked or mask[slow, fast] != 0:
            value = scale * pixel_sum(q, sources, kind, knots, values, slopes, table, cells, slow, fast)
        if not begin:
            value += photons[row, column]
        photons[row, column] = value
        if end:
            image[row, column] = np.float32(np.float64(image[row, column]) + value)

    return kernel_of(add, "background", 4)


@functools.cache
def count_kernel():
    """Return the kernel that draws the photons of every pixel."""

    def count(mean, first_pixel, noise, factor, flicker, calibration, calibration_seed, dead, seed, image, photons):
        """Draw from the expected photons of a panel; `photons` is flat."""
        i = cuda.grid(1)
        columns = mean.shape[1]
        if i >= mean.shape[0] * columns:
            return
        pixel = first_pixel + np.uint64(i)
        expected = np.float64(mean[i // columns, i % columns])
        flickers = flicker_deviate(seed, image, pixel) if flicker > 0.0 else 0.0
        deviate = sensitivity_deviate(calibration_seed, pixel) if calibration > 0.0 else 0.0
        value = np.float64(np.float32(detected(expected, factor, flicker, flickers, calibration, deviate, dead)))
        if noise:
            value = poisson_count(value, seed, image, pixel)
        photons[i] = value

    return kernel_of(count, "count")


@functools.cache
def widen_kernel():
    """Return the kernel that copies float32 to float64."""

    def widen(narrow, wide):
        """Copy a panel into a flat array."""
        i = cuda.grid(1)
        columns = narrow.shape[1]
        if i < narrow.shape[0] * columns:
            wide[i] = np.float64(narrow[i // columns, i % columns])

    return kernel_of(widen, "widen")


@functools.cache
def narrow_kernel():
    """Return the kernel that copies float64 to float32."""

    def narrow(wide, image):
        """Copy a flat array into a panel."""
        i = cuda.grid(1)
        columns = image.shape[1]
        if i < image.shape[0] * columns:
            image[i // columns, i % columns] = np.float32(wide[i])

    return kernel_of(narrow, "narrow")


@functools.cache
def along_fast_kernel():
    """Return the kernel that convolves the rows of a flat image."""

    def along_fast(source, columns, taps, out):
        """Convolve with a function whose middle is that of `taps`; nothing lies outside the image."""
        i = cuda.grid(1)
        if i >= source.shape[0]:
            return
        column = i % columns
        radius = taps.shape[0] // 2
        total = 0.0
        for k in range(max(-radius, -column), min(radius, columns - 1 - column) + 1):
            total += taps[radius - k] * source[i + k]
        out[i] = total

    return kernel_of(along_fast, "along fast")


@functools.cache
def along_slow_kernel():
    """Return the kernel that convolves the columns of a flat image and adds up."""

    def along_slow(source, columns, taps, begin, least, out):
        """Convolve as `along_fast` does. `out` begins with the first of several parts; no sum is left below `least`."""
        i = cuda.grid(1)
        if i >= source.shape[0]:
            return
        row, rows = i // columns, source.shape[0] // columns
        radius = taps.shape[0] // 2
        total = 0.0 if begin else out[i]
        for k in range(max(-radius, -row), min(radius, rows - 1 - row) + 1):
            total += taps[radius - k] * source[i + k * columns]
        out[i] = max(total, least)

    return kernel_of(along_slow, "along slow")


@functools.cache
def least_kernel():
    """Return the kernel that finds the least of many numbers."""

    def least(values, partial):
        i = cuda.grid(1)
        if i < partial.shape[0]:
            found = math.inf
            for j in range(i, values.shape[0], partial.shape[0]):
                found = min(found, values[j])
            partial[i] = found

    return kernel_of(least, "least")


@functools.cache
def read_kernel():
    """Return the kernel that converts photons to the numbers of a file."""

    def read(
        photons, expected, most, first_pixel, gain, offset, readout, dark, top, seed, image, pixels, overloads, below
    ):
        """Convert the photons of a panel; all arrays but `expected` and `pixels` are flat."""
        i = cuda.grid(1)
        columns = pixels.shape[1]
        if i >= pixels.shape[0] * columns:
            return
        row, column = i // columns, i % columns
        pixel = first_pixel + np.uint64(i)
        deviate = gaussian(seed, image, READOUT, pixel) if readout > 0.0 else 0.0
        value = converted(photons[i], gain, offset, readout, deviate, dark, seed, image, pixel)
        overloads[i] = below[i] = 0.0
        if value > top:
            value = top
            overloads[i] = 1.0
        elif not value >= 0.0:
            value = 0.0
            below[i] = 1.0
        if np.float64(expected[row, column]) > most and value != top:
            value = top
            overloads[i] = 1.0
        pixels[row, column] = np.int64(value)

    return kernel_of(read, "read")
