"""Columns of reflection files, MTZ and CIF: which one is taken, and what it holds."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError, called
from ..io.gzip_files import named, understood
from ..util.text import quote

Cell = tuple[float, float, float, float, float, float]
"""Lengths [Angstrom] and angles [degree]."""

_LONGEST_HEADER = 1 << 20  # bytes

_ALLOWED_MTZ = "types F (amplitude), G (amplitudes of Friedel mates), J (intensity), K (intensities of Friedel mates)"

# Columns that are taken without -hkl_column, best first; then any other of type F.
_PREFERRED_MTZ = ("FP", "F", "FOBS", "F-OBS", "FO", "F-OBS-FILTERED", "F-MODEL", "FMODEL", "FC", "FCALC", "F_CALC")

# Items of refln: whether an intensity, and the item of the Friedel mates. In the order in which they are looked for.
_CIF_ITEMS: dict[str, tuple[bool, str | None]] = {
    "f_meas_au": (False, None),
    "f_meas": (False, None),
    "f_calc_au": (False, None),
    "f_calc": (False, None),
    "pdbx_f_plus": (False, "pdbx_f_minus"),
    "f_squared_meas": (True, None),
    "intensity_meas": (True, None),
    "f_squared_calc": (True, None),
    "intensity_calc": (True, None),
    "pdbx_i_plus": (True, "pdbx_i_minus"),
}
_ON_REQUEST = {
    "pdbx_fwt": (False, None),
    "pdbx_f_calc_with_solvent": (False, None),
    "pdbx_f_calc_part_solvent": (False, None),
}
_MATES = {"pdbx_f_minus": "pdbx_f_plus", "pdbx_i_minus": "pdbx_i_plus"}
_ALLOWED_CIF = (
    "F_meas_au, F_meas, F_calc_au, F_calc, F_squared_meas, intensity_meas, pdbx_F_plus, pdbx_I_plus and their like"
)
_OPERATIONS = (
    "_space_group_symop_operation_xyz",
    "_space_group_symop.operation_xyz",
    "_symmetry_equiv_pos_as_xyz",
    "_symmetry_equiv.pos_as_xyz",
)
_GROUP_NAMES = (
    "_symmetry.space_group_name_H-M",
    "_space_group.name_H-M_alt",
    "_symmetry_space_group_name_H-M",
    "_space_group_name_H-M_alt",
)

_HALL_SYMBOLS = (
    "_symmetry.space_group_name_Hall",
    "_space_group.name_Hall",
    "_symmetry_space_group_name_Hall",
    "_space_group_name_Hall",
)
_GROUP_NUMBERS = (
    "_symmetry.Int_Tables_number",
    "_space_group.IT_number",
    "_symmetry_Int_Tables_number",
    "_space_group_IT_number",
)


@dataclass(frozen=True)
class Columns:
    """What was chosen in a file, before symmetry.

    `plus` belongs to hkl, `minus`, of an anomalous pair, to -h -k -l. Values that are missing are NaN.
    """

    names: str
    origin: str  # dataset or block
    hkl: NDArray[np.int32]
    plus: NDArray[np.float64]
    minus: NDArray[np.float64] | None
    intensity: bool
    cell: Cell | None
    group: str
    operations: Any  # gemmi.GroupOps


def read_mtz(data: bytes, column: str | None, place: str) -> Columns:
    """Read a column, or the two of Friedel mates, of the content of an MTZ file; None chooses."""
    import gemmi

    with named(data) as name:
        mtz = gemmi.read_mtz_file(name)
    header = data[-_LONGEST_HEADER:]  # it stands at the end
    # gemmi reads others too.
    if not re.search(rb"END {77}|MTZENDOFHEADERS", header):
        raise InputError(f"{place}: cut short: the header at its end does not end")
    if len(mtz.batches) > 0:
        raise InputError(f"{place}: holds unmerged observations ({len(mtz.batches)} batches); merge them first")
    taken = _choose_mtz(list(mtz.columns), column, place)
    array = np.asarray(mtz.array)
    if not np.isnan(mtz.valm):
        array = np.where(array == np.float32(mtz.valm), np.float32(np.nan), array)
    values = [array[:, found.idx].astype(np.float64) for found in taken]
    dataset = taken[0].dataset
    cells = [dataset.cell] if dataset is not None else []
    listed = [text.decode("latin-1") for text in re.findall(rb"SYMM (.{75})", header, re.DOTALL)]
    group, operations = _group(mtz.spacegroup, mtz.spacegroup_name, listed, place)
    return Columns(
        names="/".join(found.label for found in taken),
        origin=f" of dataset {dataset.dataset_name}" if dataset is not None and dataset.dataset_name else "",
        hkl=np.asarray(mtz.make_miller_array()),
        plus=values[0],
        minus=values[1] if len(values) > 1 else None,
        intensity=taken[0].type in "JK",
        cell=_cell([*cells, mtz.cell]),
        group=group,
        operations=operations,
    )


def _group(known: Any, stated: str, listed: Sequence[str], place: str) -> tuple[str, Any]:
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


def read_cif(data: bytes, column: str | None, place: str) -> Columns:
    """Read a column, or the two of Friedel mates, of the content of a CIF file; None chooses."""
    import gemmi

    document = gemmi.cif.read_string(data)
    listed, stated = _listed_operations(document), _stated_group(document)
    symbols, numbers = _values(document, _HALL_SYMBOLS), _values(document, _GROUP_NUMBERS)
    # Small molecules write _refln_index_h, the others _refln.index_h. A block is moved out of its document.
    small = [block for block in document if block.find_loop("_refln_index_h")]
    converted = [gemmi.hkl_cif_as_refln_block(block) for block in small] or list(gemmi.as_refln_blocks(document))
    tables = [block for block in converted if block.default_loop is not None and not block.is_unmerged()]
    if not tables:
        raise InputError(f"{place}: holds no loop of merged reflections (_refln.index_h ... or _refln_index_h ...)")
    block, names, intensity = _choose_cif(tables, column, place)
    values = [np.asarray(block.make_float_array(name)) for name in names]
    group = block.spacegroup or next((other.spacegroup for other in tables if other.spacegroup), None)
    group = group or _group_by(symbols, numbers, place)
    group_name, operations = _group(group, stated, listed, place)
    name = block.block.name.strip()
    return Columns(
        names="/".join(names),
        origin=f" of block {name}" if name else "",
        hkl=np.asarray(block.make_miller_array()),
        plus=values[0],
        minus=values[1] if len(values) > 1 else None,
        intensity=intensity,
        cell=_cell([block.cell, *(other.cell for other in tables)]),
        group=group_name,
        operations=operations,
    )


def _listed_operations(document: Any) -> list[str]:
    """Return the operations that a CIF lists one by one."""
    import gemmi

    for block in document:
        for tag in _OPERATIONS:
            column = [gemmi.cif.as_string(text) for text in block.find_values(tag)]
            if column:
                return column
    return []


def _stated_group(document: Any) -> str:
    """Return the name of the space group that a CIF states, empty where it states none."""
    return next(iter(_values(document, _GROUP_NAMES)), "")


def _values(document: Any, tags: Sequence[str]) -> list[str]:
    """Return what a CIF says under some tags, in any of its blocks."""
    import gemmi

    found = (gemmi.cif.as_string(block.find_value(tag) or "").strip() for block in document for tag in tags)
    return [value for value in found if value]


def _group_by(symbols: Sequence[str], numbers: Sequence[str], place: str) -> Any:
    """Return the space group that has one of some Hall symbols or numbers, None where there are neither."""
    import gemmi

    for symbol in symbols[:1]:
        with understood(f"{place}: {quote(symbol)}", "Hall symbol"):
            return gemmi.find_spacegroup_by_ops(gemmi.symops_from_hall(symbol))
    for number in numbers[:1]:
        group = gemmi.find_spacegroup_by_number(int(number)) if number.isdecimal() and len(number) < 4 else None
        if group is None:
            raise InputError(f"{place}: the space group number {quote(number)} is unknown; allowed are 1 to 230")
        return group
    return None


def _choose_cif(blocks: Sequence[Any], wanted: str | None, place: str) -> tuple[Any, list[str], bool]:
    """Return the block, the items and whether they are intensities."""
    known = {**_CIF_ITEMS, **_ON_REQUEST}
    listings = [{name.lower(): name for name in block.column_labels()} for block in blocks]
    if wanted is not None:
        short = re.sub(r"^_?refln[._]", "", wanted.lower())
        key = _MATES.get(short, short)
        searched = [key] if key in known else []
        found = [names for names in listings if short in names]
        if not found:
            listed = ", ".join(dict.fromkeys(name for names in listings for name in names.values()))
            raise InputError(f"{called('hkl_column')} {wanted}: {place} has no such column; it has {listed}")
        if not searched:
            raise InputError(
                f"{called('hkl_column')} {wanted}: is neither an amplitude nor an intensity in {place}; allowed are "
                f"{_ALLOWED_CIF}"
            )
    else:
        searched = list(_CIF_ITEMS)
    for block, names in zip(blocks, listings, strict=True):
        for key in searched:
            intensity, mate = known[key]
            items = [names[item] for item in (key, mate) if item is not None and item in names]
            # Archives keep items of which every value is unknown.
            if items and any(not np.isnan(block.make_float_array(item)).all() for item in items):
                if items[0].lower() == mate:  # only the mates are there: they serve for both
                    items = [items[0], items[0]]
                return block, items, intensity
    if wanted is not None:
        raise InputError(f"{place}: column {wanted} holds no value")
    listed = ", ".join(dict.fromkeys(name for names in listings for name in names.values()))
    raise InputError(f"{place}: has no column of amplitudes or intensities ({_ALLOWED_CIF}); it has {listed}")


def _cell(candidates: Sequence[Any]) -> Cell | None:
    """Return the first cell that is one."""
    for cell in candidates:
        if cell.is_crystal():
            return (cell.a, cell.b, cell.c, cell.alpha, cell.beta, cell.gamma)
    return None
