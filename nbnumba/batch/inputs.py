"""The files that a batch reads: what was in them when it was begun, and whether that is so still."""

from __future__ import annotations

import contextlib
import hashlib
import stat
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from ..errors import FileError, InputError, NbnumbaError
from ..io.atomic import reason
from ..io.opening import opened

_BLOCK = 1 << 20  # bytes

Digests = Mapping[str, str]
"""SHA-256 of the content of files, by their whole paths."""


def digest(path: str) -> str:
    """Return the digest of a file.

    Raises
    ------
    FileError
        The file cannot be read, or is a pipe, which can be read once only.
    """
    _state(path)
    total = hashlib.sha256()
    with opened(path) as file:
        while data := file.read(_BLOCK):
            total.update(data)
    return total.hexdigest()


@contextlib.contextmanager
def unchanged(expected: Digests) -> Iterator[None]:
    """Make sure that files which are read in the block hold what they held when the batch was begun.

    Raises
    ------
    InputError
        A file has changed, before the block or in it.
    FileError
        A file cannot be read any more.
    """
    before = {path: _state(path) for path in expected}
    _compare(expected, expected)
    try:
        yield
    except NbnumbaError:
        _compare([path for path in expected if _state(path) != before[path]], expected)
        raise
    _compare([path for path in expected if _state(path) != before[path]], expected)


def _compare(paths: Iterable[str], expected: Digests) -> None:
    for path in paths:
        if digest(path) != expected[path]:
            raise InputError(
                f"{path}: has changed since the batch was begun; put back what it was, or begin the batch anew in "
                "another folder"
            )


def _state(path: str) -> tuple[int, ...]:
    """Return what changes when a file is written or exchanged for another."""
    try:
        state = Path(path).stat()
    except OSError as error:
        raise FileError(f"{path}: cannot be read: {reason(error)}") from error
    if stat.S_ISFIFO(state.st_mode):
        raise FileError(f"{path}: is a pipe; a batch reads its files more than once")
    return state.st_dev, state.st_ino, state.st_size, state.st_mtime_ns, state.st_ctime_ns
