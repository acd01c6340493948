"""Images of other programs: HDF5, NumPy, PGM, PNG, and whatever FabIO reads (CBF, TIFF, EDF, ...)."""

from __future__ import annotations

import bz2
import gzip
import math
import tokenize
import zlib
from collections.abc import Iterator
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError, NbnumbaError
from ..experiment.geometry_only import build_geometry
from ..io import cbf, npy
from ..io.guarded import fabio_image, hdf5_pixels
from ..io.opening import opened
from ..parameters.command import CommandLine
from ..util.memory import check_image_fits
from ..util.messages import logger
from ..util.signals import signals_wait
from ..util.text import quote
from . import registry
from .headers import settings_beside
from .records import ImageRecord, LoadedImage, Source, image_of_options

_FLOAT64 = 8  # bytes
_BLOCK = 1 << 20  # bytes


def read(path: str, typed: CommandLine, geometry: bool = True) -> Iterator[ImageRecord]:
    """Read the pixels of an image whose geometry the options of a command line tell."""
    form = registry.recognized(registry.beginning(path)) or registry.OTHER
    values = form.load(Source(path)).values
    n_slow, n_fast = values.shape
    settings = settings_beside(typed, {"pixels_fast": n_fast, "pixels_slow": n_slow})
    yield image_of_options(path, values, *build_geometry(settings))


def single(source: Source, image: LoadedImage) -> LoadedImage:
    """Return the only image of a file, unless another was asked for."""
    if source.image not in (None, 1):
        raise InputError(f"{source.path}: holds one image; image {source.image} was asked for")
    return image


def load_numpy(source: Source) -> LoadedImage:
    """Read an image of an array, or of a stack of arrays."""
    with opened(source.path) as file:
        try:
            npy.check_header(file)
            values = np.load(file, allow_pickle=False)
        except (ValueError, EOFError, OverflowError, SyntaxError, TypeError, tokenize.TokenError) as error:
            raise InputError(f"{source.path}: not readable as a NumPy array: {_first_line(error)}") from None
    return _pick(source, "NumPy", values)


def _pick(source: Source, kind: str, values: Any) -> LoadedImage:
    """Take the image asked for from an array of 2, 3 (image, slow, fast) or 4 (image, panel, slow, fast) axes."""
    if values.ndim not in (2, 3, 4) or values.dtype.kind not in "biuf" or 0 in values.shape:
        raise InputError(f"{source.path}: holds an array of shape {values.shape} and type {values.dtype}, not an image")
    image = _chosen(source, 1 if values.ndim == 2 else values.shape[0])
    pixels = math.prod(values.shape if values.ndim == 2 else values.shape[1:])
    check_image_fits(source.path, pixels * (values.dtype.itemsize + _FLOAT64))
    chosen = np.asarray(values if values.ndim == 2 else values[image], dtype=np.float64)
    return LoadedImage(source.path, kind, chosen.reshape(-1, chosen.shape[-1]))  # panels under one another


def _chosen(source: Source, count: int) -> int:
    """Return the index, from 0, of the image asked for."""
    number = source.image
    if number is None and count > 1:
        logger.warning(f"{source.path}: holds {count} images; the first is taken (-image N chooses)")
    number = number or 1
    if not 1 <= number <= count:
        raise InputError(f"{source.path}: image {number} was asked for; allowed are 1 to {count}")
    return number - 1


def load_hdf5(source: Source) -> LoadedImage:
    """Read an image of an HDF5 file of any program."""
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
            foreign = _is_foreign(dataset)
            if dataset.ndim == 3 and not foreign:
                check_images(dataset, [index])
            pixels = _Guarded(dataset) if foreign else dataset
            image = _pick(Source(source.path, index + 1), f"HDF5 {dataset.name}", pixels)
            return LoadedImage(
                source.path if sum(counts) == 1 else f"{source.path}, image {source.image or 1}",
                image.kind,
                image.values,
            )
        index -= count
    raise AssertionError("index lies inside the counts")


def _is_foreign(dataset: Any) -> bool:
    """Whether a dataset is decompressed without checksums of ours: decoders crash on some damaged bytes."""
    from ..io.nexus.checksums import check

    packed = dataset.is_virtual or dataset.id.get_create_plist().get_nfilters() > 0
    return packed and not check(dataset.file.filename, foreign=False)


class _Guarded:
    """A dataset of an HDF5 file whose values are read by another process, which may crash."""

    def __init__(self, dataset: Any) -> None:
        self._place = dataset.file.filename, dataset.name
        self.shape, self.ndim, self.dtype = dataset.shape, dataset.ndim, dataset.dtype

    def __getitem__(self, index: int | None) -> NDArray[Any]:
        path, name = self._place
        try:
            return hdf5_pixels(path, name, index)
        except InputError as error:
            said = str(error)
            if said in ("crashes", "does not come to an end"):
                raise InputError(f"{path}: is damaged: the HDF5 library {said} on it") from None
            raise InputError(f"{path}: not readable as HDF5: {said}") from None

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        return np.asarray(self[None], dtype)


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
            return np.asarray(_Guarded(mask) if _is_foreign(mask) else mask).reshape(shape) != 0
    return None


def load_by_pillow(source: Source) -> LoadedImage:
    """Read a picture of gray values."""
    from PIL import Image

    try:
        with Image.open(source.path) as picture:
            if len(picture.getbands()) != 1 or picture.mode == "P":
                raise InputError(f"{source.path}: a picture in color; one number per pixel is needed")
            values = np.array(picture, dtype=np.float64)
            kind = picture.format or "picture"
    except InputError:
        raise
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:  # a broken PNG is a SyntaxError
        raise InputError(f"{source.path}: cannot be read: {_first_line(error)}") from None
    return single(source, LoadedImage(source.path, kind, values))


def load_by_fabio(source: Source) -> LoadedImage:
    """Read an image of a format that is not ours."""
    _refuse_endless(source.path)
    try:
        kind, count, pixels = fabio_image(source.path, (source.image or 1) - 1)
    except InputError as error:
        if "No module named" in str(error):  # a codec that is not installed
            raise InputError(f"{source.path}: cannot be read: {error}") from None
        # Each format of FabIO fails in its own way, and with words about its own insides.
        with opened(source.path) as opened_file:
            start = opened_file.read(8)
        raise InputError(
            f"{source.path}: begins with {quote(start)}, but is not a whole image of a format that FabIO knows"
        ) from None
    _chosen(source, count)
    if pixels is None or pixels.ndim != 2 or pixels.size == 0 or pixels.dtype.kind not in "biuf":
        what = "nothing" if pixels is None else f"an array of shape {pixels.shape}"
        raise InputError(f"{source.path}: holds {what}, not an image")
    return LoadedImage(source.path, kind.upper(), pixels.astype(np.float64))


def _refuse_endless(path: str) -> None:
    """Refuse a CBF image without the mark before its pixels, which FabIO would look for without end."""
    unpacking: dict[bytes, Any] = {b"\x1f\x8b\x08": gzip.open, b"BZh": bz2.open}
    with opened(path) as file:
        unpack = unpacking.get(file.read(3))
        file.seek(0)
        try:
            endless = _lacks_mark(file if unpack is None else unpack(file))
        except (EOFError, OSError, ValueError, zlib.error) as error:
            raise InputError(f"{path}: cannot be unpacked: {_first_line(error)}") from None
    if endless:
        raise InputError(f"{path}: a CBF image that holds no pixels")


def _lacks_mark(content: IO[bytes]) -> bool:
    """Tell whether this is a CBF image without the mark before its pixels."""
    part = content.read(_BLOCK)
    if not part.startswith(b"###CBF"):
        return False
    while part:
        if cbf.START in part:
            return False
        block = content.read(_BLOCK)
        part = part[1 - len(cbf.START) :] + block if block else b""  # the mark may stand across two blocks
    return True


def _first_line(error: BaseException) -> str:
    text = str(error).strip()
    return text.splitlines()[0] if text else type(error).__name__
