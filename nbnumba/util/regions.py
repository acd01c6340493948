"""The part of an image that is rendered."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

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


def on_row_blocks(work: Callable[[slice], object], rows: slice, columns: slice, threads: int = 1) -> None:
    """Call a function with each of the `row_blocks`, on some threads where there are several blocks."""
    blocks = list(row_blocks(rows, columns))
    if threads == 1 or len(blocks) <= 1:
        for block in blocks:
            work(block)
        return
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(work, blocks))
