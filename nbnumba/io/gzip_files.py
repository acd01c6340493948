"""Files that a library reads: gzip'ed ones, and what goes wrong in it."""

from __future__ import annotations

import contextlib
import gzip
import os
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
def named(data: bytes) -> Iterator[str]:
    """Give a name under which a library that opens files itself finds some bytes."""
    if hasattr(os, "memfd_create") and Path("/proc/self/fd").is_dir():
        with os.fdopen(os.memfd_create("nbnumba"), "wb") as file:
            file.write(data)
            file.flush()
            yield f"/proc/self/fd/{file.fileno()}"
        return
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "copy"
        copy.write_bytes(data)
        yield str(copy)


def unpacked(path: PathLike, option: str) -> bytes:
    """Return the content of a file, unpacked if gzip packed it."""
    with opened(path, option) as file:
        return unpacked_data(file.read(), label(option, path))


def unpacked_data(data: bytes, place: str) -> bytes:
    """Return the content of a file that has been read, unpacked if gzip packed it."""
    if not data.startswith(GZIP):
        return data
    try:
        return gzip.decompress(data)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise InputError(f"{place}: cannot be unpacked: {error}") from error
