"""Pixels as files of other programs hold them: photons become whole numbers of a given width."""

from __future__ import annotations

import math
from typing import Literal, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import InputError

Pixels = NDArray[np.float32] | NDArray[np.int32] | NDArray[np.uint16]

DTYPES = ("float32", "int32", "uint16")

# The largest value of a whole-number image. The two above each are left free: readers of NeXus files take them for
# marks of bad pixels.
SATURATION = {"uint16": 65533, "int32": 2**31 - 3}
LOWEST = {"uint16": 0, "int32": -(2**31)}

_BLOCK = 1 << 16  # pixels; four float64 blocks stay within a core's own cache


@overload
def to_dtype(
    photons: ArrayLike, dtype: Literal["int32"], saturation: float | None = None
) -> tuple[NDArray[np.int32], int]: ...


@overload
def to_dtype(photons: ArrayLike, dtype: str, saturation: float | None = None) -> tuple[Pixels, int]: ...


def to_dtype(photons: ArrayLike, dtype: str, saturation: float | None = None) -> tuple[Pixels, int]:
    """Convert an image to the numbers that a file holds.

    Parameters
    ----------
    photons : array [photons/pixel]
        float32 as rendered, of any shape; other real numbers are taken too.
    dtype : str
        "float32", "int32" or "uint16".
    saturation : float, optional
        The largest value that is kept; by default `SATURATION` for whole numbers, and no limit for float32.

    Returns
    -------
    pixels : array of the dtype
        Whole numbers are rounded to the nearest (halves to the even one), are at least `LOWEST` and at most the
        saturation value, and 0 stands for NaN. float32 is left as it is, below 0 and NaN too, but for an explicit
        saturation.
    clipped : int
        How many pixels hold something else than their nearest number: those above the saturation value, and of
        whole numbers those below `LOWEST` and NaN.

    Raises
    ------
    InputError
        The dtype is none of the three, or cannot hold the saturation value.
    """
    if dtype not in DTYPES:
        raise InputError(f"dtype {dtype!r}: allowed are {', '.join(DTYPES)}")
    image = np.ascontiguousarray(photons)
    if dtype == "float32":
        return _float_pixels(image, saturation)
    top = SATURATION[dtype] if saturation is None else _checked_saturation(saturation, dtype)
    low = LOWEST[dtype]
    pixels: NDArray[np.int32] | NDArray[np.uint16] = np.empty(image.shape, dtype=dtype)
    source, target = image.reshape(-1), pixels.reshape(-1)
    if source.size and source.dtype.kind in "iu" and low <= source.min() and source.max() <= top:
        target[:] = source
        return pixels, 0
    value = np.empty(min(_BLOCK, source.size), dtype=np.float64)
    clipped = 0
    for start in range(0, source.size, _BLOCK):
        block = source[start : start + _BLOCK]
        nearest = value[: block.size]
        np.rint(block, out=nearest, dtype=np.float64)
        kept = np.count_nonzero((nearest >= low) & (nearest <= top))
        if kept < block.size:
            clipped += block.size - int(kept)
            np.nan_to_num(nearest, copy=False, nan=0.0, posinf=top, neginf=low)
            np.clip(nearest, low, top, out=nearest)
        target[start : start + _BLOCK] = nearest
    return pixels, clipped


def largest_good(saturation: float) -> int:
    """Return the largest value that no clipped pixel has: readers exist that take the one they are told for good."""
    return math.floor(saturation) - 1


def saturation_value(dtype: str, saturation: float | None = None) -> float:
    """Return the largest value that `to_dtype` leaves in an image; infinity for float32 without a saturation."""
    if saturation is not None:
        return saturation if dtype == "float32" else _checked_saturation(saturation, dtype)
    return SATURATION.get(dtype, math.inf)


def _checked_saturation(saturation: float, dtype: str) -> int:
    largest = int(np.iinfo(dtype).max)
    if not 0 <= saturation <= largest:
        raise InputError(f"saturation value {saturation:g}: allowed are 0 to {largest} for {dtype}")
    return math.floor(saturation)


def _float_pixels(image: NDArray[np.generic], saturation: float | None) -> tuple[Pixels, int]:
    pixels = image.astype(np.float32, copy=False)
    if saturation is None:
        return pixels, 0
    if math.isnan(saturation):
        raise InputError("saturation value nan: allowed are numbers")
    above = int(np.count_nonzero(pixels > saturation))
    return (np.minimum(pixels, np.float32(saturation)) if above else pixels), above
