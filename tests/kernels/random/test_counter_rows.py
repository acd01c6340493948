"""Counts that are drawn the quick way are the counts of `counter_random`."""

from __future__ import annotations

import math

import numba
import numpy as np
import pytest

from nbnumba.kernels.random import counter as counter_random
from nbnumba.kernels.random import counter_rows
from nbnumba.readout.poisson import poisson_image_counter

MEANS = [1e-6, 0.01, 0.3, 1, 2.5, 5, 9.9999, 10, 10.5, 12, 15.9, 17, 25, 60, 300, 999, 1001, 2e4, 1e6, 1e9]


@numba.njit
def _draw(mean, seed, image, out):
    for pixel in range(out.size):
        out[pixel] = counter_random.poisson_count(mean, seed, image, np.uint64(pixel))


@numba.njit
def _by_inversion(mean, u):
    return counter_rows.by_inversion(mean, u, math.exp(-mean))


@pytest.mark.parametrize("mean", MEANS)
def test_rows_hold_the_counts_of_the_generator(mean: float) -> None:
    pixels = np.full((64, 2048), mean, dtype=np.float32)
    expected = np.empty(pixels.size)
    _draw(np.float64(pixels[0, 0]), np.uint64(2**63 + 5), np.uint64(17), expected)
    drawn = poisson_image_counter(pixels, 2**63 + 5, 0.0, image_number=17, dtype="int32")
    assert np.array_equal(drawn.counts.reshape(-1), expected)
    assert len(np.unique(expected)) > 1 or mean < 0.001


@numba.njit
def _draw_each(means, seed, image, out):
    for pixel in range(out.size):
        out[pixel] = counter_random.poisson_count(np.float64(means[pixel]), seed, image, np.uint64(pixel))


def test_means_of_all_sizes_in_one_image() -> None:
    pixels = (10.0 ** np.random.default_rng(1).uniform(-3, 6, size=(500, 700))).astype(np.float32)
    pixels[0, :4] = (0.0, -1.0, np.nan, 1e16)
    expected = np.empty(pixels.size)
    _draw_each(pixels.reshape(-1), np.uint64(3), np.uint64(0), expected)
    drawn = poisson_image_counter(pixels, 3, 0.0, dtype="int32").counts
    assert np.array_equal(drawn.reshape(-1), np.minimum(expected, 2**31 - 3))


@pytest.mark.parametrize("mean", [0.01, 1.0, 5.5, 9.9])
def test_what_rounding_could_decide_is_left_to_the_generator(mean: float) -> None:
    total = math.exp(-mean)
    for off, count in ((0.0, -1.0), (0.5, -1.0), (-0.5, -1.0), (2.0, 1.0), (-2.0, 0.0)):
        assert _by_inversion(mean, total + off * counter_rows.MARGIN) == count
    assert _by_inversion(mean, 1.0 - 2.0**-53) == -1.0
