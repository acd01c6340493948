"""The images that are compared, of any format; a raw one takes its shape from the other."""

from __future__ import annotations

import contextlib
import math
from pathlib import Path

import numpy as np

from ..errors import InputError
from ..imagefiles import registry
from ..imagefiles.others import load_by_fabio, single
from ..imagefiles.records import LoadedImage, Source
from ..io import floatfile
from ..io.opening import opened
from ..util.messages import logger


def read_two(first: Source, second: Source, shape: tuple[int, int] | None) -> tuple[LoadedImage, LoadedImage]:
    """Read two images; a raw one may take its shape from the other.

    Parameters
    ----------
    first, second : Source
    shape : (n_slow, n_fast) or None
        Of raw images.

    Raises
    ------
    FileError
        A file is missing or cannot be read.
    InputError
        A file holds no image that is known.
    """
    if not _states_its_shape(first.path) and _states_its_shape(second.path):
        b = read_image(second, shape)
        return read_image(first, shape or b.shape), b
    a = read_image(first, shape)
    return a, read_image(second, shape or a.shape)


def read_image(source: Source, shape: tuple[int, int] | None) -> LoadedImage:
    """Read an image.

    Parameters
    ----------
    source : Source
    shape : (n_slow, n_fast) or None
        For a raw float image, which does not hold it.

    Raises
    ------
    FileError
        The file is missing or cannot be read.
    InputError
        It holds no image that is known, or not the one asked for.
    """
    start, size = _start(source.path)
    if not size:
        raise InputError(f"{source.path}: is empty")
    form = registry.recognized(start)
    if form is None:
        return _read_raw_or_other(source, size, shape)
    image: LoadedImage = form.load(source)
    return image


def _states_its_shape(path: str) -> bool:
    return registry.recognized(_start(path)[0]) is not None


def _start(path: str) -> tuple[bytes, int]:
    """Return the first bytes of a file and its size."""
    with opened(path) as file:
        start = file.read(32)
        return start, file.seek(0, 2)


def _read_raw_or_other(source: Source, size: int, shape: tuple[int, int] | None) -> LoadedImage:
    """Read a file that begins like none of the known formats."""
    path = source.path
    if shape is not None and size == 4 * shape[0] * shape[1]:
        return _read_raw(source, shape)
    if Path(path).suffix.lower() not in (*registry.FLOAT.endings, *registry.FLOAT.other_endings):
        with contextlib.suppress(InputError):
            return load_by_fabio(source)
    if registry.looks_like_text(registry.beginning(path)):
        raise InputError(f"{path}: is a text file; an image is needed")
    if shape is not None:
        return _read_raw(source, shape)  # says what is wrong
    side = math.isqrt(size // 4)
    if 4 * side * side != size:
        raise InputError(
            f"{path}: no known format; for raw float32 ({size} bytes) give -detpixels_f and -detpixels_s, its size"
        )
    logger.warning(
        f"{path}: read as raw float32 of {side} x {side} pixels; -detpixels_f and -detpixels_s state another shape"
    )
    return _read_raw(source, (side, side))


def _read_raw(source: Source, shape: tuple[int, int]) -> LoadedImage:
    values = floatfile.read(source.path, shape).astype(np.float64)
    return single(source, LoadedImage(source.path, "raw float32", values))
