"""Reflection files of other programs, MTZ and CIF, brought to P1."""

from __future__ import annotations

import contextlib
import gzip
import re
import tempfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from ..text import quote
from .atomic import PathLike
from .index_box import LARGEST_F, IndexBox
from .reading import is_regular, label, opened
from .symmetry import Expansion, expand

Cell = tuple[float, float, float, float, float, float]
"""Lengths [Angstrom] and angles [degree]."""

MTZ, CIF = "MTZ", "CIF"
GZIP = b"\x1f\x8b"

_SNIFFED = 1 << 16  # bytes that comments before the first item of a CIF may take
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


@dataclass(frozen=True)
class _Columns:
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


def kind(path: PathLike, option: str = "-hkl") -> str | None:
    """Tell by its content what a reflection file is.

    Returns
    -------
    "MTZ", "CIF" or None
        None for anything else, which then is a text list. A pipe cannot be looked into and is None too.

    Raises
    ------
    FileError
        The file is missing or cannot be read.
    InputError
        A file that gzip packed is neither MTZ nor CIF.
    """
    with opened(path, option) as file:
        if not is_regular(file):
            return None
        start = file.read(_SNIFFED)
        if not start.startswith(GZIP):
            return _kind_of(start)
        file.seek(0)
        try:
            with gzip.GzipFile(fileobj=file) as packed:
                found = _kind_of(packed.read(_SNIFFED))
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise InputError(f"{label(option, path)}: cannot be unpacked: {error}") from error
    if found is None:
        raise InputError(
            f"{label(option, path)}: packed by gzip, and neither MTZ nor CIF; unpack a list of reflections"
        )
    return found


def _kind_of(start: bytes) -> str | None:
    if start.startswith(b"MTZ "):
        return MTZ
    start = start.removeprefix(b"\xef\xbb\xbf")
    item = re.match(rb"(?:\s+|#[^\r\n]*)*+(?=[^\s#])", start)
    return CIF if item and start[item.end() : item.end() + 5].lower() == b"data_" else None


def read(
    path: PathLike,
    kind: str,
    column: str | None = None,
    dmin: float = 0.0,
    default_F: float = 0.0,
    notify: Callable[[str], None] = lambda line: None,
    option: str = "-hkl",
) -> tuple[NDArray[np.float64], IndexBox, int, Cell | None]:
    """Read an MTZ or CIF file into a table for P1.

    All operations of the space group are applied, and Friedel mates are equal unless the file holds both. Of a
    reflection that stands in the file more than once the last row counts, whatever equivalent it names. Values that
    are missing are left out. Intensities become amplitudes, those below 0 become 0.

    Parameters
    ----------
    path : str or path
    kind : str
        "MTZ" or "CIF".
    column : str, optional
        The column to take; of a pair of Friedel mates either. Without, amplitudes come before pairs of amplitudes,
        intensities and pairs of intensities; in an MTZ well known names of amplitudes come before others, observed
        before calculated.
    dmin : float
        Finest spacing that is taken [m]; 0: all.
    default_F : float
        Structure factor of the reflections that the file lacks, and of the border [electrons]. Systematic absences
        inside the box are 0 unless the file says otherwise.
    notify : callable
        Called with one-line remarks.
    option : str
        The option that named the file, for messages.

    Returns
    -------
    table : (nh + 2, nk + 2, nl + 2) float64
        Structure factors [electrons] within a border of one cell; index 1 is h_min, k_min, l_min.
    box : IndexBox
        The ranges.
    count : int
        Number of reflections after expansion.
    cell : Cell or None
        The unit cell that the file states.

    Raises
    ------
    FileError
        The file is missing or cannot be read.
    InputError
        The file is malformed, has no such column or no value in it; or the table would not fit into memory.
    """
    place = label(option, path)
    chosen = _read_mtz(path, column, option) if kind == MTZ else _read_cif(path, column, option)
    hkl, F, friedel = _amplitudes(chosen)
    spacing = _spacing(chosen, dmin, place)
    if dmin > 0.0:
        kept = spacing(hkl) >= dmin * 1e10 * (1.0 - 1e-9)
        hkl, F = hkl[kept], F[kept]
    if not len(hkl):
        beyond = f" of {dmin * 1e10:g} Angstrom or coarser (-hkl_dmin)" if dmin > 0.0 else ""
        raise InputError(f"{place}: column {chosen.names} holds no value{beyond}")
    if not np.abs(F).max() <= LARGEST_F:
        raise InputError(
            f"{place}: column {chosen.names} holds {F[np.abs(F).argmax()]:g}; "
            f"allowed are {-LARGEST_F:g} to {LARGEST_F:g}"
        )
    expansion = expand(hkl, F, chosen.operations, friedel, default_F, place)
    for line in _remarks(chosen, expansion, hkl, spacing, place):
        notify(line)
    return expansion.table, expansion.box, expansion.count, chosen.cell


def cell_of(path: PathLike, kind: str, column: str | None = None, option: str = "-hkl") -> Cell | None:
    """Return the unit cell that a file states for the column that `read` takes."""
    return (_read_mtz(path, column, option) if kind == MTZ else _read_cif(path, column, option)).cell


def _amplitudes(chosen: _Columns) -> tuple[NDArray[np.int64], NDArray[np.float64], bool]:
    """Return indices and amplitudes without missing ones, and whether Friedel mates are equal."""
    plus, minus = chosen.plus, chosen.minus
    hkl = chosen.hkl.astype(np.int64)
    if minus is not None:
        # One of the two may be missing, as it is of centric reflections. The mates come first, so that of a
        # centric reflection F(+) counts.
        plus, minus = np.where(np.isnan(plus), minus, plus), np.where(np.isnan(minus), plus, minus)
        hkl, plus = np.concatenate([-hkl, hkl]), np.concatenate([minus, plus])
    there = ~np.isnan(plus)
    hkl, plus = hkl[there], plus[there]
    if chosen.intensity:
        plus = np.sqrt(np.maximum(plus, 0.0))
    return hkl, plus, minus is None


def _spacing(chosen: _Columns, dmin: float, place: str) -> Callable[[NDArray[np.int64]], NDArray[np.float64]]:
    """Return a function of indices that gives their spacing [Angstrom]."""
    if chosen.cell is None:
        if dmin > 0.0:
            raise InputError(f"-hkl_dmin {dmin * 1e10:g}: {place} states no unit cell, so that no spacing is known")
        return lambda hkl: np.full(len(hkl), np.nan)
    import gemmi

    cell = gemmi.UnitCell(*chosen.cell)

    def spacing(hkl: NDArray[np.int64]) -> NDArray[np.float64]:
        with np.errstate(divide="ignore"):
            return np.asarray(1.0 / np.sqrt(cell.calculate_1_d2_array(np.ascontiguousarray(hkl, dtype=np.int32))))

    return spacing


def _remarks(
    chosen: _Columns,
    expansion: Expansion,
    hkl: NDArray[np.int64],
    spacing: Callable[[NDArray[np.int64]], NDArray[np.float64]],
    place: str,
) -> Iterator[str]:
    if chosen.cell is None:
        to = "no unit cell"
    else:
        spacings = spacing(hkl)
        to = f"{spacings[np.isfinite(spacings)].max(initial=spacings.min()):.4g} to {spacings.min():.4g} Angstrom"
    what = "intensities, drawn as their square roots" if chosen.intensity else "amplitudes"
    if chosen.minus is not None:
        what += " of Friedel mates"
    yield (
        f"{place}: column {chosen.names}{chosen.origin}, {what}; {expansion.unique} unique reflections in "
        f"{chosen.group}, {expansion.count} in P1, {to}"
    )
    if expansion.repeated:
        yield f"{place}: {expansion.repeated} rows repeat a reflection with another value; the last one counts"


def _refuse_reading(place: str, kind: str, error: Exception) -> NoReturn:
    detail = " ".join(str(error).split())[:200]
    raise InputError(f"{place}: not a readable {kind} file: {detail}") from error


@contextlib.contextmanager
def _plain_name(path: PathLike, option: str) -> Iterator[str]:
    """Give the name of an unpacked file: names that are no text, and packed files, are copied first."""
    name = str(path)
    with opened(path, option) as file:
        packed = file.read(2) == GZIP
    readable = True
    try:
        name.encode("utf-8")
    except UnicodeEncodeError:
        readable = False
    if readable and not packed:
        yield name
        return
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "reflections.mtz"
        copy.write_bytes(unpacked(path, option))
        yield str(copy)


def unpacked(path: PathLike, option: str) -> bytes:
    """Return the content of a file, unpacked if gzip packed it."""
    with opened(path, option) as file:
        data = file.read()
    if not data.startswith(GZIP):
        return data
    try:
        return gzip.decompress(data)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise InputError(f"{label(option, path)}: cannot be unpacked: {error}") from error


def _read_mtz(path: PathLike, column: str | None, option: str) -> _Columns:
    import gemmi

    place = label(option, path)
    with _plain_name(path, option) as name:
        try:
            mtz = gemmi.read_mtz_file(name)
        except (RuntimeError, ValueError, OSError, MemoryError) as error:
            _refuse_reading(place, MTZ, error)
    if len(mtz.batches) > 0:
        raise InputError(f"{place}: holds unmerged observations ({len(mtz.batches)} batches); merge them first")
    taken = _choose_mtz(list(mtz.columns), column, place)
    array = np.asarray(mtz.array)
    if not np.isnan(mtz.valm):
        array = np.where(array == np.float32(mtz.valm), np.float32(np.nan), array)
    values = [array[:, found.idx].astype(np.float64) for found in taken]
    dataset = taken[0].dataset
    cells = [dataset.cell] if dataset is not None else []
    group = mtz.spacegroup or gemmi.SpaceGroup("P 1")
    return _Columns(
        names="/".join(found.label for found in taken),
        origin=f" of dataset {dataset.dataset_name}" if dataset is not None and dataset.dataset_name else "",
        hkl=np.asarray(mtz.make_miller_array()),
        plus=values[0],
        minus=values[1] if len(values) > 1 else None,
        intensity=taken[0].type in "JK",
        cell=_cell([*cells, mtz.cell]),
        group=group.xhm() if mtz.spacegroup else "P1 (the file states no space group)",
        operations=group.operations(),
    )


def _choose_mtz(columns: list[Any], wanted: str | None, place: str) -> list[Any]:
    """Return the column, or the two columns of Friedel mates, to take."""
    listed = ", ".join(f"{found.label} ({found.type})" for found in columns)
    if wanted is not None:
        named = [found for found in columns if found.label == wanted]
        usable = [found for found in named if found.type in "FGJK"]
        if not named:
            raise InputError(f"-hkl_column {wanted}: {place} has no such column; it has {listed}")
        if not usable:
            raise InputError(f"-hkl_column {wanted}: is of type {named[0].type} in {place}; allowed are {_ALLOWED_MTZ}")
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


def _read_cif(path: PathLike, column: str | None, option: str) -> _Columns:
    import gemmi

    place = label(option, path)
    data = unpacked(path, option)
    try:
        document = gemmi.cif.read_string(data)
        operations = _listed_operations(document)
        # Small molecules write _refln_index_h, the others _refln.index_h. A block is moved out of its document.
        small = [block for block in document if block.find_loop("_refln_index_h")]
        converted = [gemmi.hkl_cif_as_refln_block(block) for block in small] or list(gemmi.as_refln_blocks(document))
    except (RuntimeError, ValueError, IndexError) as error:
        _refuse_reading(place, CIF, error)
    tables = [block for block in converted if block.default_loop is not None and not block.is_unmerged()]
    if not tables:
        raise InputError(f"{place}: holds no loop of merged reflections (_refln.index_h ... or _refln_index_h ...)")
    block, names, intensity = _choose_cif(tables, column, place)
    values = [np.asarray(block.make_float_array(name)) for name in names]
    group = block.spacegroup or next((other.spacegroup for other in tables if other.spacegroup), None)
    if group is None and operations is None:
        group_name, operations = "P1 (the file states no space group)", gemmi.SpaceGroup("P 1").operations()
    elif group is None:
        group_name = f"a group of {len(operations)} operations"
    else:
        group_name, operations = group.xhm(), group.operations()
    name = block.block.name.strip()
    return _Columns(
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


def _listed_operations(document: Any) -> Any:
    """Return the operations that a CIF lists one by one, None where it lists none."""
    import gemmi

    for block in document:
        for tag in _OPERATIONS:
            column = [gemmi.cif.as_string(text) for text in block.find_values(tag)]
            if column:
                return gemmi.GroupOps([gemmi.Op(text) for text in column])
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
            raise InputError(f"-hkl_column {wanted}: {place} has no such column; it has {listed}")
        if not searched:
            raise InputError(
                f"-hkl_column {wanted}: is neither an amplitude nor an intensity in {place}; allowed are {_ALLOWED_CIF}"
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
    raise InputError(f"{place}: has no column of amplitudes or intensities ({_ALLOWED_CIF}); it has {quote(listed)}")


def _cell(candidates: Sequence[Any]) -> Cell | None:
    """Return the first cell that is one."""
    for cell in candidates:
        if cell.is_crystal():
            return (cell.a, cell.b, cell.c, cell.alpha, cell.beta, cell.gamma)
    return None
