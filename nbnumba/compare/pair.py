"""Two images on one grid, ready to be compared."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from ..imagefiles.records import LoadedImage
from ..util.regions import Roi, roi_slices

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Pair:
    """Two images of one shape.

    Attributes
    ----------
    names, kinds : (str, str)
    shapes : ((n_slow, n_fast), (n_slow, n_fast))
        Of the images as they were read.
    a, b : (n_slow, n_fast) float64
    left_out : (n_slow, n_fast) bool
        Pixels that are not compared.
    origin : (slow, fast)
        Pixel that the first one here is in the whole image.
    resampled : bool
        Whether the shapes differed, so that the finer image was brought to the pixels of the coarser one.
    """

    names: tuple[str, str]
    kinds: tuple[str, str]
    shapes: tuple[tuple[int, int], tuple[int, int]]
    a: Array
    b: Array
    left_out: Mask
    origin: tuple[int, int]
    resampled: bool


def make_pair(
    first: LoadedImage,
    second: LoadedImage,
    roi: Roi | None = None,
    valid: tuple[float, float] | None = None,
) -> Pair:
    """Bring two images to one shape and cut out what is compared.

    Parameters
    ----------
    first, second : LoadedImage
    roi : (fast_min, fast_max, slow_min, slow_max), optional
        Inclusive bounds in pixels of the common shape.
    valid : (low, high), optional
        Pixels with a value outside are left out of both images.

    Raises
    ------
    InputError
        No pixel is left to compare.

    Notes
    -----
    The common shape is the smaller one along each axis: finer pixels are added up, coarser ones are never divided.
    """
    images = (first, second)
    shapes = first.shape, second.shape
    target = min(shapes[0][0], shapes[1][0]), min(shapes[0][1], shapes[1][1])
    window = roi_slices(roi, target)
    left_out = np.zeros(target, bool)
    values: list[Array] = []
    for image in images:
        out = np.zeros(image.values.shape, bool) if image.left_out is None else image.left_out
        if valid is not None:
            out = out | (image.values < valid[0]) | (image.values > valid[1])
        values.append(add_up(np.where(out, 0.0, image.values) if out.any() else image.values, target)[window])
        left_out |= add_up(out.astype(np.float64), target) > 0.0 if out.any() else False
    left_out = left_out[window]
    if left_out.all():
        raise InputError(_nothing_left(roi, target, left_out.size))
    return Pair(
        names=(first.name, second.name),
        kinds=(first.kind, second.kind),
        shapes=shapes,
        a=values[0],
        b=values[1],
        left_out=left_out,
        origin=(window[0].start, window[1].start),
        resampled=shapes[0] != shapes[1],
    )


def _nothing_left(roi: Roi | None, shape: tuple[int, int], pixels: int) -> str:
    if pixels == 0:
        bounds = " ".join(map(str, roi or ()))
        return f"-roi {bounds}: holds no pixel of an image of {shape[1]} x {shape[0]} (fast x slow)"
    return "no pixel is left to compare: all are masked or outside -valid_range"


def add_up(image: Array, shape: tuple[int, int]) -> Array:
    """Bring an image to larger pixels; each takes from the old ones the share that lies in it.

    Parameters
    ----------
    image : (n_slow, n_fast)
    shape : (m_slow, m_fast)
        At most the shape of the image.

    Returns
    -------
    (m_slow, m_fast)
        Its sum is that of the image.
    """
    for axis in (0, 1):
        if image.shape[axis] != shape[axis]:
            image = _add_up_rows(image.T if axis else image, shape[axis])
            image = image.T if axis else image
    return np.ascontiguousarray(image)


def _add_up_rows(image: Array, count: int) -> Array:
    """Bring the rows of an image to fewer rows."""
    n = image.shape[0]
    # Edge i of the new rows lies at i n / count: `whole` old rows and a part of the next one.
    edges = np.arange(count + 1) * n
    whole, part = edges // count, (edges % count) / count
    with np.errstate(invalid="ignore", over="ignore"):
        added = np.add.reduceat(image, whole[:-1], axis=0)
        share = part[1:-1, None]
        # A part of 0 takes nothing, not even NaN.
        moved = np.where(share > 0.0, image[whole[1:-1]], 0.0) * share
        added[:-1] += moved
        added[1:] -= moved
    return added
