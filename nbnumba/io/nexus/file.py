"""HDF5 files opened for writing whole and for reading, with the library's failures said in one line."""

from __future__ import annotations

import contextlib
import errno
import os
import re
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, BinaryIO, Concatenate, ParamSpec, TypeVar

from ...errors import FileError, InputError, NbnumbaError
from ...util.signals import signals_wait
from ..atomic import PathLike, whole_file
from ..opening import label
from .checksums import Extent, append, check, image_extents
from .sink import Sink

if TYPE_CHECKING:
    import h5py

_P = ParamSpec("_P")
_T = TypeVar("_T")

_ERRNO = re.compile(r"errno = (\d+)")


class Writing:
    """A new HDF5 file that is being written; one thread at a time may use it.

    Neither failures nor interruptions may reach the library while it writes: it crashes some time later when they do.
    So signals wait while it works, and a full disk is kept from it.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._output = file
        self._sink = Sink(file)
        self._file: h5py.File | None = None

    def run(self, function: Callable[Concatenate[h5py.File, _P], _T], *args: _P.args, **kwargs: _P.kwargs) -> _T:
        """Call a function with the file, which should do nothing but write.

        Raises
        ------
        OSError
            Something could not be written, now or earlier.
        """
        with signals_wait():
            try:
                result = function(self._opened(), *args, **kwargs)
            except Exception:
                self._sink.check()  # what the library makes of a full disk has many names
                raise
            self._sink.check()
        return result

    def _opened(self) -> h5py.File:
        if self._file is None:
            import h5py

            self._file = h5py.File(self._sink, "w")
        return self._file

    def close(self) -> None:
        """Close the file.

        Raises
        ------
        OSError
            Something could not be written.
        """
        with signals_wait():
            images: list[Extent] = []
            if self._file is not None:
                self._file.flush()
                images = stored_images(self._file)
                self._file.close()
            self._sink.close()
            self._sink.check()
            append(self._output, images)


@contextlib.contextmanager
def written(path: PathLike) -> Iterator[Writing]:
    """Open a new HDF5 file that takes its name when the block ends without an exception.

    Raises
    ------
    FileError
        The file cannot be written, or the disk is full.
    InputError
        The name is empty or holds a null character.
    """
    with whole_file(path, seekable=True) as file:
        writing = Writing(file)
        try:
            yield writing
        except BaseException:
            with contextlib.suppress(OSError):
                writing.close()
            raise
        writing.close()


def stored_images(file: h5py.File) -> list[Extent]:
    """Return where the images of a file that is being written are stored."""
    from .layout import DATA

    return image_extents(file[DATA]) if DATA in file else []


def open_to_read(path: PathLike) -> h5py.File:
    """Open an HDF5 file for reading, without a lock.

    File systems of clusters often know no locks, and no file of ours changes once it has its name. The environment
    variable HDF5_USE_FILE_LOCKING, where it is set, decides in place of this.
    """
    import h5py

    return h5py.File(path, "r", locking=False)


@contextlib.contextmanager
def read(path: PathLike, option: str = "", *, images: bool = True) -> Iterator[h5py.File]:
    """Open an NXmx file, or without `images` one of ours that may hold none; signals wait until it is closed.

    Raises
    ------
    FileError
        The file is missing or cannot be read.
    InputError
        It is no HDF5 file, is damaged, or holds no images where the format has them.
    """
    from .filters import register_filters

    register_filters()
    name = label(option, path)
    check(path, option)
    with signals_wait():
        yield from _read(path, name, images)


def _read(path: PathLike, name: str, images: bool) -> Iterator[h5py.File]:
    import h5py

    from .layout import DATA

    with _opened(path, name) as file:
        data = file.get(DATA)
        if images and (not isinstance(data, h5py.Dataset) or data.ndim != 3):
            raise InputError(f"{name}: no images: a NeXus file of images has a dataset {DATA} of three axes")
        yield file


@contextlib.contextmanager
def read_any(path: PathLike, option: str = "") -> Iterator[h5py.File]:
    """Open any HDF5 file, whoever wrote it and whatever it holds; signals wait until it is closed.

    Raises
    ------
    FileError
        The file is missing or cannot be read.
    InputError
        It is no HDF5 file, or is damaged.
    """
    with signals_wait(), _opened(path, label(option, path)) as file:
        yield file


@contextlib.contextmanager
def _opened(path: PathLike, name: str) -> Iterator[h5py.File]:
    """Open a file, and let what goes wrong while it is open name it."""
    try:
        file = open_to_read(path)
    except OSError as error:
        number = _ERRNO.search(str(error))
        if number is not None and int(number[1]) not in (0, errno.EINVAL):
            raise FileError(f"{name}: cannot be read: {os.strerror(int(number[1])).lower()}") from error
        raise InputError(f"{name}: not an HDF5 file, or cut short") from error
    with _damage_named(name), file:
        yield file


@contextlib.contextmanager
def _damage_named(name: str) -> Iterator[None]:
    """Turn errors of the library, which does not know the file's name, into one line with that name."""
    try:
        yield
    except NbnumbaError:
        raise
    except OSError as error:
        if error.errno is not None:
            raise  # of another file
        raise InputError(f"{name}: is damaged: {error}") from error
    except (AttributeError, KeyError, RuntimeError, TypeError, ValueError) as error:
        raise InputError(f"{name}: is damaged, or lacks something: {error}") from error
