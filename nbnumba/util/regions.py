"""The part of an image that is rendered."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

Roi = tuple[int, int, int, int]

_BLOCK = 1 << 17  # pixels; with its float64 values it stays in the processor's cache


def roi_slices(roi: Roi | None, shape: tuple[int, int]) -> tuple[slice, slice]:
    """Return the slices of an image that a region of interest covers.

    Parameters
    ----------
    roi : (fast_min, fast_max, slow_min, slow_max) or None
        Inclusive bounds in pixels; None is the whole image. Bounds outside the image are allowed.
    shape : (n_slow, n_fast)
        Shape of the image.

    Returns
    -------
    (slice, slice)
        Along slow and fast.
    """
    n_slow, n_fast = shape
    if roi is None:
        return slice(0, n_slow), slice(0, n_fast)
    fast_min, fast_max, slow_min, slow_max = roi
    return (
        slice(max(slow_min, 0), max(min(slow_max + 1, n_slow), 0)),
        slice(max(fast_min, 0), max(min(fast_max + 1, n_fast), 0)),
    )


def row_blocks(rows: slice, columns: slice) -> Iterator[slice]:
    """Cut rows into blocks, so that working on a large image takes no large temporary arrays.

    Parameters
    ----------
    rows, columns : slice
        From `roi_slices`.

    Yields
    ------
    slice
        Rows of about 10^5 pixels in all, at least one.
    """
    step = max(1, _BLOCK // max(1, columns.stop - columns.start))
    for first in range(rows.start, rows.stop, step):
        yield slice(first, min(first + step, rows.stop))


def converted_rows(
    image: NDArray[np.float32],
    roi: Roi | None,
    dtype: DTypeLike,
    convert: Callable[[NDArray[np.float64], NDArray[Any]], None],
) -> Iterator[NDArray[Any]]:
    """Convert a float image block by block, so that a file takes no second image.

    Parameters
    ----------
    image : (n_slow, n_fast) float32
    roi : (fast_min, fast_max, slow_min, slow_max) or None
        Inclusive bounds [pixels]; pixels outside become 0.
    dtype
        Of the blocks.
    convert : callable
        Receives pixels in float64, which it may change, and where to put what they become, both of one shape.

    Yields
    ------
    (rows, n_fast) array
        One block after another, in the same memory.
    """
    rows, columns = roi_slices(roi, image.shape)
    all_rows, all_columns = roi_slices(None, image.shape)
    room: NDArray[np.float64] | None = None
    for block in row_blocks(all_rows, all_columns):
        size = block.stop - block.start
        if room is None:  # no later block is larger
            room = np.empty(size * image.shape[1])
            converted = np.zeros((size, image.shape[1]), dtype=dtype)
        first, last = max(block.start, rows.start), min(block.stop, rows.stop)
        if last - first < size:
            converted[:] = 0
        if first < last and columns.start < columns.stop:
            part = image[first:last, columns]
            values = room[: part.size].reshape(part.shape)
            values[...] = part
            convert(values, converted[first - block.start : last - block.start, columns])
        yield converted[:size]
