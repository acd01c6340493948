"""Images of any kind: raw float32, SMV, HDF5, NumPy, PGM, PNG, and whatever FabIO reads (CBF, TIFF, EDF, ...)."""

from __future__ import annotations

import contextlib
import logging
import math
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import InputError, NbnumbaError
from ..io import floatfile, smv
from ..io.opening import opened
from ..util.messages import logger
from ..util.signals import signals_wait
from ..util.text import quote
from .pair import LoadedImage

_HDF5 = b"\x89HDF\r\n\x1a\n"
_NUMPY = b"\x93NUMPY"
_SMV = b"{\nHEADER_BYTES"
_PICTURES = (b"P5\n", b"P5 ", b"\x89PNG\r\n\x1a\n")
# Beginnings that no raw image has by chance. FabIO knows more of them, some as short as one byte.
_OTHERS = (
    b"###CBF",
    b"II*\x00",
    b"MM\x00*",
    b"II+\x00",
    b"MM+\x00",
    b"R-AXIS",
    b"FORMAT :",
    b"ESPERANTO FORMAT",
    b"{\r\nEDF",
    b"\n{\r\nEDF",
    b"\x1f\x8b\x08",
    b"BZh",
    b"\\$FFF_START",
)


@dataclass(frozen=True)
class Source:
    """A file to read an image from.

    Attributes
    ----------
    path : str
    image : int or None
        Which one of a file of several, counted from 1.
    """

    path: str
    image: int | None = None


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
    if start.startswith(_HDF5):
        return _read_hdf5(source)
    if start.startswith(_NUMPY):
        return _read_numpy(source)
    if start.startswith(_SMV):
        return _read_smv(source)
    if start.startswith(_PICTURES):
        return _read_by_pillow(source)
    if start.startswith(_OTHERS):
        return _read_by_fabio(source)
    return _read_raw_or_other(source, size, shape)


def _read_smv(source: Source) -> LoadedImage:
    try:
        image = smv.read(source.path)
    except InputError:
        with contextlib.suppress(InputError):
            return _read_by_fabio(source)  # it knows wider pixels
        raise
    return _single(source, LoadedImage(source.path, "SMV", image.data.astype(np.float64)))


def _states_its_shape(path: str) -> bool:
    return _start(path)[0].startswith((_HDF5, _NUMPY, _SMV, *_PICTURES, *_OTHERS))


def _start(path: str) -> tuple[bytes, int]:
    """Return the first bytes of a file and its size."""
    with opened(path) as file:
        start = file.read(32)
        return start, file.seek(0, 2)


def _single(source: Source, image: LoadedImage) -> LoadedImage:
    if source.image not in (None, 1):
        raise InputError(f"{source.path}: holds one image; image {source.image} was asked for")
    return image


def _read_raw_or_other(source: Source, size: int, shape: tuple[int, int] | None) -> LoadedImage:
    """Read a file that begins like none of the known formats."""
    path = source.path
    if shape is not None and size == 4 * shape[0] * shape[1]:
        return _read_raw(source, shape)
    if Path(path).suffix.lower() not in (".bin", ".raw", ".f32"):
        with contextlib.suppress(InputError):
            return _read_by_fabio(source)
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
    return _single(source, LoadedImage(source.path, "raw float32", values))


def _read_numpy(source: Source) -> LoadedImage:
    try:
        with opened(source.path) as file:
            values = np.load(file, allow_pickle=False)
    except (ValueError, EOFError) as error:
        raise InputError(f"{source.path}: not readable as a NumPy array: {_first_line(error)}") from None
    return _pick(source, "NumPy", values)


def _pick(source: Source, kind: str, values: Any) -> LoadedImage:
    """Take the image asked for from an array of 2, 3 (image, slow, fast) or 4 (image, panel, slow, fast) axes."""
    if values.ndim not in (2, 3, 4) or values.dtype.kind not in "biuf" or 0 in values.shape:
        raise InputError(f"{source.path}: holds an array of shape {values.shape} and type {values.dtype}, not an image")
    image = _chosen(source, 1 if values.ndim == 2 else values.shape[0])
    chosen = np.asarray(values if values.ndim == 2 else values[image], dtype=np.float64)
    return LoadedImage(source.path, kind, chosen.reshape(-1, chosen.shape[-1]))  # panels under one another


def _chosen(source: Source, count: int) -> int:
    """Return the index, from 0, of the image asked for."""
    number = source.image
    if number is None and count > 1:
        logger.warning(f"{source.path}: holds {count} images; the first is compared (-image N chooses)")
    number = number or 1
    if not 1 <= number <= count:
        raise InputError(f"{source.path}: image {number} was asked for; allowed are 1 to {count}")
    return number - 1


def _read_hdf5(source: Source) -> LoadedImage:
    from ..io.nexus import checksums
    from ..io.nexus.file import open_to_read
    from ..io.nexus.filters import register_filters

    register_filters()
    checksums.check(source.path)
    try:
        with signals_wait(), open_to_read(source.path) as file:
            sets = _image_sets(file)
            if not sets:
                raise InputError(f"{source.path}: no image in this HDF5 file (a numeric dataset of 2 to 4 axes)")
            image = _pick_from_sets(source, sets)
            mask = _pixel_mask(file, image.values.shape)
            return LoadedImage(image.name, image.kind, image.values, mask)
    except NbnumbaError:
        raise
    except (OSError, KeyError, RuntimeError) as error:
        # h5py reports a missing filter and broken content as OSError.
        raise InputError(f"{source.path}: not readable as HDF5: {_first_line(error)}") from None


def _pick_from_sets(source: Source, sets: list[Any]) -> LoadedImage:
    """Take the image asked for from datasets that follow one another."""
    from ..io.nexus.checksums import check_images

    counts = [1 if dataset.ndim == 2 else dataset.shape[0] for dataset in sets]
    index = _chosen(source, sum(counts))
    for dataset, count in zip(sets, counts, strict=True):
        if index < count:
            if dataset.ndim == 3:
                check_images(dataset, [index])
            image = _pick(Source(source.path, index + 1), f"HDF5 {dataset.name}", dataset)
            return LoadedImage(
                source.path if sum(counts) == 1 else f"{source.path}, image {source.image or 1}",
                image.kind,
                image.values,
            )
        index -= count
    raise AssertionError("index lies inside the counts")


def _image_sets(file: Any) -> list[Any]:
    """Return the datasets that hold the images: those that NeXus points to, else the largest one."""
    import h5py

    group = file
    for _ in range(3):
        name = group.attrs.get("default") or group.attrs.get("signal")
        name = name.decode() if isinstance(name, bytes) else name
        if not isinstance(name, str) or name not in group:
            break
        group = group[name]
        if isinstance(group, h5py.Dataset):
            return [group] if _is_image(group) else []
    data = file.get("entry/data")
    if isinstance(data, h5py.Group):
        if "data" in data and _is_image(data["data"]):
            return [data["data"]]
        found = _numbered_sets(data)
        if found:
            return found
    candidates: list[Any] = []

    def visit(name: str, item: Any) -> None:
        if _is_image(item) and "mask" not in name.rpartition("/")[2]:
            candidates.append(item)

    file.visititems(visit)
    return sorted(candidates, key=lambda dataset: -dataset.size)[:1]


def _numbered_sets(group: Any) -> list[Any]:
    """Return data_000001 and so on up to the first whose file is not there: later images would lose their number."""
    found: list[Any] = []
    for name in sorted(name for name in group if name.startswith("data_")):
        try:
            item = group[name]
        except (KeyError, OSError) as error:
            if not found:
                raise InputError(f"{group.file.filename}: {name}: {_first_line(error)}") from None
            break
        if _is_image(item):
            found.append(item)
    return found


def _is_image(item: Any) -> bool:
    shape = getattr(item, "shape", None)
    if shape is None or len(shape) not in (2, 3, 4) or 0 in shape:
        return False
    return item.dtype.kind in "biuf" and min(shape[-2:]) > 1


def _pixel_mask(file: Any, shape: tuple[int, ...]) -> Any:
    """Return the pixels that the file's own mask excludes, or None."""
    for name in ("entry/instrument/detector/pixel_mask", "entry/instrument/detector/detectorSpecific/pixel_mask"):
        mask = file.get(name)
        if mask is not None and mask.size == shape[0] * shape[1]:
            return np.asarray(mask).reshape(shape) != 0
    return None


def _read_by_pillow(source: Source) -> LoadedImage:
    from PIL import Image

    try:
        with Image.open(source.path) as picture:
            if len(picture.getbands()) != 1 or picture.mode == "P":
                raise InputError(f"{source.path}: a picture in colour; only one number per pixel can be compared")
            values = np.array(picture, dtype=np.float64)
            kind = picture.format or "picture"
    except InputError:
        raise
    except (OSError, ValueError, SyntaxError) as error:  # a broken PNG is a SyntaxError
        raise InputError(f"{source.path}: cannot be read: {_first_line(error)}") from None
    return _single(source, LoadedImage(source.path, kind, values))


def _read_by_fabio(source: Source) -> LoadedImage:
    try:
        with _quiet():
            import fabio

            with fabio.open(source.path) as file:
                index = _chosen(source, int(file.nframes))
                data = file.data if index == 0 else file.get_frame(index).data
                kind = type(file).__name__.removesuffix("Image").removesuffix("image") or "image"
                values = np.array(data, dtype=np.float64)
    except InputError:
        raise
    except ImportError as error:  # a codec that is not installed
        raise InputError(f"{source.path}: cannot be read: {_first_line(error)}") from None
    except Exception:  # each format of FabIO fails in its own way, and with words about its own insides
        with opened(source.path) as opened_file:
            start = opened_file.read(8)
        raise InputError(
            f"{source.path}: begins with {quote(start)}, but is no whole image of a format that FabIO knows"
        ) from None
    if values.ndim != 2 or values.size == 0:
        raise InputError(f"{source.path}: holds an array of shape {values.shape}, not an image")
    return LoadedImage(source.path, kind.upper(), values)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep FabIO's log and warnings from standard error; failures come as exceptions."""
    logger = logging.getLogger("fabio")
    level = logger.level
    logger.setLevel(logging.CRITICAL + 1)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)


def _first_line(error: BaseException) -> str:
    text = str(error).strip()
    return text.splitlines()[0] if text else type(error).__name__
