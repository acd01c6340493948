"""Small reflection files of every kind, and a slow expansion to P1 to compare with."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import gemmi
import numpy as np

CELLS = {
    "P 1": (9.0, 10.0, 11.0, 85.0, 95.0, 100.0),
    "P 1 21 1": (9.0, 10.0, 11.0, 90.0, 105.0, 90.0),
    "C 1 2 1": (14.0, 9.0, 11.0, 90.0, 105.0, 90.0),
    "P 21 21 21": (9.0, 10.0, 11.0, 90.0, 90.0, 90.0),
    "P 43 21 2": (10.0, 10.0, 14.0, 90.0, 90.0, 90.0),
    "P 61 2 2": (10.0, 10.0, 14.0, 90.0, 90.0, 120.0),
    "F 4 3 2": (15.0, 15.0, 15.0, 90.0, 90.0, 90.0),
    "R 3 :H": (12.0, 12.0, 14.0, 90.0, 90.0, 120.0),
    "P -1": (9.0, 10.0, 11.0, 85.0, 95.0, 100.0),
    "P n m a": (9.0, 10.0, 11.0, 90.0, 90.0, 90.0),
}

Rows = list[tuple[int, int, int]]


def unique_reflections(group: str, dmin: float = 3.0) -> Rows:
    """Reflections of the asymmetric unit of a space group."""
    found = gemmi.make_miller_array(gemmi.UnitCell(*CELLS[group]), gemmi.SpaceGroup(group), dmin)
    return [(int(h), int(k), int(l)) for h, k, l in found]


def values_of(rows: Rows, seed: int = 1) -> np.ndarray:
    """Return a value for each reflection that float32 holds exactly."""
    return np.random.default_rng(seed).integers(1, 4000, len(rows)) / 8.0


def write_mtz(
    path: Path,
    group: str,
    rows: Rows,
    columns: Sequence[tuple[str, str, np.ndarray]],
    datasets: Sequence[str] = ("native",),
    of_dataset: Sequence[int] = (),
    cell: tuple[float, ...] | None = None,
) -> None:
    """Write columns of (label, type, values); each goes to the last dataset unless `of_dataset` says otherwise."""
    mtz = gemmi.Mtz(with_base=True)
    mtz.spacegroup = gemmi.SpaceGroup(group)
    own = gemmi.UnitCell(*(cell or CELLS[group]))
    mtz.set_cell_for_all(own)
    for name in datasets:
        mtz.add_dataset(name).cell = own
    for i, (name, kind, _) in enumerate(columns):
        mtz.add_column(name, kind, dataset_id=of_dataset[i] if of_dataset else len(datasets))
    data = np.column_stack([np.array(rows).reshape(-1, 3), *(values for _, _, values in columns)])
    mtz.set_data(np.ascontiguousarray(data, dtype=np.float32))
    mtz.write_to_file(str(path))


def cif_text(
    group: str | None, rows: Rows, columns: dict[str, Sequence[object]], dot: str = ".", cell: bool = True
) -> str:
    """Return a CIF with a loop of reflections; `dot` is "_" for that of small molecules."""
    a, b, c, alpha, beta, gamma = CELLS[group or "P 1"]
    lines = ["# reflections", "data_test"]
    if cell:
        lengths, angles = (
            zip("abc", (a, b, c), strict=True),
            zip(("alpha", "beta", "gamma"), (alpha, beta, gamma), strict=True),
        )
        lines += [f"_cell{dot}length_{axis} {value}" for axis, value in lengths]
        lines += [f"_cell{dot}angle_{axis} {value}" for axis, value in angles]
    if group is not None:
        lines.append(f"_symmetry{dot}space_group_name_H-M '{group}'")
    lines += ["loop_", *(f"_refln{dot}{name}" for name in ("index_h", "index_k", "index_l", *columns))]
    lines += [" ".join(map(str, (*row, *values))) for row, *values in zip(rows, *columns.values(), strict=True)]
    return "\n".join(lines) + "\n"


Expanded = dict[tuple[int, int, int], float]


def expanded(group: str, rows: Rows, values: np.ndarray, minus: np.ndarray | None = None) -> Expanded:
    """Expand to P1 one by one, by gemmi's own operations; values of Friedel mates may be given."""
    found: Expanded = {}
    for which, (row, value) in enumerate(zip(rows, values, strict=True)):
        mate = value if minus is None else minus[which]
        # Of an anomalous pair F(+) is written over F(-), which names the same reflection where it is centric.
        for sign, F in ((-1, mate), (1, value)):
            for operation in gemmi.SpaceGroup(group).operations():
                h, k, l = operation.apply_to_hkl(row)
                found[(sign * h, sign * k, sign * l)] = float(F)
    return found


def filled(table: np.ndarray, low: tuple[int, int, int]) -> Expanded:
    """Return what a table without border holds, zeros apart."""
    return {
        (int(h) + low[0], int(k) + low[1], int(l) + low[2]): float(table[h, k, l])
        for h, k, l in np.argwhere(table != 0.0)
    }
