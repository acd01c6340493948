"""Opening what a user gave: what every reader's messages begin with is made here."""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Iterator
from typing import IO, Any, BinaryIO, NoReturn

from ..errors import FileError, InputError
from ..util.text import quote
from .atomic import PathLike, reason

_TEXT_LIMIT = 1 << 28  # bytes; small text files of other kinds than reflection lists are read in one piece
_USUAL = 1 << 16  # bytes; most are smaller, and memory for the longest need not be asked for


def label(option: str, path: PathLike, line: int | None = None) -> str:
    """Return what a message about a file begins with, e.g. ``-hkl P1.hkl, line 12``."""
    text = f"{option} {os.fspath(path)}".strip()
    return text if line is None else f"{text}, line {line}"


@contextlib.contextmanager
def opened(path: PathLike, option: str = "") -> Iterator[BinaryIO]:
    """Open an input file; anything that goes wrong with the file becomes one line.

    Raises
    ------
    FileError
        The file is missing or cannot be read, or is a folder or a device.
    InputError
        The name is empty or holds a null character.
    """
    name = os.fspath(path)
    if not name or "\0" in name:
        raise InputError(f"{label(option, quote(name))}: not a file name")
    try:
        with open(name, "rb") as file:  # noqa: PTH123 twice as fast, and many files are small
            refuse_device(file, label(option, name))
            yield file
    except (FileError, InputError, BrokenPipeError):  # the last is a reader of our report that went away
        raise
    except OSError as error:
        _fail(option, name, error)


def is_folder(path: PathLike) -> bool:
    """Tell whether there is such a folder; of a name that the system refuses, the reader of the file says why."""
    return os.path.isdir(path)  # noqa: PTH112 that of pathlib raises for names that are too long


def refuse_device(file: IO[Any], place: str) -> None:
    """Raise FileError, with the place of a message, for an open device: one such as /dev/zero never ends."""
    mode = os.fstat(file.fileno()).st_mode
    if stat.S_ISCHR(mode) or stat.S_ISBLK(mode):
        raise FileError(f"{place}: is a device, not a file")


def _fail(option: str, name: str, error: OSError) -> NoReturn:
    raise FileError(f"{label(option, name)}: cannot be read: {reason(error)}") from error


def is_regular(file: BinaryIO) -> bool:
    """Whether an open file lies on a disk, so that it can be read twice and has a size."""
    return stat.S_ISREG(os.fstat(file.fileno()).st_mode)


def read_small(path: PathLike, option: str = "") -> bytes:
    """Return the whole of a small file.

    Raises
    ------
    FileError
        The file is missing or cannot be read.
    InputError
        The file is far too long to be what it should be.
    """
    with opened(path, option) as file:
        return _rest(file, label(option, path))


def _rest(file: BinaryIO, place: str, start: bytes = b"") -> bytes:
    """Return the whole of an open file, of which the start was read."""
    data = start + file.read(_USUAL)
    if len(data) >= _USUAL:
        data += file.read(_TEXT_LIMIT + 1 - len(data))
    if len(data) > _TEXT_LIMIT:
        raise InputError(f"{place}: longer than {_TEXT_LIMIT} bytes, not a small text file")
    return data


def read_text(path: PathLike, option: str = "") -> str:
    """Return the whole of a small text file; raises as `read_small`.

    Bytes outside ASCII, which only comments should hold, come back as the letters of Latin-1; a byte
    order mark is dropped.
    """
    return _text(read_small(path, option))


def rest_as_text(file: BinaryIO, place: str, start: bytes) -> str:
    """Return the whole of an open text file, of which the start was read; see `read_text`."""
    return _text(_rest(file, place, start))


def _text(data: bytes) -> str:
    return data.removeprefix(b"\xef\xbb\xbf").decode("latin-1")
