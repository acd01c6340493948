"""The file below an HDF5 file that is being written, which hides from the library that the disk is full."""

from __future__ import annotations

import io
import os
from typing import TYPE_CHECKING, BinaryIO

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer, WriteableBuffer


class Sink(io.RawIOBase):
    """A new file that keeps its failures to itself until it is asked.

    The library crashes where a write fails, and where it does not find again what it wrote. So what cannot be
    written, and all that is written after it, is kept in memory, and read from there, until the file is given up:
    the caller checks after every step.

    Parameters
    ----------
    file : binary file
        Empty, open for writing and reading; it stays open when the sink is closed.
    """

    def __init__(self, file: BinaryIO) -> None:
        super().__init__()
        self._descriptor = file.fileno()
        self._position = 0
        self._size = 0
        self._kept: list[tuple[int, bytes]] = []
        self._failure: OSError | None = None

    def check(self) -> None:
        """Raise what has gone wrong so far."""
        if self._failure is not None:
            raise self._failure

    def readable(self) -> bool:
        """Tell that it can be read."""
        return True

    def writable(self) -> bool:
        """Tell that it can be written."""
        return True

    def seekable(self) -> bool:
        """Tell that every place in it can be reached."""
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET, /) -> int:
        """Go to a place."""
        self._position = offset + {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: self._size}[whence]
        return self._position

    def tell(self) -> int:
        """Return the place."""
        return self._position

    def write(self, data: ReadableBuffer, /) -> int:
        """Write all of the data, or remember why not and keep them."""
        rest = memoryview(data).cast("B")
        size = len(rest)
        self._size = max(self._size, self._position + size)
        try:
            while len(rest) and self._failure is None:
                written = os.pwrite(self._descriptor, rest, self._position)
                rest = rest[written:]
                self._position += written
        except OSError as error:
            self._failure = error
        if len(rest):
            self._kept.append((self._position, bytes(rest)))
            self._position += len(rest)
        return size

    def readinto(self, buffer: WriteableBuffer, /) -> int:
        """Read what was written, to the end of the buffer or of the file."""
        view = memoryview(buffer).cast("B")
        first = self._position
        last = max(first, min(first + len(view), self._size))
        found = os.pread(self._descriptor, last - first, first)
        view[: len(found)] = found
        view[len(found) : last - first] = bytes(last - first - len(found))
        for start, data in self._kept:
            low, high = max(start, first), min(start + len(data), last)
            if low < high:
                view[low - first : high - first] = data[low - start : high - start]
        self._position = last
        return last - first

    def truncate(self, size: int | None = None, /) -> int:
        """Set the size, or remember why not."""
        self._size = self._position if size is None else size
        try:
            if self._failure is None:
                os.ftruncate(self._descriptor, self._size)
        except OSError as error:
            self._failure = error
        return self._size
