"""Panels whose pixels are those of one lattice: spots are placed on all of them at once."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..scene import FLAT, Array

_OFF_LATTICE = 1e-6  # pixels by which a corner may be off; ten times less than ellipses are enlarged by
_OFF_DIRECTION = 1e-9  # by which directions are told apart
_MOST_CELLS = 64  # along an edge of a sheet


class Sheets(NamedTuple):
    """Panels in sheets: of one plane and one lattice of pixels each; a panel that goes with no other has its own.

    Attributes
    ----------
    numbers : (sheets,) records
        Those of a panel that has the regions of all.
    sheet_of : (panels,) int
    regions : (panels, 4) int
        First and last column and row of the region of each panel, counted from the first of its sheet.
    grid : (sheets, 4) int
        A sheet is cut into cells: columns and rows of pixels in one, cells in a row, number of the first.
    cells : (cells + 1,) int
        Where the members of each cell begin.
    members : int array
        Panels, in ascending order in each cell.
    """

    numbers: NDArray[np.void]
    sheet_of: NDArray[np.int64]
    regions: NDArray[np.int64]
    grid: NDArray[np.int64]
    cells: NDArray[np.int64]
    members: NDArray[np.int64]


def sheets_of(numbers: NDArray[np.void], corners: Array, joined: bool) -> Sheets:
    """Sort panels into sheets.

    Parameters
    ----------
    numbers : (panels,) records
    corners : (panels, 8, 3) [m]
        Of the region of each.
    joined : bool
        False: every panel is a sheet.
    """
    own = np.stack([numbers[name] for name in ("fast_first", "fast_last", "slow_first", "slow_last")], axis=1)
    first, offsets = np.arange(len(numbers)), np.zeros((len(numbers), 2), dtype=np.int64)
    if joined and len(numbers) > 1:
        first, offsets = _on_lattices(numbers, corners)
    kept, sheet_of = np.unique(first, return_inverse=True)
    regions = own + np.repeat(offsets, 2, axis=1)
    sheets = numbers[kept]
    low, high = np.full((len(kept), 2), 2**62), np.full((len(kept), 2), -(2**62))
    np.minimum.at(low, sheet_of, regions[:, ::2])
    np.maximum.at(high, sheet_of, regions[:, 1::2])
    sheets["fast_first"], sheets["slow_first"] = low.T
    sheets["fast_last"], sheets["slow_last"] = high.T
    for name in ("spot_brightness", "reach"):
        largest = np.full(len(kept), -np.inf)
        np.maximum.at(largest, sheet_of, numbers[name])
        sheets[name] = largest
    regions -= np.repeat(low[sheet_of], 2, axis=1)
    return Sheets(sheets, sheet_of, regions, *_cells_of(high - low + 1, sheet_of, regions))


def _on_lattices(numbers: NDArray[np.void], corners: Array) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the first panel on the lattice of each, and how many pixels they are apart, (panels, 2)."""
    basis = np.stack(
        [
            numbers["pixel_fast"][:, None] * numbers["fast"],
            numbers["pixel_slow"][:, None] * numbers["slow"],
            numbers["pixel_fast"][:, None] * numbers["normal"],
        ],
        axis=2,
    )
    apart = np.abs(np.linalg.det(basis)) > 1e-9 * (numbers["pixel_fast"] ** 2 * numbers["pixel_slow"])
    flat = apart & (numbers["surface"] == FLAT)
    basis[~flat] = np.eye(3)
    inverse = np.linalg.inv(basis)
    steps = np.einsum("pij,pj->pi", inverse, numbers["origin"] - numbers["origin"][0])
    off = steps - np.round(steps)
    off[:, 2] = steps[:, 2]
    # Without negative zeros, which would be told apart.
    alike = np.concatenate([
        np.round(np.concatenate([numbers[name] for name in ("fast", "slow", "normal")], axis=1) / _OFF_DIRECTION) + 0.0,
        np.round(off * 1e3) + 0.0,
        np.stack([numbers[name] for name in ("pixel_fast", "pixel_slow", "layers", "layer_step")], axis=1),
        np.where(flat, 0.0, 1.0 + np.arange(len(numbers)))[:, None],
    ], axis=1)  # fmt: skip
    _, firsts, group = np.unique(alike, axis=0, return_index=True, return_inverse=True)
    first = firsts[group.ravel()]
    offsets = np.round(np.einsum("pij,pj->pi", inverse[first], numbers["origin"] - numbers["origin"][first]))
    # All corners must be where the lattice of the first panel has them.
    there = np.einsum("pij,pcj->pci", inverse[first], corners - numbers["origin"][first][:, None])
    here = np.einsum("pij,pcj->pci", inverse, corners - numbers["origin"][:, None]) + offsets[:, None]
    fits = np.abs(there - here).max(axis=(1, 2)) < _OFF_LATTICE
    first = np.where(fits, first, np.arange(len(numbers)))
    return first, np.where(fits[:, None], offsets[:, :2], 0.0).astype(np.int64)


def _cells_of(
    sizes: NDArray[np.int64], sheet_of: NDArray[np.int64], regions: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Cut sheets of some columns and rows into cells, and find the panels of each; see `Sheets`."""
    smallest, panels = sizes.copy(), np.bincount(sheet_of)
    np.minimum.at(smallest, sheet_of, regions[:, 1::2] - regions[:, ::2] + 1)
    counts = np.clip(sizes // smallest, 1, np.minimum(panels, _MOST_CELLS)[:, None])
    edges = -(-sizes // counts)
    starts = np.concatenate([[0], np.cumsum(counts[:, 0] * counts[:, 1])])
    grid = np.column_stack([edges, counts[:, 0], starts[:-1]])
    low, high = regions[:, ::2] // edges[sheet_of], regions[:, 1::2] // edges[sheet_of]
    wide, touched = high[:, 0] - low[:, 0] + 1, np.prod(high - low + 1, axis=1)
    members = np.repeat(np.arange(len(regions)), touched)
    place = np.arange(len(members)) - np.repeat(np.cumsum(touched) - touched, touched)
    row, column = low[members, 1] + place // wide[members], low[members, 0] + place % wide[members]
    cell = grid[sheet_of[members], 3] + row * grid[sheet_of[members], 2] + column
    begins = np.concatenate([[0], np.cumsum(np.bincount(cell, minlength=int(starts[-1])))])
    return grid, begins, members[np.argsort(cell, kind="stable")]
