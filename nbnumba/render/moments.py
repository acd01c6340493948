"""Mean, squares and maximum of an image."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..util.regions import row_blocks


class Moments(NamedTuple):
    """Mean and squares of the pixels of an image.

    Attributes
    ----------
    mean : float
        Over the rendered pixels.
    squares, deviations : float
        Sum of squares, and of squared distances from the mean, over all pixels.
    brightest : (row, column)
        The first pixel that none exceeds; the first NaN where there is one.
    """

    mean: float
    squares: float
    deviations: float
    brightest: tuple[int, int]


class _BlockSums(NamedTuple):
    """What a block of an image adds to its moments."""

    pixels: int
    maximum: float
    total: float
    squares: float
    deviations: float  # from the mean of the block, squared

    @property
    def mean(self) -> float:
        return self.total / self.pixels


def _sums(region: NDArray[np.float32], blocks: Sequence[slice]) -> list[_BlockSums]:
    """Return the sums of some blocks of rows, one after another in the same memory."""
    most = max(block.stop - block.start for block in blocks) * region.shape[1]
    room, squared = np.empty(most), np.empty(most, dtype=np.float32)
    found = []
    with np.errstate(over="ignore", invalid="ignore"):
        for block in blocks:
            part = region[block]
            maximum = float(part.max())
            if maximum == 0.0 and part.min() == 0.0:  # beyond all reflections, often half of an image
                found.append(_BlockSums(part.size, 0.0, 0.0, 0.0, 0.0))
                continue
            values = room[: part.size].reshape(part.shape)
            values[...] = part
            total = float(values.sum())
            values -= total / part.size
            values *= values
            deviations = float(values.sum())
            values[...] = np.multiply(part, part, out=squared[: part.size].reshape(part.shape))  # as C: float32
            found.append(_BlockSums(part.size, maximum, total, float(values.sum()), deviations))
    return found


def moments(region: NDArray[np.float32], rendered: int, threads: int) -> Moments:
    """Work out the moments of an image.

    Parameters
    ----------
    region : (n_slow, n_fast) float32
    rendered : int
        How many of its pixels count for the mean; the others are 0.
    threads : int
        The sums do not depend on it.

    Notes
    -----
    Block by block on all threads, each block while it is in the cache: one thread would take nearly as long as the
    render of a single orientation, and a float64 copy of a large image as much memory as two images. The order of the
    sums is that of the blocks.
    """
    rows, columns = region.shape
    blocks = list(row_blocks(slice(0, rows), slice(0, columns))) if columns > 0 else []
    if not blocks:
        return Moments(0.0, 0.0, 0.0, (0, 0))
    share = -(-len(blocks) // threads)
    shares = [blocks[first : first + share] for first in range(0, len(blocks), share)]
    with ThreadPoolExecutor(threads) as pool:
        apply = pool.map if len(shares) > 1 else map
        sums = [block for found in apply(lambda some: _sums(region, some), shares) for block in found]
    mean = sum(block.total for block in sums) / rendered
    squares = sum(block.squares for block in sums)
    deviations = sum(block.deviations + block.pixels * (block.mean - mean) ** 2 for block in sums)
    brightest = blocks[int(np.argmax([block.maximum for block in sums]))]
    # Of a part alone: NumPy copies a read-only array for this.
    row, column = divmod(int(np.argmax(region[brightest])), columns)
    return Moments(mean, squares, deviations, (brightest.start + row, column))
