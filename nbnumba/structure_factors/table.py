"""The box of Miller indices that a reflection table covers."""

from __future__ import annotations

import math
import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError

LARGEST_TABLE = 1 << 31  # cells
LARGEST_F = 1e50  # electrons; as of -default_F


@dataclass(frozen=True)
class IndexBox:
    """Inclusive ranges of h, k and l."""

    h_min: int
    h_max: int
    k_min: int
    k_max: int
    l_min: int
    l_max: int

    @property
    def shape(self) -> tuple[int, int, int]:
        """Number of values of h, k and l."""
        return self.h_max - self.h_min + 1, self.k_max - self.k_min + 1, self.l_max - self.l_min + 1

    @property
    def cells(self) -> int:
        """Number of reflections that the box has room for."""
        nh, nk, nl = self.shape
        return nh * nk * nl

    def __str__(self) -> str:
        return f"h {self.h_min}..{self.h_max}, k {self.k_min}..{self.k_max}, l {self.l_min}..{self.l_max}"

    def table(self, border: float) -> NDArray[np.float64]:
        """Return an array for the box and a border of one cell around it, all of which hold `border`.

        Rendering needs the border, so that an index clipped to it needs no test: an array that has it from the
        beginning is never copied.

        Returns
        -------
        (nh + 2, nk + 2, nl + 2) float64
        """
        shape = [n + 2 for n in self.shape]
        return np.zeros(shape) if border == 0.0 else np.full(shape, border)

    def check_fits(self, place: str) -> None:
        """Refuse a box whose table of float64, border included, is larger than the memory that is free.

        Parameters
        ----------
        place : str
            What the message begins with: option and file.

        Raises
        ------
        InputError
            The table would hold more than 2^31 cells or more than the free memory.
        """
        cells = math.prod(n + 2 for n in self.shape)  # with the border
        free = free_memory()
        if cells > LARGEST_TABLE:
            allowed = f"{LARGEST_TABLE} cells"
        elif free is not None and 8 * cells > free:
            allowed = f"the {gigabytes(free)} GB that are free"
        else:
            return
        raise InputError(
            f"{place}: indices {self} need a table of {cells:g} cells, {gigabytes(8 * cells)} GB; allowed are {allowed}"
        )


def inside(table: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return a table without its border, (nh, nk, nl); no copy."""
    return table[1:-1, 1:-1, 1:-1]


def gigabytes(size: int) -> str:
    """Return a number of bytes in GB, for a message."""
    return format(size / 1e9, ".3g")


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
