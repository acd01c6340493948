"""HDF5 files opened for writing whole and for reading, with the library's failures said in one line."""

from __future__ import annotations

import contextlib
import errno
import os
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from ..errors import InputError
from .atomic import PathLike, whole_path
from .reading import label, opened

if TYPE_CHECKING:
    import h5py

_ERRNO = re.compile(r"errno = (\d+)")


@contextlib.contextmanager
def written(path: PathLike) -> Iterator[h5py.File]:
    """Open a new HDF5 file that takes its name when the block ends without an exception.

    Raises
    ------
    FileError
        The file cannot be written, or the disk is full.
    InputError
        The name is empty or holds a null character.
    """
    import h5py

    with whole_path(path) as temporary:
        file = None
        try:
            file = h5py.File(temporary, "w")
            yield file
            file.close()
        except (OSError, RuntimeError) as error:
            # The library words its errors itself, over several lines, and leaves `errno` empty.
            number = _ERRNO.search(str(error))
            if number is None or isinstance(error, RecursionError):
                raise
            raise OSError(int(number[1]), os.strerror(int(number[1]))) from error
        finally:
            if file is not None:
                with contextlib.suppress(OSError, RuntimeError):
                    file.close()


@contextlib.contextmanager
def read(path: PathLike, option: str = "") -> Iterator[h5py.File]:
    """Open an NXmx file.

    Raises
    ------
    FileError
        The file is missing or cannot be read.
    InputError
        It is no HDF5 file, or holds no images where the format has them.
    """
    import h5py
    import hdf5plugin  # noqa: F401  # registers the filters that images are compressed with

    from .nexus_writing import DATA

    name = label(option, path)
    with opened(path, option):
        pass
    try:
        file = h5py.File(path, "r")
    except OSError as error:
        number = _ERRNO.search(str(error))
        if number is not None and int(number[1]) not in (0, errno.EINVAL):
            raise InputError(f"{name}: cannot be read: {os.strerror(int(number[1])).lower()}") from error
        raise InputError(f"{name}: not an HDF5 file, or cut short") from error
    with file:
        data = file.get(DATA)
        if not isinstance(data, h5py.Dataset) or data.ndim != 3:
            raise InputError(f"{name}: no images: a NeXus file of images has a dataset {DATA} of three axes")
        yield file
