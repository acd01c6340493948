"""Regions of interest, and work on large images in blocks of rows."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable, Iterator

import numpy as np
import pytest
from converted import int_values, pgm_values
from numpy.typing import NDArray

from nbnumba.io import pgm, smv
from nbnumba.util.regions import Roi, roi_slices, row_blocks

SHAPE = (1003, 517)  # four blocks and a bit


@pytest.mark.parametrize(
    "roi", [None, (0, 516, 0, 1002), (3, 500, 7, 1000), (9, 9, 0, 1002), (5, 4, 6, 2), (0, 0, 0, 0)]
)
def test_blocks_cover_the_region_once(roi: Roi | None) -> None:
    rows, columns = roi_slices(roi, SHAPE)
    hits = np.zeros(SHAPE, dtype=int)
    for block in row_blocks(rows, columns):
        assert block.stop > block.start
        hits[block, columns] += 1
    expected = np.zeros(SHAPE, dtype=int)
    expected[rows, columns] = 1
    np.testing.assert_array_equal(hits, expected)


def test_a_row_longer_than_a_block() -> None:
    blocks = list(row_blocks(slice(4, 6), slice(0, 1 << 20)))
    assert blocks == [slice(4, 5), slice(5, 6)]


def test_values_do_not_depend_on_blocks() -> None:
    rng = np.random.default_rng(3)
    image = (rng.normal(size=SHAPE) * 10.0 ** rng.integers(-3, 6, SHAPE)).astype(np.float32)
    counts = int_values(image, 1.7, 40.0)
    gray = pgm_values(image, 0.3)
    for first in range(0, SHAPE[0], 100):
        part = slice(first, first + 100)
        np.testing.assert_array_equal(counts[part], int_values(image[part], 1.7, 40.0))
        np.testing.assert_array_equal(gray[part], pgm_values(image[part], 0.3))
    exact = np.clip(image.astype(np.float64) * 1.7 + 40.0, 0.0, 65535.0) + 0.5
    np.testing.assert_array_equal(counts, np.floor(exact.astype(np.float32)))
    np.testing.assert_array_equal(gray, np.floor(np.clip(image.astype(np.float64) * 0.3, 0.0, 255.0)))


@pytest.mark.parametrize(
    "convert", [lambda image: smv.int_rows(image, 1.0, 40.0), lambda image: pgm.pgm_rows(image, 1)]
)
def test_a_large_image_takes_no_large_temporary_arrays(convert: Callable[[NDArray], Iterator[NDArray]]) -> None:
    image = np.zeros((2048, 2048), dtype=np.float32)
    tracemalloc.start()
    try:
        rows = sum(len(block) for block in convert(image))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert rows == 2048
    # Temporary arrays of one block; a float64 copy of the image would take 34 MB.
    assert peak < 8e6
