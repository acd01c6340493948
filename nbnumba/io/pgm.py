"""8-bit portable graymaps, as C writes them (nanoBragg.c:3190-3232)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..util.regions import Roi, on_row_blocks, roi_slices
from .atomic import PathLike, whole_file, write_array


def automatic_scale(rmsd: float, int_scale: float) -> float:
    """Return the gray values per photon when -pgmscale is not given: 50 per standard deviation."""
    return 250.0 / (5.0 * rmsd) if rmsd > 0.0 else int_scale


def pgm_values(image: NDArray[np.float32], scale: float, roi: Roi | None = None, threads: int = 1) -> NDArray[np.uint8]:
    """Scale a float image to gray values.

    Parameters
    ----------
    image : (n_slow, n_fast) float32 [photons/pixel]
        The image.
    scale : float
        Gray values per photon.
    roi : (fast_min, fast_max, slow_min, slow_max), optional
        Inclusive bounds [pixels]; pixels outside hold 0.
    threads : int
        The values do not depend on it.

    Returns
    -------
    (n_slow, n_fast) uint8
        min(value * scale, 255) in float64, truncated. NaN and negative values, which a render does not make and
        for which C's conversion is undefined, become 0.
    """
    values = np.zeros(image.shape, dtype=np.uint8)
    rows, columns = roi_slices(roi, image.shape)

    def convert(block: slice) -> None:
        with np.errstate(over="ignore", invalid="ignore"):
            gray = image[block, columns].astype(np.float64)
            gray *= scale
            np.fmax(gray, 0.0, out=gray)  # NaN becomes 0
        values[block, columns] = np.minimum(gray, 255.0, out=gray).astype(np.uint8)

    on_row_blocks(convert, rows, columns, threads)
    return values


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
        Gray values, e.g. from `pgm_values`.
    scale : float
        Gray values per photon, for the comment line.

    Raises
    ------
    FileError
        The file cannot be written.
    """
    with whole_file(path) as file:
        file.write(header(values.shape, scale))
        write_array(file, np.ascontiguousarray(values, dtype=np.uint8))
