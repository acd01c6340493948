"""The spots of an image: how many photons of each reflection, and where."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..experiment.model import Experiment
from ..experiment.passes import Pass
from ..experiment.rocking_curves import partialities
from ..imagefiles.spots import COLUMNS, Table
from .shares import collect, hkl_of, key_of


@dataclass(frozen=True, eq=False)
class _Sums:
    """Of every reflection: key, and (n, 9) sums."""

    keys: NDArray[np.int64]
    sums: NDArray[np.float64]


# Columns of the sums: the first five add up, then peak and its place, then pixels, which add up again.
_PHOTONS, _X, _Y, _PHI, _WAVELENGTH, _PEAK, _PEAK_PIXEL, _PIXELS = range(8)


def spot_table(experiment: Experiment, threads: int | None = None, image: int = 0) -> Table:
    """Return the reflections that have photons in an image.

    Parameters
    ----------
    experiment : Experiment
    threads : int, optional
        Every core that this process may use by default.
    image : int
        Number of the image, for its column.

    Returns
    -------
    dict of str to (n,) array
        The columns of `COLUMNS`. x and y are those of the centroid, (0.5, 0.5) being the middle of the first pixel.
        The photons of all spots are those of the image without noise and without what is drawn besides the crystals.

    Notes
    -----
    By the shares of `nbnumba.render.shares`: for every shape, and by the processor.
    """
    spots = SpotTable(image)
    collect(experiment, threads, spots)
    return spots.table()


class SpotTable:
    """Collects the table of the spots of an image; see `nbnumba.render.shares.collect`.

    Parameters
    ----------
    image : int
        Number of the image, for its column.
    """

    def __init__(self, image: int = 0) -> None:
        self._image = image
        self._tables: list[Table] = []

    def take(self, shares: NDArray[np.float64], image: NDArray[np.float32]) -> _Sums:
        """Add up the photons of every reflection."""
        return _by_reflection(shares, image)

    def enter(self, part: Pass, panel: int, found: Sequence[_Sums]) -> None:
        """Make the table of one crystal on one panel."""
        self._tables.append(_columns(_joined(found), part.experiment, self._image, panel, part.crystal))

    def table(self) -> Table:
        """Return the table of all crystals and panels."""
        joined = {name: np.concatenate([table[name] for table in self._tables]) for name in COLUMNS}
        return joined if len(self._tables) == 1 else _merged(joined)


def _by_reflection(shares: NDArray[np.float64], image: NDArray[np.float32]) -> _Sums:
    """Share the photons of pixels out among reflections, and add them up."""
    if not len(shares):
        return _Sums(np.zeros(0, np.int64), np.zeros((0, 8)))
    pixels = shares[:, 3].astype(np.int64)
    low = int(pixels.min())
    totals = np.bincount(pixels - low, shares[:, 4])[pixels - low]
    photons = image.reshape(-1)[pixels].astype(np.float64) * shares[:, 4] / totals
    slow, fast = np.divmod(pixels, image.shape[1])
    values = np.column_stack(
        [
            photons,
            photons * (fast + 0.5),
            photons * (slow + 0.5),
            photons * shares[:, 5] / shares[:, 4],
            photons * shares[:, 6] / shares[:, 4],
            photons,
            pixels,
            np.ones(len(photons)),
        ]
    )
    return _grouped(key_of(shares), values)


def _grouped(key: NDArray[np.int64], values: NDArray[np.float64]) -> _Sums:
    """Add up the values of equal keys; of peaks the highest stays, and of those the first."""
    order = np.lexsort((values[:, _PEAK_PIXEL], -values[:, _PEAK], key))
    key, values = key[order], values[order]
    starts = np.flatnonzero(np.r_[True, np.diff(key) != 0])
    sums = values[starts].copy()
    added = [_PHOTONS, _X, _Y, _PHI, _WAVELENGTH, _PIXELS]
    sums[:, added] = np.add.reduceat(values[:, added], starts, axis=0)
    return _Sums(key[starts], sums)


def _joined(parts: Sequence[_Sums]) -> _Sums:
    parts = sorted((part for part in parts if len(part.keys)), key=lambda part: float(part.sums[:, _PEAK_PIXEL].min()))
    if not parts:
        return _Sums(np.zeros(0, np.int64), np.zeros((0, 8)))
    return _grouped(np.concatenate([part.keys for part in parts]), np.concatenate([part.sums for part in parts]))


def _columns(found: _Sums, experiment: Experiment, image: int, panel: int, lattice: int) -> Table:
    """Return the table of one crystal on one panel."""
    keys, sums = found.keys, found.sums
    kept = sums[:, _PHOTONS] > 0.0
    keys, sums = keys[kept], sums[kept]
    hkl = hkl_of(keys)
    photons = sums[:, _PHOTONS]
    n_fast = experiment.detector.panels[panel].n_fast
    peak = sums[:, _PEAK_PIXEL].astype(np.int64)
    reciprocal = np.linalg.inv(experiment.crystal.real_space * 1e10).T
    lengths = np.linalg.norm(hkl @ reciprocal, axis=1)
    with np.errstate(divide="ignore"):
        d = np.where(lengths > 0.0, 1.0 / lengths, math.inf)
    count = len(keys)
    return {
        "image": np.full(count, image, dtype=np.int64),
        "h": hkl[:, 0],
        "k": hkl[:, 1],
        "l": hkl[:, 2],
        "panel": np.full(count, panel, dtype=np.int64),
        "lattice": np.full(count, lattice, dtype=np.int64),
        "x_px": sums[:, _X] / photons,
        "y_px": sums[:, _Y] / photons,
        "phi_deg": np.degrees(sums[:, _PHI] / photons),
        "z_images": image + _fraction(experiment, sums[:, _PHI] / photons),
        "photons": photons,
        "peak_fast": peak % n_fast,
        "peak_slow": peak // n_fast,
        "peak_photons": sums[:, _PEAK],
        "pixels": sums[:, _PIXELS].astype(np.int64),
        "partiality": partialities(experiment, hkl),
        "d_A": d,
        "wavelength_A": sums[:, _WAVELENGTH] / photons * 1e10,
    }


def _fraction(experiment: Experiment, phi: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return how far into the exposure the crystal stands at spindle angles; in the middle of a still."""
    goniometer = experiment.goniometer
    if goniometer.osc == 0.0:
        return np.full(len(phi), 0.5)
    return np.asarray((phi - goniometer.phi) / goniometer.osc)


def _merged(table: Table) -> Table:
    """Join the entries of one reflection of one crystal on one panel that several groups of sources have made."""
    names = ("lattice", "panel", "h", "k", "l")
    order = np.lexsort(tuple(table[name] for name in reversed(names)))
    table = {name: column[order] for name, column in table.items()}
    differs = np.any([np.diff(table[name]) != 0 for name in names], axis=0) if len(order) else np.zeros(0, bool)
    starts = np.flatnonzero(np.r_[True, differs]) if len(order) else np.zeros(0, np.int64)
    if len(starts) == len(order):
        return table
    photons = table["photons"].astype(np.float64)
    total = np.add.reduceat(photons, starts)
    merged: Table = {name: column[starts].copy() for name, column in table.items()}
    merged["photons"] = total
    for name in ("x_px", "y_px", "phi_deg", "z_images", "partiality", "wavelength_A"):
        merged[name] = np.add.reduceat(photons * table[name], starts) / total
    merged["pixels"] = np.maximum.reduceat(table["pixels"], starts)
    group = np.repeat(np.arange(len(starts)), np.diff(np.r_[starts, len(order)]))
    first = np.lexsort((-table["peak_photons"].astype(np.float64), group))
    highest = first[np.flatnonzero(np.r_[True, np.diff(group[first]) != 0])]
    for name in ("peak_fast", "peak_slow", "peak_photons"):
        merged[name] = table[name][highest]
    return merged
