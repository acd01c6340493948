"""Structure factors: a table in a box of indices, and how one is found between the indices."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from nbnumba.parameters.settings import Settings


@dataclass(frozen=True)
class Table:
    """Amplitudes at whole indices within a box, and one amplitude everywhere else."""

    values: np.ndarray | None  # (h, k, l) from `first` on; None: no table
    first: tuple[int, int, int]
    outside: float

    @property
    def last(self) -> tuple[int, int, int]:
        return tuple(f + n - 1 for f, n in zip(self.first, self.values.shape, strict=True))


def read_table(settings: Settings, folder: Path) -> Table:
    """Read -hkl, else the dump of an earlier run, else have no table (nanoBragg.c:2115-2260)."""
    if settings.factors.hkl_file is not None:
        return _read_hkl(folder / settings.factors.hkl_file, settings.factors.default_F)
    if (folder / settings.factors.dump_file).is_file():
        return _read_dump(folder / settings.factors.dump_file, settings.factors.default_F)
    assert settings.factors.default_F != 0.0, "no structure factors"
    return Table(None, (0, 0, 0), settings.factors.default_F)


def _read_hkl(path: Path, default: float) -> Table:
    rows = [line.split()[:4] for line in path.read_text().splitlines() if line.strip()]
    indices = np.array([[int(float(word)) for word in row[:3]] for row in rows])
    first, last = indices.min(axis=0), indices.max(axis=0)
    values = np.full(last - first + 1, default)
    for place, row in zip(indices - first, rows, strict=True):
        values[tuple(place)] = float(row[3])
    return Table(values, tuple(int(i) for i in first), default)


def _read_dump(path: Path, default: float) -> Table:
    head, _, body = path.read_bytes().partition(b"\n\f")
    bounds = [int(word) for word in head.split()]
    first, last = np.array(bounds[0::2]), np.array(bounds[1::2])
    stored = np.frombuffer(body, "<f8").reshape(last - first + 2)
    return Table(stored[:-1, :-1, :-1], tuple(int(i) for i in first), default)


def nearest(table: Table, whole: np.ndarray) -> np.ndarray:
    """Return the amplitude at whole indices (3, n)."""
    if table.values is None:
        return np.full(whole.shape[1], table.outside)
    place = whole.astype(np.int64) - np.array(table.first)[:, None]
    size = np.array(table.values.shape)[:, None]
    inside = np.all((place >= 0) & (place < size), axis=0)
    somewhere = tuple(np.where(inside, place, 0))
    return np.where(inside, table.values[somewhere], table.outside)


def leaves_latch(table: Table, indices: np.ndarray) -> np.ndarray:
    """Return which samples (3, n) end interpolation in nanoBragg.c:2931, up to a cell earlier than needed."""
    first, last = np.array(table.first)[:, None], np.array(table.last)[:, None]
    return np.any((indices - first + 3 > last - first + 1) | (indices - 2 < first), axis=0)


def leaves_neighborhood(table: Table, indices: np.ndarray) -> np.ndarray:
    """Return which samples (3, n) lack one of the 4x4x4 table entries around them."""
    first, last = np.array(table.first)[:, None], np.array(table.last)[:, None]
    floor = np.floor(indices)
    return np.any((floor - 1 < first) | (floor + 2 > last), axis=0)


def tricubic(table: Table, indices: np.ndarray) -> np.ndarray:
    """Return the Lagrange polynomial through the 4x4x4 entries around each sample (3, n)."""
    corner = np.floor(indices).astype(np.int64) - 1
    grid = [[corner[axis] + i for i in range(4)] for axis in range(3)]
    place = [[nodes - table.first[axis] for nodes in grid[axis]] for axis in range(3)]
    planes = []
    for i in range(4):
        columns = []
        for j in range(4):
            entries = [table.values[place[0][i], place[1][j], place[2][k]] for k in range(4)]
            columns.append(_cubic(grid[2], entries, indices[2]))
        planes.append(_cubic(grid[1], columns, indices[1]))
    return _cubic(grid[0], planes, indices[0])


def _cubic(nodes: list[np.ndarray], values: list[np.ndarray], x: np.ndarray) -> np.ndarray:
    """Evaluate the cubic through four points."""
    total = None
    for i in range(4):
        others = [nodes[j] for j in range(4) if j != i]
        top = (x - others[0]) * (x - others[1]) * (x - others[2]) * values[i]
        bottom = (nodes[i] - others[0]) * (nodes[i] - others[1]) * (nodes[i] - others[2])
        total = top / bottom if total is None else total + top / bottom
    return total
