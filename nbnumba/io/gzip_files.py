"""Files that a library reads: gzip'ed ones, and what goes wrong in it."""

from __future__ import annotations

import contextlib
import gzip
import io
import os
import re
import tempfile
import zlib
from collections.abc import Iterator
from pathlib import Path

from ..errors import InputError, NbnumbaError
from ..util.memory import free_memory, gigabytes
from .atomic import PathLike
from .opening import label, opened

_LARGEST = 1 << 30  # bytes; the largest lists of reflections take a tenth
GZIP = b"\x1f\x8b"


@contextlib.contextmanager
def understood(place: str, what: str) -> Iterator[None]:
    """Turn a failure of the library that reads a file into one line."""
    try:
        yield
    except NbnumbaError:
        raise
    except (RuntimeError, ValueError, OSError, IndexError, MemoryError) as error:
        detail = re.sub(r"[: ]*/proc/self/fd/\d+", "", " ".join(str(error).split()))[:200]
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


def _largest() -> int:
    """Return how many bytes a file of reflections may hold, unpacked."""
    free = free_memory()
    return _LARGEST if free is None else min(_LARGEST, free // 4)


def unpacked(path: PathLike, option: str) -> bytes:
    """Return the content of a file, unpacked if gzip packed it."""
    most = _largest()
    with opened(path, option) as file:
        data = file.read(most + 1)
    if len(data) > most:
        raise InputError(f"{label(option, path)}: holds more than the {gigabytes(most)} GB that are free for it")
    return unpacked_data(data, label(option, path))


def unpacked_data(data: bytes, place: str) -> bytes:
    """Return the content of a file that has been read, unpacked if gzip packed it."""
    if not data.startswith(GZIP):
        return data
    most = _largest()
    try:
        # A few bytes can unpack to all of the memory.
        with gzip.GzipFile(fileobj=io.BytesIO(data)) as packed:
            content = packed.read(most + 1)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise InputError(f"{place}: cannot be unpacked: {error}") from error
    if len(content) > most:
        raise InputError(f"{place}: unpacks to more than the {gigabytes(most)} GB that are free for it")
    return content
