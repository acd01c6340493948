"""How much memory this process may still use."""

from __future__ import annotations

import os
from pathlib import Path

from ..errors import InputError

COMPILING_BYTES = 400_000_000  # of address space, for LLVM and the largest kernel
ASSUMED_FREE = 64_000_000  # bytes; what takes less is not worth reading the system's files for
OPENBLAS_BYTES = 70_000_000  # of address space, for each thread that OpenBLAS may start


def gigabytes(size: int) -> str:
    """Return a number of bytes in GB, for a message."""
    return format(size / 1e9, ".3g")


def check_image_fits(place: str, size: int) -> None:
    """Refuse to make an array that a file states, and that would fill the memory that is free.

    Parameters
    ----------
    place : str
        What the message begins with.
    size : int [bytes]
        Of all that has to be in memory at once.

    Raises
    ------
    InputError
        It is larger than the free memory.
    """
    free = too_little_memory(size)
    if free is not None:
        raise InputError(f"{place}: states an image that takes {gigabytes(size)} GB; {gigabytes(free)} GB are free")


def check_address_space_to_compile() -> None:
    """Refuse to compile where `ulimit -v` leaves too little for it.

    Numba loads SciPy's OpenBLAS, which asks for its buffers again and again, without end, where it cannot have them.

    Raises
    ------
    MemoryError
    """
    needed = COMPILING_BYTES + OPENBLAS_BYTES * (os.cpu_count() or 1)
    for left in _left_of_address_space():
        if left < needed:
            raise MemoryError(
                f"compiling takes {gigabytes(needed)} GB of address space; ulimit -v leaves {gigabytes(left)}"
            )


def _left_of_address_space() -> list[int]:
    """Return what `ulimit -v` leaves to this process, nothing where there is no limit."""
    try:
        import resource

        limit = resource.getrlimit(resource.RLIMIT_AS)[0]
        if limit == resource.RLIM_INFINITY:
            return []
        pages = int(Path("/proc/self/statm").read_text().split()[0])
        return [limit - pages * os.sysconf("SC_PAGE_SIZE")]
    except (ImportError, AttributeError, OSError, ValueError):
        return []


def too_little_memory(needed: float) -> int | None:
    """Return how many bytes this process may still use where more are needed, else None."""
    if needed <= ASSUMED_FREE:
        return None
    free = free_memory()
    return free if free is not None and needed > free else None


def free_memory() -> int | None:
    """Return how many bytes this process may still use; None where that cannot be found out."""
    found = []
    try:
        for line in Path("/proc/meminfo").read_text().splitlines():
            if line.startswith("MemAvailable:"):
                found.append(1024 * int(line.split()[1]))
    except OSError:  # not Linux
        try:
            found.append(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
        except (ValueError, OSError, AttributeError):
            return None
    found += _left_of_address_space()
    try:  # a container's own limit
        group = Path("/sys/fs/cgroup")
        limit = (group / "memory.max").read_text().strip()
        if limit != "max":
            found.append(int(limit) - int((group / "memory.current").read_text()))
    except (OSError, ValueError):
        pass
    return max(min(found), 0) if found else None
