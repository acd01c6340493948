"""Masks of a detector: which pixels are rendered, from an SMV image, CBF, HDF5, TIFF or NumPy file."""

from __future__ import annotations

import os
import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import FileError, InputError, NbnumbaError
from ..util.memory import check_image_fits
from . import cbf, npy, smv
from .atomic import PathLike, whole_file
from .contents import content_of
from .guarded import fabio_image, read_apart
from .nexus import checksums
from .opening import label, opened

Mask = NDArray[np.bool_]

# Of an NXmx file, and of plain ones.
_PLACES = (
    "/entry/instrument/detector/pixel_mask",
    "/entry/instrument/detector/detectorSpecific/pixel_mask",
    "/pixel_mask",
    "/mask",
)
_SIGNATURES = {
    b"\x89HDF\r\n\x1a\n": "HDF5",
    b"###CBF": "CBF",
    b"II*\0": "TIFF",
    b"MM\0*": "TIFF",
    b"\x93NUMPY": "NumPy",
}


def write(path: PathLike, mask: Mask, header: bytes) -> None:
    """Write a mask that `-mask` reads: 1 where a pixel counts, else 0.

    Parameters
    ----------
    path : str or path
        With the ending .npy a NumPy array of uint8, else an SMV image of uint16.
    mask : (n_slow, n_fast) bool
    header : bytes
        Of the SMV image.

    Raises
    ------
    FileError
        The file cannot be written.
    """
    if os.fspath(path).lower().endswith(".npy"):
        with whole_file(path) as file:
            np.lib.format.write_array(file, mask.astype(np.uint8), allow_pickle=False)
    else:
        smv.write(path, mask.astype(np.uint16), header)


@dataclass(frozen=True, eq=False)
class SmvMask:
    """An SMV image: its header, which counts for itself, and the mask, or why there is none."""

    header: smv.SmvHeader
    mask: Mask | InputError


def begin(path: PathLike, option: str = "") -> SmvMask | str:
    """Read a mask as a whole where it is an SMV image, and return the name of its format where it is another.

    Raises
    ------
    FileError
        The file is missing or unreadable.
    InputError
        It has the beginning of no format.
    """
    with opened(path, option) as file:
        start = file.peek(8)  # type: ignore[attr-defined]
        form = next((name for signature, name in _SIGNATURES.items() if start.startswith(signature)), None)
        if form is not None:
            return form
        place = label(option, path)
        header = smv.header_from(file, place)
        try:
            return SmvMask(header, np.asarray(smv.image_from(file, header, place).data != 0))
        except InputError as error:
            return SmvMask(header, error)


def read(path: PathLike, option: str = "") -> Mask:
    """Read which pixels are to be rendered, (n_slow, n_fast).

    SMV, TIFF and NumPy files skip a pixel of 0 or False, a CBF one below 0, an HDF5 file one whose pixel mask is not 0.

    Raises
    ------
    FileError
        The file is missing or unreadable.
    InputError
        It holds no mask.
    """
    place, form = label(option, path), content_of(begin, os.fspath(path), option)
    if isinstance(form, SmvMask):
        if isinstance(form.mask, InputError):
            raise form.mask
        return form.mask
    try:
        if form == "CBF":
            return np.asarray(_cbf(path, option) >= 0)
        if form == "HDF5":
            ours = checksums.check(path, option, foreign=False)
            found = hdf5_mask(path, option) if ours else read_apart(hdf5_mask, os.fspath(path), option)
            return np.asarray(found == 0)
        values = _tiff(path, place) if form == "TIFF" else _npy(path, option)
    except NbnumbaError:
        raise
    except OSError as error:
        raise FileError(f"{place}: cannot be read: {error}") from error
    except Exception as error:  # malformed files make readers fail in many ways
        raise InputError(f"{place}: cannot be read as a mask ({form}): {error}") from None
    if values.ndim != 2 or values.dtype.kind not in "buif":
        raise InputError(f"{place}: holds {values.dtype} of shape {values.shape}; a mask has two axes of numbers")
    check_image_fits(place, int(values.size))
    return np.asarray(values != 0)


def _cbf(path: PathLike, option: str) -> NDArray[Any]:
    try:
        return cbf.read(path, option)
    except cbf.OtherCoding:
        pixels = fabio_image(os.fspath(path), 0)[2]
        if pixels is None:
            raise ValueError("no image") from None
        return pixels


def hdf5_mask(path: PathLike, option: str) -> NDArray[Any]:
    """Read the pixel mask of an HDF5 file in this process, whatever the library does with the file."""
    from .nexus import file as nexus_file
    from .nexus.filters import register_filters

    register_filters()
    place = label(option, path)
    with nexus_file.read_any(path, option) as file:
        for name in _PLACES:
            if name in file and getattr(file[name], "ndim", 0) == 2:
                check_image_fits(place, file[name].size * file[name].dtype.itemsize)
                return np.asarray(file[name][()])
    raise InputError(f"{place}: holds no pixel mask of two axes; looked for: {', '.join(_PLACES)}")


def _npy(path: PathLike, option: str) -> NDArray[Any]:
    with opened(path, option) as file:
        npy.check_header(file)
        values: NDArray[Any] = np.load(file, allow_pickle=False)
        return values


def _tiff(path: PathLike, place: str) -> NDArray[Any]:
    from PIL import Image

    with warnings.catch_warnings():
        warnings.simplefilter("error")  # of files that state a size beyond all reason
        with Image.open(path) as image:
            return np.asarray(image)
