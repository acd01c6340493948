"""Dumps of a reflection table: what a run with -hkl leaves for the next run without."""

from __future__ import annotations

import os
import re

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from ..io.atomic import PathLike, whole_file, write_array
from ..io.opening import is_regular, label, opened
from ..util.text import quote
from .table import LARGEST_F, IndexBox, inside

_HEADER = re.compile(rb"\s*([+-]?\d{1,10})" + rb"\s+([+-]?\d{1,10})" * 5 + rb"\n?\f")
_LONGEST_HEADER = 128
_LARGEST_INDEX = 2**31 - 1


def write(path: PathLike, values: NDArray[np.float64], box: IndexBox) -> None:
    """Write a table.

    Parameters
    ----------
    path : str or path
        The file to write.
    values : (nh, nk, nl) float64
        Structure factors [electrons].
    box : IndexBox
        Their indices.

    Raises
    ------
    FileError
        The file cannot be written.

    Notes
    -----
    A text line ``h_min h_max k_min k_max l_min l_max``, a form feed, then float64 of shape
    (nh + 1, nk + 1, nl + 1); the last plane of each axis is zero (nanoBragg.c:2227-2242).
    """
    nh, nk, nl = box.shape
    plane = np.zeros((nk + 1, nl + 1), dtype="<f8")
    with whole_file(path) as file:
        ranges = (box.h_min, box.h_max, box.k_min, box.k_max, box.l_min, box.l_max)
        file.write(" ".join(map(str, ranges)).encode("ascii") + b"\n\f")
        for i in range(nh):
            plane[:nk, :nl] = values[i]
            write_array(file, plane)
        plane[:] = 0.0
        write_array(file, plane)


def read(path: PathLike, option: str = "", default_F: float = 0.0) -> tuple[NDArray[np.float64], IndexBox]:
    """Read a table.

    Parameters
    ----------
    path : str or path
        The dump.
    option : str
        The option that named the file, for messages.
    default_F : float
        Structure factor of the border [electrons].

    Returns
    -------
    table : (nh + 2, nk + 2, nl + 2) float64
        Structure factors [electrons] within a border of one cell; index 1 is h_min, k_min, l_min.
    box : IndexBox
        Their indices.

    Raises
    ------
    FileError
        The file is missing or cannot be read.
    InputError
        The file is no dump, its size does not match its ranges, a value is not finite or beyond 1e50, or the table
        would not fit into memory.
    """
    place = label(option, path)
    with opened(path, option) as file:
        start = file.read(_LONGEST_HEADER)
        # C differs: there data bytes that happen to be blanks in ASCII are taken for part of the header's end,
        # and everything behind them is shifted.
        match = _HEADER.match(start)
        if match is None:
            raise InputError(f"{place}: not a dump of structure factors: begins with {quote(start)}")
        box = IndexBox(*(int(number) for number in match.groups()))
        if min(box.shape) < 1 or max(map(abs, map(int, match.groups()))) > _LARGEST_INDEX:
            raise InputError(f"{place}: impossible range of indices: {box}")
        box.check_fits(place)
        nh, nk, nl = box.shape
        expected = match.end() + 8 * (nh + 1) * (nk + 1) * (nl + 1)
        found = os.fstat(file.fileno()).st_size
        if is_regular(file) and found != expected:
            raise InputError(f"{place}: holds {found} bytes; indices {box} take {expected}")
        table = box.table(default_F)
        values = inside(table)
        plane = np.empty((nk + 1, nl + 1), dtype="<f8")
        file.seek(match.end())
        for i in range(nh):
            if file.readinto(plane.data.cast("B")) != plane.nbytes:  # type: ignore[attr-defined]
                raise InputError(f"{place}: cut short at h = {box.h_min + i}")
            values[i] = plane[:nk, :nl]
            if not np.isfinite(values[i]).all():
                raise InputError(f"{place}: a structure factor with h = {box.h_min + i} is not finite")
            largest = max(values[i].max(), -values[i].min())
            if largest > LARGEST_F:
                raise InputError(
                    f"{place}: a structure factor with h = {box.h_min + i} has the size {largest:g}; "
                    f"allowed are {-LARGEST_F:g} to {LARGEST_F:g}"
                )
    return table, box
