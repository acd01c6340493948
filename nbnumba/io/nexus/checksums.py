"""Checksums behind an HDF5 file: of each image as it is stored, and of all other bytes.

They stand after the end of what the HDF5 library reads, so that every other program opens the file as ever. Whoever
reads images checks them before the library decompresses anything: its decoder and its own structures trust what
they find, and damaged bytes crash them or come back as other pixels.

Notes
-----
Behind the HDF5 file of E bytes come, little-endian: for each image its offset and stored size (two uint64) and the
SHA-256 of those bytes; then the SHA-256 of the E bytes less the images; the number of images (uint64); eight letters;
and the SHA-256 of all this.
"""

from __future__ import annotations

import hashlib
import os
import stat
import struct
import threading
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, NamedTuple

from ...errors import InputError
from ..atomic import PathLike
from ..opening import label, opened

if TYPE_CHECKING:
    import h5py

_MAGIC = b"nbnumba1"
_SIGNATURE = b"\x89HDF\r\n\x1a\n"
_IMAGE = struct.Struct("<QQ32s")
_FOOT = struct.Struct("<32sQ8s")
_OWN = 32  # bytes of the last digest
_BLOCK = 1 << 22


class Extent(NamedTuple):
    """Where an image is stored."""

    offset: int
    size: int


class Checksums(NamedTuple):
    """What stands behind a file.

    Attributes
    ----------
    end : int
        Of the HDF5 file.
    images : tuple of (Extent, bytes)
        In the order of the images.
    rest : bytes
        Digest of all else.
    """

    end: int
    images: tuple[tuple[Extent, bytes], ...]
    rest: bytes


class Damaged(InputError):
    """Bytes of a file are not those that were written."""


def image_extents(dataset: h5py.Dataset) -> list[Extent]:
    """Return where the images of a dataset are stored; nothing where it is only a view of other files.

    The file must have been flushed.
    """
    if dataset.chunks is None or dataset.chunks[1:] != dataset.shape[1:] or dataset.chunks[0] != 1:
        return []
    found = {}
    for index in range(dataset.id.get_num_chunks()):
        chunk = dataset.id.get_chunk_info(index)
        found[chunk.chunk_offset[0]] = Extent(chunk.byte_offset, chunk.size)
    return [found[image] for image in sorted(found)] if len(found) == len(dataset) else []


def append(file: BinaryIO, images: Sequence[Extent]) -> None:
    """Write the checksums of a finished HDF5 file behind it.

    Parameters
    ----------
    file : binary file
        Open for reading and writing.
    images : sequence of Extent
        From `image_extents`.
    """
    descriptor = file.fileno()
    end = os.fstat(descriptor).st_size
    lines = [_IMAGE.pack(*extent, _digest(descriptor, [extent])) for extent in images]
    foot = _FOOT.pack(_digest(descriptor, _rest(end, images)), len(images), _MAGIC)
    content = b"".join(lines) + foot
    file.seek(end)
    file.write(content + hashlib.sha256(content).digest())


def _rest(end: int, images: Iterable[Extent]) -> list[Extent]:
    """Return what lies between images, to the end of the file."""
    parts, place = [], 0
    for image in sorted(images):
        if image.offset > place:
            parts.append(Extent(place, image.offset - place))
        place = max(place, image.offset + image.size)
    return [*parts, Extent(place, end - place)] if end > place else parts


def _digest(descriptor: int, extents: Iterable[Extent]) -> bytes:
    total = hashlib.sha256()
    for offset, size in extents:
        done = 0
        while done < size:
            data = os.pread(descriptor, min(_BLOCK, size - done), offset + done)
            if not data:
                break
            total.update(data)
            done += len(data)
    return total.digest()


def read(file: BinaryIO) -> Checksums | None:
    """Return what stands behind a file; None where nothing does.

    Raises
    ------
    Damaged
        It is not what was written.
    """
    descriptor = file.fileno()
    size = os.fstat(descriptor).st_size
    tail = _FOOT.size + _OWN
    if size < tail:
        return None
    foot = os.pread(descriptor, tail, size - tail)
    rest, count, magic = _FOOT.unpack(foot[: _FOOT.size])
    if magic != _MAGIC:
        return None
    end = size - tail - count * _IMAGE.size
    if end < 0:
        raise Damaged("the number of its checksums")
    lines = os.pread(descriptor, count * _IMAGE.size, end)
    if hashlib.sha256(lines + foot[: _FOOT.size]).digest() != foot[_FOOT.size :]:
        raise Damaged("its checksums")
    images = tuple((Extent(offset, stored), digest) for offset, stored, digest in _IMAGE.iter_unpack(lines))
    return Checksums(end, images, rest)


def check(path: PathLike, option: str = "", *, images: bool = False, foreign: bool = True) -> bool:
    """Check a file, without its images or with them; return False where it has no checksums.

    Parameters
    ----------
    path : str or path
    option : str
        The option that named the file, for messages.
    images : bool
        Check the images too.
    foreign : bool
        Let the HDF5 library try a file without checksums in another process, to see whether it survives that.

    Raises
    ------
    FileError
        The file is missing or cannot be read.
    Damaged
        Bytes of it are not those that were written.
    """
    with opened(path, option) as file:
        try:
            if _check(file, images):
                return True
        except Damaged as error:
            raise Damaged(f"{label(option, path)}: is damaged: {error} are not those that were written") from None
        if foreign:
            _try(path, option, file)
    return False


def _try(path: PathLike, option: str, file: BinaryIO, dataset: str = "", images: Iterable[int] = ()) -> None:
    """Let the library try a file without checksums, or images of it, once; what is no HDF5 file is left alone."""
    from ..guarded import try_hdf5

    wanted = tuple(images)
    key = (_key(file), dataset, wanted)
    file.seek(0)
    if key[0] is None or key in _survived or file.read(len(_SIGNATURE)) != _SIGNATURE:
        return
    try:
        try_hdf5(os.fspath(path), dataset, wanted)
    except InputError as error:
        raise Damaged(f"{label(option, path)}: is damaged: the HDF5 library {error} on it") from None
    with _lock:
        if len(_survived) > _MOST:
            _survived.clear()
        _survived.add(key)


def _check(file: BinaryIO, images: bool) -> bool:
    key = _key(file)
    if key is None:
        return False
    found = _checked(file, key)
    if found is None:
        return False
    if images:
        for number, (extent, digest) in enumerate(found.images):
            if _digest(file.fileno(), [extent]) != digest:
                raise Damaged(f"the bytes of image {number}")
    return True


def check_images(dataset: h5py.Dataset, images: Iterable[int]) -> None:
    """Check images as they are stored, those of the files that a master shows too, before they are decompressed.

    Parameters
    ----------
    dataset : h5py.Dataset
        Images along its first axis, of a file that is open.
    images : iterable of int
        Which will be read.

    Raises
    ------
    FileError
        A file that a master shows is missing or cannot be read.
    Damaged
        Bytes of a file are not those that were written.
    """
    path = Path(dataset.file.filename)
    if not dataset.is_virtual:
        _check_stored(path, images, dataset.name)
    elif check(path):  # ours
        wanted = sorted(images)
        for source in dataset.virtual_sources():
            (first, *_), (last, *_) = source.vspace.get_select_bounds()
            inside = [image - first for image in wanted if first <= image <= last]
            if inside:
                _check_stored(path.parent / source.file_name.replace("%%", "%"), inside)


def _check_stored(path: Path, images: Iterable[int], dataset: str = "") -> None:
    ours = check(path)
    with opened(path) as file:
        key = _key(file)
        found = _checked(file, key) if ours and key is not None else None
        if found is None:
            return _try(path, "", file, dataset, images)
        for image in images:
            if image < len(found.images):
                extent, digest = found.images[image]
                if _digest(file.fileno(), [extent]) != digest:
                    raise Damaged(f"{path}: is damaged: the bytes of image {image} are not those that were written")
        return None


_Key = tuple[int, ...]
_MOST = 256  # files whose checksums are remembered
_remembered: OrderedDict[_Key, Checksums] = OrderedDict()
_survived: set[tuple[_Key | None, str, tuple[int, ...]]] = set()  # by the HDF5 library, of files without checksums
_lock = threading.Lock()


def _key(file: BinaryIO) -> _Key | None:
    """Return what identifies a file and changes when it is written; None for what is not a file on a disk."""
    state = os.fstat(file.fileno())
    if not stat.S_ISREG(state.st_mode):
        return None
    return state.st_dev, state.st_ino, state.st_size, state.st_mtime_ns, state.st_ctime_ns


def _checked(file: BinaryIO, key: _Key) -> Checksums | None:
    """Return the checksums of a file, of which all but the images has been checked once."""
    with _lock:
        found = _remembered.get(key)
    if found is not None:
        return found
    found = read(file)
    if found is None:
        return None
    extents = [extent for extent, _ in found.images]
    if _digest(file.fileno(), _rest(found.end, extents)) != found.rest:
        raise Damaged("bytes outside the images")
    with _lock:
        _remembered[key] = found
        while len(_remembered) > _MOST:
            _remembered.popitem(last=False)
    return found
