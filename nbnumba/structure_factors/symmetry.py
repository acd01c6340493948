"""Reflections of a space group brought to P1."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from .table import Cell, IndexBox, inside

_SAME_CELL = 0.01

_NUMBER = re.compile(
    rb"^_(?:symmetry|space_group)[._](?:Int_Tables|IT)_number\s+['\"]?(\d{1,3})\b", re.IGNORECASE | re.MULTILINE
)


@dataclass(frozen=True, eq=False)
class Expansion:
    """Structure factors for P1.

    Attributes
    ----------
    table : (nh + 2, nk + 2, nl + 2) float64
        Structure factors [electrons] within a border of one cell; index 1 is h_min, k_min, l_min.
    box : IndexBox
    count, unique : int
        Number of reflections after and before expansion, repeated ones not counted.
    repeated : int
        Rows that another row of the same reflection overrules with another value.
    """

    table: NDArray[np.float64]
    box: IndexBox
    count: int
    unique: int
    repeated: int


def check_number(group: Any, stated: str, place: str) -> None:
    """Refuse a space group number that is not that of the space group that a file states otherwise.

    Parameters
    ----------
    group : gemmi.SpaceGroup or None
    stated : str
        The number in the file; what is no number does not count.
    place : str
        What messages begin with.
    """
    if group is not None and stated.isdecimal() and len(stated) < 20 and int(stated) != group.number:
        raise InputError(
            f"{place}: the space group number {stated} that it states is not that of {group.xhm()}, {group.number}; "
            "one of the two must be mended"
        )


def check_number_in(data: bytes, group: Any, place: str) -> None:
    """Do so with the number in the text of a CIF, if it has one."""
    found = _NUMBER.search(data)
    check_number(group, found[1].decode("ascii") if found else "", place)


def rotations_of(operations: Any) -> NDArray[np.int64]:
    """Return the rotations R of a space group, (n, 3, 3): reflection h, a row, has the same amplitude as h R.

    Parameters
    ----------
    operations : gemmi.GroupOps
    """
    rotations = np.array([operation.rot for operation in operations.sym_ops], dtype=np.int64)
    whole, rest = np.divmod(rotations, 24)  # gemmi counts in 24ths
    if rest.any():
        raise InputError("a symmetry operation turns indices into fractions")
    return np.unique(whole, axis=0)


def has_symmetry(cell: Cell, operations: Any) -> bool:
    """Tell whether the operations of a space group map a cell on itself, to a percent of its lengths and 0.6 degrees.

    Parameters
    ----------
    cell : tuple of 6 floats [Angstrom, deg]
    operations : gemmi.GroupOps
    """
    import gemmi

    axes = np.array(gemmi.UnitCell(*cell).frac.mat.tolist())  # rows are a*, b*, c*
    turned = rotations_of(operations) @ axes
    lengths = np.linalg.norm(axes, axis=1)
    metric = turned @ turned.transpose(0, 2, 1) - axes @ axes.T
    return bool((np.abs(metric) <= 2.0 * _SAME_CELL * np.outer(lengths, lengths)).all())


def expand(
    hkl: NDArray[np.int64],
    F: NDArray[np.float64],
    operations: Any,
    friedel: bool,
    default_F: float,
    place: str,
) -> Expansion:
    """Put reflections and their symmetry equivalents into a table.

    Parameters
    ----------
    hkl : (n, 3) int64
        Any equivalents of the reflections; of those that are repeated the last one counts.
    F : (n,) float64
        Structure factors [electrons].
    operations : gemmi.GroupOps
    friedel : bool
        Whether -h -k -l has the same amplitude.
    default_F : float
        Structure factor of what is missing, but for systematic absences, which are 0.
    place : str
        What messages begin with.

    Raises
    ------
    InputError
        The table would not fit into memory.
    """
    rotations = rotations_of(operations)
    if friedel:
        rotations = np.unique(np.concatenate([rotations, -rotations]), axis=0)
    columns = [np.ascontiguousarray(column) for column in hkl.T]
    box = _box(columns, rotations)
    box.check_fits(place, len(hkl) * len(rotations))
    table = box.table(default_F)
    if default_F != 0.0:
        _clear_absences(inside(table), box, operations)
    flat = table.reshape(-1)
    # A place in the table is linear in h, k and l, so that three products give the place of any equivalent.
    strides = np.array(table.strides) // table.itemsize
    start = int(strides @ (1 - np.array([box.h_min, box.k_min, box.l_min])))
    first = _places(columns, rotations[0] @ strides, start)
    for rotation in rotations[1:]:
        np.maximum(first, _places(columns, rotation @ strides, start), out=first)
    last = _last_of_each(first)
    repeated = 0
    if len(last) < len(F):
        repeated = _overruled(first, F, last, flat.size)
        columns, F = [column[last] for column in columns], F[last]
    filled = np.zeros(flat.size, dtype=bool)
    for rotation in rotations:
        places = _places(columns, rotation @ strides, start)
        flat[places] = F
        filled[places] = True
    return Expansion(table, box, int(np.count_nonzero(filled)), len(F), repeated)


def _box(columns: list[NDArray[np.int64]], rotations: NDArray[np.int64]) -> IndexBox:
    """Return the ranges of h, k and l of all equivalents."""
    ranges: list[int] = []
    for axis in range(3):
        found = [_places(columns, weights, 0) for weights in np.unique(rotations[:, :, axis], axis=0)]
        ranges += [min(int(v.min()) for v in found), max(int(v.max()) for v in found)]
    return IndexBox(*ranges)


def _places(columns: list[NDArray[np.int64]], weights: NDArray[np.int64], start: int) -> NDArray[np.int64]:
    """Return start + h w_h + k w_k + l w_l."""
    total = np.full(len(columns[0]), start, dtype=np.int64)
    for column, weight in zip(columns, weights.tolist(), strict=True):
        if weight:
            total += column * weight
    return total


def _last_of_each(keys: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return where each key stands last, in the order of rows."""
    backwards = np.unique(keys[::-1], return_index=True)[1]
    return np.sort(len(keys) - 1 - backwards)


def _overruled(keys: NDArray[np.int64], F: NDArray[np.float64], last: NDArray[np.int64], size: int) -> int:
    """Return how many rows hold another value than the last row of the same reflection."""
    order = np.argsort(keys[last])
    final = F[last][order][np.searchsorted(keys[last][order], keys)]
    return int(np.count_nonzero(final != F))


def _clear_absences(values: NDArray[np.float64], box: IndexBox, operations: Any) -> None:
    """Set the reflections that screws, glides and centring extinguish to 0."""
    k, l = np.meshgrid(np.arange(box.k_min, box.k_max + 1), np.arange(box.l_min, box.l_max + 1), indexing="ij")
    hkl = np.empty((k.size, 3), dtype=np.int32)
    hkl[:, 1], hkl[:, 2] = k.ravel(), l.ravel()
    for i, plane in enumerate(values):
        hkl[:, 0] = box.h_min + i
        plane[operations.systematic_absences(hkl).reshape(plane.shape)] = 0.0


class Layout:
    """Where reflections of a space group and their Friedel mates stand in a table for P1, for many tables of one box.

    Parameters
    ----------
    hkl : (n, 3) int64
        Unique reflections.
    operations : gemmi.GroupOps
    default_F : float
        Structure factor of what is missing, but for systematic absences, which are 0.
    place : str
        What messages begin with.

    Raises
    ------
    InputError
        A table would not fit into memory.

    Attributes
    ----------
    box : IndexBox
    """

    def __init__(self, hkl: NDArray[np.int64], operations: Any, default_F: float, place: str) -> None:
        rotations = rotations_of(operations)
        columns = [np.ascontiguousarray(column) for column in hkl.T]
        self.box = _box(columns, np.concatenate([rotations, -rotations]))
        self.box.check_fits(place, 2 * len(hkl) * len(rotations))
        self._default_F = default_F
        table = self.box.table(1.0 if default_F != 0.0 else 0.0)
        if default_F != 0.0:
            _clear_absences(inside(table), self.box, operations)
        # Every cell holds the number of what it takes: 0, default_F, then the reflections and their mates.
        self._sources = table.astype(np.int32)
        flat = self._sources.reshape(-1)
        strides = np.array(table.strides) // table.itemsize
        start = int(strides @ (1 - np.array([self.box.h_min, self.box.k_min, self.box.l_min])))
        count = np.arange(len(hkl), dtype=np.int32)
        for sign, first in ((-1, 2 + len(hkl)), (1, 2)):  # of centric reflections the first of the two stays
            for rotation in rotations:
                flat[_places(columns, sign * rotation @ strides, start)] = first + count

    @property
    def cells(self) -> int:
        """Number of cells of a table, its border included."""
        return self._sources.size

    def table(self, plus: NDArray[np.float64], minus: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return a table within a border of one cell.

        Parameters
        ----------
        plus, minus : (n,) float64
            Amplitudes of h k l and of -h -k -l [electrons].

        Returns
        -------
        (nh + 2, nk + 2, nl + 2) float64
        """
        return np.take(np.concatenate([[0.0, self._default_F], plus, minus]), self._sources)
