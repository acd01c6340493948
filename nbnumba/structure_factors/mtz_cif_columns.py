"""Columns of reflection files: which one of an MTZ is taken, and what it holds; of CIF, see `cif_columns`."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError, called
from ..io.gzip_files import named
from ..util.text import counted, quote
from .table import Cell

RESOLUTIONS = 0.3, 1000.0  # Angstrom; finest and coarsest limit that a file may state
_LONGEST_HEADER = 1 << 20  # bytes

_ALLOWED_MTZ = "types F (amplitude), G (amplitudes of Friedel mates), J (intensity), K (intensities of Friedel mates)"

# Columns that are taken without -hkl_column, best first; then any other of type F.
_PREFERRED_MTZ = ("FP", "F", "FOBS", "F-OBS", "FO", "F-OBS-FILTERED", "F-MODEL", "FMODEL", "FC", "FCALC", "F_CALC")


@dataclass(frozen=True)
class Columns:
    """What was chosen in a file, before symmetry.

    `plus` belongs to hkl, `minus`, of an anomalous pair, to -h -k -l. Values that are missing are NaN. Standard
    deviations are those of intensities; without a pair both are that of `plus`.
    """

    names: str
    origin: str  # dataset, block, or one of several crystals
    hkl: NDArray[np.int32]
    plus: NDArray[np.float64]
    minus: NDArray[np.float64] | None
    sigmas: tuple[NDArray[np.float64], NDArray[np.float64]] | None  # of plus and minus, where both are there
    intensity: bool
    cell: Cell | None
    group: str
    operations: Any  # gemmi.GroupOps
    phases: NDArray[np.float64] | None = None  # of `plus` [deg], where a column of them was asked for


def _check_holds(data: bytes, place: str) -> None:
    """Compare what an MTZ file states with its length: gemmi takes memory for all of it, and looks afterwards."""
    order: Literal["big", "little"] = "big" if len(data) > 9 and data[9] & 0xF0 == 0x10 else "little"
    stated = int.from_bytes(data[4:8], order, signed=True)
    if stated == -1:  # more than 32 bits hold
        stated = int.from_bytes(data[12:20], order, signed=True)
    if not 0 < 4 * (stated - 1) <= len(data):
        raise InputError(f"{place}: cut short: its header should stand at byte {4 * (stated - 1)} of {len(data)}")
    for columns, reflections in re.findall(rb"NCOL +(\d+) +(\d+)", data[4 * (stated - 1) :]):
        if 4 * int(columns[:20]) * int(reflections[:20]) > len(data):
            numbers = f"{int(reflections[:20])} reflections of {int(columns[:20])} columns"
            raise InputError(f"{place}: states {numbers}, more than it holds")


def read_mtz(data: bytes, column: str | None, place: str, phase: str | None = None) -> Columns:
    """Read a column, or the two of Friedel mates, of the content of an MTZ file, and its phases; None chooses."""
    import gemmi

    _check_holds(data, place)
    with named(data) as name:
        mtz = gemmi.read_mtz_file(name)
    header = data[-_LONGEST_HEADER:]  # it stands at the end
    # gemmi reads others too.
    if not re.search(rb"END {77}|MTZENDOFHEADERS", header):
        raise InputError(f"{place}: cut short: the header at its end does not end")
    if len(mtz.batches) > 0:
        raise InputError(
            f"{place}: holds unmerged observations ({counted(len(mtz.batches), 'batch', 'batches')}); merge them first"
        )
    check_limit(float(mtz.max_1_d2) ** -0.5 if mtz.max_1_d2 > 0.0 else math.nan, "its header", place)
    columns = list(mtz.columns)
    taken = _choose_mtz(columns, column, place)
    array = np.asarray(mtz.array)
    if not np.isnan(mtz.valm):
        array = np.where(array == np.float32(mtz.valm), np.float32(np.nan), array)
    values = [array[:, found.idx].astype(np.float64) for found in taken]
    errors = [_error_of(found, columns) for found in taken] if taken[0].type in "JK" else []
    sigmas = [array[:, found.idx].astype(np.float64) for found in errors if found is not None]
    dataset = taken[0].dataset
    cells = [dataset.cell] if dataset is not None else []
    listed = [text.decode("latin-1") for text in re.findall(rb"SYMM (.{75})", header, re.DOTALL)]
    group, operations = group_of(mtz.spacegroup, mtz.spacegroup_name, listed, place)
    return Columns(
        names="/".join(found.label for found in taken),
        origin=f" of dataset {dataset.dataset_name}" if dataset is not None and dataset.dataset_name else "",
        hkl=whole_indices(array[:, _index_columns(columns, place)], place),
        plus=values[0],
        minus=values[1] if len(values) > 1 else None,
        sigmas=(sigmas[0], sigmas[-1]) if len(sigmas) == len(taken) else None,
        intensity=taken[0].type in "JK",
        cell=cell_of([*cells, mtz.cell]),
        group=group,
        operations=operations,
        phases=None if phase is None else array[:, _phases(columns, phase, place)].astype(np.float64),
    )


def _phases(columns: Sequence[Any], phase: str, place: str) -> int:
    """Return where the column of phases stands."""
    listed = ", ".join(f"{found.label} ({found.type})" for found in columns)
    named_so = [found for found in columns if found.label == phase]
    if not named_so:
        raise InputError(f"{called('phase_column')} {phase}: {place} has no such column; it has {listed}")
    if named_so[0].type != "P":
        raise InputError(
            f"{called('phase_column')} {phase}: is of type {named_so[0].type} in {place}; allowed is type P"
        )
    return int(named_so[0].idx)


def group_of(known: Any, stated: str, listed: Sequence[str], place: str) -> tuple[str, Any]:
    """Return what to call a space group, and its operations.

    Parameters
    ----------
    known : gemmi.SpaceGroup or None
    stated : str
        The name in the file; empty for none.
    listed : sequence of str
        Operations that the file lists one by one; they serve where the name is unknown.
    place : str
        What messages begin with.
    """
    import gemmi

    if known is not None:
        if listed and _operations(known.operations()) != _operations(gemmi.Op(text) for text in listed):
            raise InputError(
                f"{place}: the {len(listed)} operations that it lists are not those of {known.xhm()}, the space group "
                "that it states; one of the two must be mended"
            )
        return known.xhm(), known.operations()
    if listed:
        operations = gemmi.GroupOps([gemmi.Op(text) for text in listed])
        return f"a group of {len(operations)} operations", operations
    if stated:
        raise InputError(f"{place}: the space group {quote(stated)} is unknown, and no operations are listed")
    return "P1 (the file states no space group)", gemmi.SpaceGroup("P 1").operations()


def _operations(operations: Iterable[Any]) -> set[str]:
    """Return operations in a form that can be compared, translations within the cell."""
    return {operation.wrap().triplet() for operation in operations}


def _choose_mtz(columns: list[Any], wanted: str | None, place: str) -> list[Any]:
    """Return the column, or the two columns of Friedel mates, to take."""
    listed = ", ".join(f"{found.label} ({found.type})" for found in columns)
    if wanted is not None:
        named = [found for found in columns if found.label == wanted]
        usable = [found for found in named if found.type in "FGJK"]
        if not named:
            raise InputError(f"{called('hkl_column')} {wanted}: {place} has no such column; it has {listed}")
        if not usable:
            raise InputError(
                f"{called('hkl_column')} {wanted}: is of type {named[0].type} in {place}; allowed are {_ALLOWED_MTZ}"
            )
        return _with_mate(usable[0], columns)
    for kind in "FGJK":
        found = [column for column in columns if column.type == kind]
        if kind == "F":
            names = [column.label.upper() for column in found]
            found = [found[names.index(name)] for name in _PREFERRED_MTZ if name in names] + found
        if found:
            return _with_mate(found[0], columns)
    raise InputError(f"{place}: has no column of amplitudes or intensities, {_ALLOWED_MTZ}; it has {listed}")


def _with_mate(column: Any, columns: list[Any]) -> list[Any]:
    """Return F(+) and F(-) for either, the column alone for any other."""
    if column.type not in "GK":
        return [column]
    kin = [other for other in columns if other.type == column.type and other.dataset_id == column.dataset_id]
    position = [other.idx for other in kin].index(column.idx)
    for one, other in (("+", "-"), ("plus", "minus"), ("PLUS", "MINUS")):
        for old, new in ((one, other), (other, one)):
            mates = [mate for mate in kin if old in column.label and mate.label == column.label.replace(old, new)]
            if mates:
                return [column, mates[0]] if old == one else [mates[0], column]
    # Names that say nothing: the two stand side by side.
    first = position - position % 2
    return kin[first : first + 2]


def _index_columns(columns: Sequence[Any], place: str) -> list[int]:
    """Return where h, k and l stand: the columns of type H, by name where there are more than three."""
    found = [column for column in columns if column.type == "H"]
    named = {column.label.upper(): column for column in reversed(found)}
    if named.keys() >= set("HKL"):
        found = [named[name] for name in "HKL"]
    if len(found) != 3:
        raise InputError(
            f"{place}: has {counted(len(found), 'column')} of indices (type H); allowed are three, h, k and l"
        )
    return [int(column.idx) for column in found]


def whole_indices(indices: NDArray[Any], place: str) -> NDArray[np.int32]:
    """Return indices as whole numbers; raise InputError where they are none."""
    if not (np.abs(indices) < 2**31).all() or (indices != np.round(indices)).any():
        raise InputError(f"{place}: holds an index h, k or l that is missing or not a whole number")
    return np.ascontiguousarray(indices, dtype=np.int32)


def _error_of(column: Any, columns: Sequence[Any]) -> Any:
    """Return the column with the standard deviation of an intensity, None where there is none."""
    errors = [other for other in columns if other.type == ("Q" if column.type == "J" else "M")]
    errors = errors or [other for other in columns if other.type in "QM"]
    label = column.label
    names = {f"SIG{label}".upper(), f"SIGMA{label}".upper(), label.upper().replace("I", "SIGI", 1)}
    by_name = [other for other in errors if other.label.upper() in names and other.dataset_id == column.dataset_id]
    return next(iter([*by_name, *(other for other in errors if other.idx == column.idx + 1)]), None)


def check_limit(spacing: float, what: str, place: str) -> None:
    """Refuse a resolution [Angstrom] that no crystal has; NaN: none is stated."""
    low, high = RESOLUTIONS
    if spacing < low or spacing > high:
        raise InputError(f"{place}: {what} states a resolution of {spacing:g} Å; allowed are {low:g} to {high:g}")


def cell_of(candidates: Sequence[Any]) -> Cell | None:
    """Return the first cell that is one."""
    for cell in candidates:
        if cell.is_crystal():
            return (cell.a, cell.b, cell.c, cell.alpha, cell.beta, cell.gamma)
    return None
