"""8-bit portable graymaps, as C writes them (nanoBragg.c:3190-3232)."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..util.regions import Roi, converted_rows
from .atomic import PathLike, whole_file, write_array


def automatic_scale(rmsd: float, int_scale: float) -> float:
    """Return the gray values per photon when -pgmscale is not given: 50 per standard deviation."""
    return 250.0 / (5.0 * rmsd) if rmsd > 0.0 else int_scale


def pgm_rows(image: NDArray[np.float32], scale: float, roi: Roi | None = None) -> Iterator[NDArray[Any]]:
    """Scale a float image to gray values.

    Parameters
    ----------
    image : (n_slow, n_fast) float32 [photons/pixel]
        The image.
    scale : float
        Gray values per photon.
    roi : (fast_min, fast_max, slow_min, slow_max), optional
        Inclusive bounds [pixels]; pixels outside hold 0.

    Yields
    ------
    (rows, n_fast) uint8
        One block of rows after another, in the same memory: min(value * scale, 255) in float64, truncated. NaN and
        negative values, which a render does not make and for which C's conversion is undefined, become 0.
    """

    def convert(gray: NDArray[np.float64], values: NDArray[Any]) -> None:
        with np.errstate(over="ignore", invalid="ignore"):
            gray *= scale
        np.clip(gray, 0.0, 255.0, out=gray)
        if math.isnan(gray.max()):
            np.nan_to_num(gray, copy=False)
        values[...] = gray

    return converted_rows(image, roi, np.uint8, convert)


def header(shape: tuple[int, int], scale: float) -> bytes:
    """Return the bytes before the pixels; `shape` is (n_slow, n_fast)."""
    n_slow, n_fast = shape
    return f"P5\n{n_fast} {n_slow}\n# pixels scaled by {scale:g}\n255\n".encode("ascii")


def write(path: PathLike, values: NDArray[np.uint8], scale: float) -> None:
    """Write gray values.

    Parameters
    ----------
    path : str or path
        The file to write.
    values : (n_slow, n_fast) uint8
        Gray values.
    scale : float
        Gray values per photon, for the comment line.

    Raises
    ------
    FileError
        The file cannot be written.
    """
    write_rows(path, [values], values.shape, scale)


def write_rows(path: PathLike, blocks: Iterable[NDArray[np.uint8]], shape: tuple[int, int], scale: float) -> None:
    """Write gray values that come in blocks of rows; `shape` is (n_slow, n_fast), for the rest see `write`."""
    with whole_file(path) as file:
        file.write(header(shape, scale))
        for block in blocks:
            write_array(file, np.ascontiguousarray(block, dtype=np.uint8))
