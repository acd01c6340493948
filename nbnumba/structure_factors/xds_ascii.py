"""Intensities of XDS (XDS_ASCII.HKL of CORRECT and XSCALE), merged."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError, called
from ..io.gzip_files import named
from .mtz_cif_columns import Columns, cell_of

_HEADER = re.compile(rb"(?:!.*\r?\n)*?!(?:FORMAT=\s*XDS_ASCII|NUMBER_OF_ITEMS_IN_EACH_DATA_RECORD=|END_OF_HEADER)")
_INTEGRATE = re.compile(rb"(?:!.*\r?\n)*?!OUTPUT_FILE=\s*INTEGRATE")
_LAW = re.compile(rb"^!.*FRIEDEL'S_LAW=\s*(\w)", re.MULTILINE)
_GROUP = re.compile(rb"^!SPACE_GROUP_NUMBER=\s*(\S+)", re.MULTILINE)
_NAME = "IOBS"


def is_xds_ascii(start: bytes) -> bool:
    """Whether a file that begins so is an XDS_ASCII file; not an INTEGRATE.HKL, which is not corrected."""
    return _HEADER.match(start) is not None and not _INTEGRATE.match(start)


def read_xds_ascii(data: bytes, column: str | None, place: str) -> Columns:
    """Merge the observations of an XDS_ASCII file, each weighted by 1/sigma²; misfits (sigma < 0) are left out.

    Friedel mates stay apart where FRIEDEL'S_LAW=FALSE.

    Raises
    ------
    InputError
        The file states no unit cell or space group, holds no observation, or a column is asked for.
    """
    import gemmi

    if column is not None:
        raise InputError(
            f"{called('hkl_column')} {column}: {place} is an XDS_ASCII file, which has one column of intensities; "
            "leave it out"
        )
    if b"!END_OF_DATA" not in data[-4096:]:
        raise InputError(f"{place}: cut short: it does not end with !END_OF_DATA")
    with named(data) as name:
        xds = gemmi.read_xds_ascii(name)
    cell = cell_of([gemmi.UnitCell(*xds.cell_constants)])
    if cell is None:
        raise InputError(f"{place}: states no unit cell (!UNIT_CELL_CONSTANTS=)")
    group = _group(data, place)
    sigma = np.asarray(xds.sigma_array, dtype=np.float64)
    value = np.asarray(xds.iobs_array, dtype=np.float64)
    counted = (sigma > 0.0) & np.isfinite(sigma) & np.isfinite(value)
    if not counted.any():
        raise InputError(f"{place}: holds no observation with a standard deviation above 0")
    merged = gemmi.Intensities()
    hkl = np.ascontiguousarray(np.asarray(xds.miller_array)[counted], dtype=np.int32)
    merged.set_data(gemmi.UnitCell(*cell), group, hkl, value[counted], sigma[counted])
    law = _LAW.search(data)
    apart = law is not None and law[1] == b"F"
    merged.merge_in_place(gemmi.DataType.Anomalous if apart else gemmi.DataType.Mean)
    rows, plus, minus, errors = _side_by_side(merged, apart)
    return Columns(
        names=_NAME,
        origin=f" of {int(counted.sum())} observations, merged",
        hkl=rows,
        plus=plus,
        minus=minus,
        sigmas=errors,
        intensity=True,
        cell=cell,
        group=group.xhm(),
        operations=group.operations(),
    )


def _group(data: bytes, place: str) -> Any:
    """Return the space group of the header."""
    import gemmi

    found = _GROUP.search(data)
    text = found[1].decode("latin-1") if found else ""
    group = gemmi.find_spacegroup_by_number(int(text)) if text.isdecimal() and len(text) < 4 else None
    if group is None:
        what = f"number {text!r}" if text else "of none"
        raise InputError(f"{place}: !SPACE_GROUP_NUMBER= is {what}; allowed are 1 to 230")
    return group


def _side_by_side(
    merged: Any, apart: bool
) -> tuple[
    NDArray[np.int32],
    NDArray[np.float64],
    NDArray[np.float64] | None,
    tuple[NDArray[np.float64], NDArray[np.float64]],
]:
    """Return indices, intensities of them and of their Friedel mates, where these are apart, and their errors."""
    hkl, value, sigma, sign = (
        np.asarray(getattr(merged, f"{name}_array")) for name in ("miller", "value", "sigma", "isign")
    )
    if not apart:
        return hkl.astype(np.int32), value, None, (sigma, sigma)
    unique, number = np.unique(hkl, axis=0, return_inverse=True)
    columns = np.full((4, len(unique)), np.nan)
    for row, chosen in ((0, sign >= 0), (2, sign < 0)):
        columns[row, number.reshape(-1)[chosen]] = value[chosen]
        columns[row + 1, number.reshape(-1)[chosen]] = sigma[chosen]
    return unique.astype(np.int32), columns[0], columns[2], (columns[1], columns[3])
