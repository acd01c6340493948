"""Raw float images: float32, little endian, slow-major, no header."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import InputError
from ..util.regions import roi_slices, row_blocks
from ..util.text import counted
from .atomic import PathLike, whole_file, write_array
from .opening import label, opened


def write(path: PathLike, image: ArrayLike) -> None:
    """Write an image as C does (nanoBragg.c:3122).

    Parameters
    ----------
    path : str or path
        The file to write.
    image : (n_slow, n_fast) [photons/pixel]
        Converted to float32.

    Raises
    ------
    FileError
        The file cannot be written.
    """
    with whole_file(path) as file:
        write_array(file, np.ascontiguousarray(image, dtype="<f4"))


def not_finite(image: NDArray[np.float32]) -> str | None:
    """Return a message with the number of pixels that are infinite or NaN; None where there are none."""
    rows, columns = roi_slices(None, (image.shape[0], image.shape[1]))
    count = image.size - sum(int(np.count_nonzero(np.isfinite(image[block]))) for block in row_blocks(rows, columns))
    if count == 0:
        return None
    what = "is no finite number" if count == 1 else "are not finite numbers"
    return f"{count} of {counted(image.size, 'pixel')} {what} (infinite or NaN)"


def read(path: PathLike, shape: tuple[int, int], option: str = "") -> NDArray[np.float32]:
    """Read an image of known shape.

    Parameters
    ----------
    path : str or path
        The file to read.
    shape : (n_slow, n_fast)
        The shape, which the file does not hold.
    option : str
        The option that named the file, for messages.

    Returns
    -------
    (n_slow, n_fast) float32

    Raises
    ------
    FileError
        The file is missing or cannot be read.
    InputError
        The size of the file is not that of the shape.
    """
    n_slow, n_fast = shape
    expected = 4 * n_slow * n_fast
    with opened(path, option) as file:
        data = file.read(expected)
        found = len(data) + len(file.read(1))
        if found > expected and file.seekable():
            found = file.seek(0, 2)
    if found != expected:
        raise InputError(
            f"{label(option, path)}: holds {found} bytes; {n_fast} x {n_slow} pixels of float32 take {expected}; "
            "-detpixels_f and -detpixels_s say how many there are"
        )
    return np.frombuffer(data, dtype="<f4").astype(np.float32).reshape(shape)
