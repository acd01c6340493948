"""Files that a library reads: gzip'ed ones, and what goes wrong in it."""

from __future__ import annotations

import contextlib
import gzip
import tempfile
import zlib
from collections.abc import Iterator
from pathlib import Path

from ..errors import InputError, NbnumbaError
from .atomic import PathLike
from .opening import label, opened

GZIP = b"\x1f\x8b"


@contextlib.contextmanager
def understood(place: str, what: str) -> Iterator[None]:
    """Turn a failure of the library that reads a file into one line."""
    try:
        yield
    except NbnumbaError:
        raise
    except (RuntimeError, ValueError, OSError, IndexError, MemoryError) as error:
        detail = " ".join(str(error).split())[:200]
        raise InputError(f"{place}: not a readable {what}: {detail}") from error


@contextlib.contextmanager
def plain_name(path: PathLike, option: str) -> Iterator[str]:
    """Give the name of an unpacked file: names that are no text, and packed files, are copied first."""
    name = str(path)
    with opened(path, option) as file:
        packed = file.read(2) == GZIP
    readable = True
    try:
        name.encode("utf-8")
    except UnicodeEncodeError:
        readable = False
    if readable and not packed:
        yield name
        return
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "reflections.mtz"
        copy.write_bytes(unpacked(path, option))
        yield str(copy)


def unpacked(path: PathLike, option: str) -> bytes:
    """Return the content of a file, unpacked if gzip packed it."""
    with opened(path, option) as file:
        data = file.read()
    if not data.startswith(GZIP):
        return data
    try:
        return gzip.decompress(data)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise InputError(f"{label(option, path)}: cannot be unpacked: {error}") from error
