"""The box of Miller indices that a reflection table covers."""

from __future__ import annotations

import contextlib
import itertools
import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from ..geometry.vectors import Array
from ..util.memory import gigabytes, too_little_memory
from ..util.messages import logger
from .extent import Extent, extent_of

Cell = tuple[float, float, float, float, float, float]
"""Lengths [Angstrom] and angles [degree]."""

LARGEST_TABLE = 1 << 31  # cells
_LARGE_TABLE = 10_000_000  # cells
_HARDLY_FILLED = 1e-3
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

    def check_fits(self, place: str, count: int | None = None) -> None:
        """Refuse a box whose table of float64, border included, is larger than the memory that is free.

        Parameters
        ----------
        place : str
            What the message begins with: option and file.
        count : int, optional
            Of the reflections: a notice tells of a large table that they hardly fill.

        Raises
        ------
        InputError
            The table would hold more than 2^31 cells or more than the free memory.
        """
        cells = math.prod(n + 2 for n in self.shape)  # with the border
        free = too_little_memory(8 * cells)
        if cells > LARGEST_TABLE:
            allowed = f"{LARGEST_TABLE} cells"
        elif free is not None:
            allowed = f"the {gigabytes(free)} GB that are free"
        else:
            if count is not None and cells > _LARGE_TABLE and count < _HARDLY_FILLED * cells:
                logger.warning(
                    f"{place}: {count} reflections fill {count / cells:.2g} of a table of {gigabytes(8 * cells)} GB; "
                    f"indices {self}: one far from the others may be a mistake"
                )
            return
        raise InputError(
            f"{place}: indices {self} need a table of {cells:g} cells, {gigabytes(8 * cells)} GB; allowed are {allowed}"
        )


def inside(table: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return a table without its border, (nh, nk, nl); no copy."""
    return table[1:-1, 1:-1, 1:-1]


@dataclass(frozen=True, eq=False)
class ReflectionTable:
    """Structure factors on a box of Miller indices.

    Attributes
    ----------
    table : (nh + 2, nk + 2, nl + 2) float64
        Structure factors [electrons] within a border of one cell that holds default_F. It cannot be written: what is
        made of it, on a GPU for example, is kept from image to image.
    h_min, k_min, l_min : int
        Indices of the first cell inside the border.
    count : int
        What the report calls initialized: lines of a list, reflections of an MTZ or CIF file after expansion, cells
        of a dump and of the table of a model.
    cell : (6,) or None
        The unit cell that the file states, lengths [Angstrom] and angles [degree].
    """

    table: NDArray[np.float64]
    h_min: int
    k_min: int
    l_min: int
    count: int
    cell: Cell | None = None

    def __post_init__(self) -> None:
        table = self.table.view()
        table.flags.writeable = False
        object.__setattr__(self, "table", table)

    @property
    def values(self) -> NDArray[np.float64]:
        """Structure factors without the border, (nh, nk, nl); index 0 is h_min, k_min, l_min."""
        return inside(self.table)

    def bordered_by(self, default_F: float) -> NDArray[np.float64]:
        """Return the table for kernels, with a border of some default_F; a copy where the border holds another value.

        Compiled code tells arrays that can be written from others, so these can, and nobody else receives them.
        """
        if self.table[0, 0, 0] == default_F:
            table = self.table.view()
            with contextlib.suppress(ValueError):  # of memory that never could be written
                table.flags.writeable = True
            return table
        table = np.full(self.table.shape, default_F)
        inside(table)[:] = self.values
        return table

    @cached_property
    def extent(self) -> Extent:
        """How far from the origin the reflections stand; found once, as the table must not change."""
        return extent_of(self.values, (self.h_min, self.k_min, self.l_min))

    @property
    def h_max(self) -> int:
        """Largest h of the box."""
        return self.h_min + int(self.values.shape[0]) - 1

    @property
    def k_max(self) -> int:
        """Largest k of the box."""
        return self.k_min + int(self.values.shape[1]) - 1

    @property
    def l_max(self) -> int:
        """Largest l of the box."""
        return self.l_min + int(self.values.shape[2]) - 1


@dataclass(frozen=True)
class NeededRange:
    """What an image needs of the structure factors.

    Attributes
    ----------
    finest : float [m]
        The finest spacing that a pixel sees.
    indices : int
        How many indices beyond it are looked up: three for interpolation, one for spots that reach across.
    """

    finest: float
    indices: int


def index_margin(reciprocal_A: Array, indices: float) -> float:
    """Return by how much |q| grows when every index grows by some indices [1/Angstrom]."""
    signs = np.array(list(itertools.product((1, -1), repeat=3)))
    return float(indices * np.linalg.norm(signs @ reciprocal_A, axis=1).max())
