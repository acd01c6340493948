"""Columns of CIF files of reflections: which one is taken, and what it holds."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError, called
from ..io.gzip_files import understood
from ..util.text import quote
from .mtz_cif_columns import Columns, cell_of, check_limit, group_of, whole_indices
from .symmetry import check_number

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
_CIF_INDICES = ("index_h", "index_k", "index_l")
_LIMITS = (
    "_reflns.d_resolution_high",
    "_reflns_d_resolution_high",
    "_refine.ls_d_res_high",
)
_GROUP_NUMBERS = (
    "_symmetry.Int_Tables_number",
    "_space_group.IT_number",
    "_symmetry_Int_Tables_number",
    "_space_group_IT_number",
)


def read_cif(data: bytes, column: str | None, place: str) -> Columns:
    """Read a column, or the two of Friedel mates, of the content of a CIF file; None chooses."""
    import gemmi

    document = gemmi.cif.read_string(data)
    listed, stated = _listed_operations(document), _stated_group(document)
    symbols, numbers = _values(document, _HALL_SYMBOLS), _values(document, _GROUP_NUMBERS)
    for spacing in map(_number, _values(document, _LIMITS)):
        check_limit(spacing, "it", place)
    # Small molecules write _refln_index_h, the others _refln.index_h. A block is moved out of its document.
    small = [block for block in document if block.find_loop("_refln_index_h")]
    converted = [gemmi.hkl_cif_as_refln_block(block) for block in small] or list(gemmi.as_refln_blocks(document))
    tables = [block for block in converted if block.default_loop is not None and not block.is_unmerged()]
    if not tables:
        raise InputError(f"{place}: holds no loop of merged reflections (_refln.index_h ... or _refln_index_h ...)")
    block, names, intensity = _choose_cif(tables, column, place)
    of_one, which = _one_crystal(block)
    values = [np.asarray(block.make_float_array(name))[of_one] for name in names]
    sigmas = _cif_errors(block, names) if intensity else []
    group = block.spacegroup or next((other.spacegroup for other in tables if other.spacegroup), None)
    group = group or _group_by(symbols, numbers, place)
    check_number(group, numbers[0] if numbers else "", place)
    group_name, operations = group_of(group, stated, listed, place)
    name = block.block.name.strip()
    return Columns(
        names="/".join(names),
        origin=(f" of block {name}" if name else "") + which,
        hkl=whole_indices(_cif_indices(block, place)[of_one], place),
        plus=values[0],
        minus=values[1] if len(values) > 1 else None,
        sigmas=(sigmas[0][of_one], sigmas[-1][of_one]) if sigmas else None,
        intensity=intensity,
        cell=cell_of([block.cell, *(other.cell for other in tables)]),
        group=group_name,
        operations=operations,
    )


def _cif_indices(block: Any, place: str) -> NDArray[np.float64]:
    """Return the indices of a loop of reflections, (n, 3)."""
    labels = {label.lower(): label for label in block.column_labels()}
    missing = next((name for name in _CIF_INDICES if name not in labels), None)
    if missing is not None:
        raise InputError(f"{place}: its loop of reflections lacks {missing}; h, k and l are needed")
    return np.stack([np.asarray(block.make_float_array(labels[name])) for name in _CIF_INDICES], axis=1)


def _cif_errors(block: Any, items: Sequence[str]) -> list[NDArray[np.float64]]:
    """Return the standard deviations of intensities; empty where one is missing."""
    labels = {label.lower(): label for label in block.column_labels()}
    names = [re.sub("_(meas|calc)$", "", item.lower()) + "_sigma" for item in items]
    if any(item.lower().endswith("_calc") for item in items) or not labels.keys() >= set(names):
        return []
    return [np.asarray(block.make_float_array(labels[name])) for name in names]


def _one_crystal(block: Any) -> tuple[NDArray[np.bool_], str]:
    """Return which rows of a loop belong to its first crystal and wavelength, and words for them where there are more.

    Rows of several would overrule one another.
    """
    labels = {label.lower(): position for position, label in enumerate(block.column_labels())}
    loop = block.default_loop
    rows, words = np.ones(loop.length(), dtype=bool), []
    for name in ("crystal_id", "wavelength_id"):
        if name not in labels:
            continue
        column = np.array(loop.values[labels[name] :: loop.width()])
        values = list(dict.fromkeys(column[rows].tolist()))
        rows &= column == values[0] if values else True
        if len(values) > 1:
            words.append(f"{name.removesuffix('_id')} {quote(values[0])}, the first of {len(values)}")
    return rows, "".join(f", {what}" for what in words)


def _number(text: str) -> float:
    """Return a number of a CIF, NaN for anything else."""
    import gemmi

    return float(gemmi.cif.as_number(text))


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
