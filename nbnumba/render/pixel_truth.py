"""What every pixel shows: its strongest reflection, mean wavelength, and whether it is part of a spot."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..experiment.model import Experiment
from ..experiment.passes import Pass
from ..imagefiles.pixel_truth import EMPTY, Maps
from .shares import collect, hkl_of, key_of

OF_PEAK = 0.1  # of the photons of a reflection's brightest pixel, that make a pixel part of its spot
LEAST_PEAK = 1.0  # photons


def pixel_truth(experiment: Experiment, threads: int | None = None) -> Maps:
    """Return what every pixel shows of the crystals.

    Parameters
    ----------
    experiment : Experiment
    threads : int, optional
        Every core that this process may use by default.

    Returns
    -------
    dict of str to array of the image's shape
        `h`, `k`, `l`, `lattice`: of the reflection that gives the pixel most photons; lattice is -1 where none does.
        `wavelength_A`: mean of the crystals' photons, NaN without any. `spot_photons`: expected photons of the
        crystals. `spot_mask`: 1 in the spot of a reflection, which has at least a tenth of the photons of its brightest
        pixel, where that has at least 1 photon.

    Notes
    -----
    By the shares of `nbnumba.render.shares`: for every shape, and by the processor.
    """
    truth = PixelTruth(experiment)
    collect(experiment, threads, truth)
    return truth.maps()


class PixelTruth:
    """Collects what every pixel of an image shows; see `nbnumba.render.shares.collect`.

    Parameters
    ----------
    experiment : Experiment
    """

    def __init__(self, experiment: Experiment) -> None:
        self._panels = experiment.detector.panels
        n_slow, n_fast = (max(getattr(panel, name) for panel in self._panels) for name in ("n_slow", "n_fast"))
        size = (len(self._panels), n_slow, n_fast)
        self._maps = {name: np.full(size, empty) for name, empty in EMPTY.items()}
        self._best, self._weighted = np.zeros(size), np.zeros(size)

    def take(self, shares: NDArray[np.float64], image: NDArray[np.float32]) -> NDArray[np.float64]:
        """Find the strongest reflection of every pixel."""
        return _strongest(shares, image)

    def enter(self, part: Pass, panel: int, found: Sequence[NDArray[np.float64]]) -> None:
        """Add what one crystal gives one panel."""
        rows = np.concatenate([np.zeros((0, _COLUMNS)), *found])
        there = panel, slice(self._panels[panel].n_slow), slice(self._panels[panel].n_fast)
        maps = {name: array[there] for name, array in self._maps.items()}
        _enter(maps, (self._best[there], self._weighted[there]), rows, part.crystal)

    def maps(self) -> Maps:
        """Return the maps of all crystals and panels."""
        maps = self._maps
        photons = maps["spot_photons"]
        with np.errstate(invalid="ignore", divide="ignore"):
            maps["wavelength_A"][...] = np.where(photons > 0.0, self._weighted / photons * 1e10, np.nan)
        maps["spot_mask"][...] = _mask(maps, self._best)
        return {name: array[0] if len(self._panels) == 1 else array for name, array in maps.items()}


_PIXEL, _KEY, _BEST, _PHOTONS, _WEIGHTED = range(5)
_COLUMNS = 5


def _strongest(shares: NDArray[np.float64], image: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return a row for each pixel: its strongest reflection, the photons of that and of all, and times wavelength."""
    if not len(shares):
        return np.zeros((0, _COLUMNS))
    pixels, terms = shares[:, 3].astype(np.int64), shares[:, 4]
    order = np.lexsort((key_of(shares), -terms, pixels))
    shares, pixels, terms = shares[order], pixels[order], terms[order]
    starts = np.flatnonzero(np.r_[True, np.diff(pixels) != 0])
    totals = np.add.reduceat(terms, starts)
    photons = image.reshape(-1)[pixels[starts]].astype(np.float64)
    first = shares[starts]
    return np.column_stack(
        [
            pixels[starts],
            # Of up to 63 bits: as such, not as a number.
            key_of(first).view(np.float64),
            photons * first[:, 4] / totals,
            photons,
            photons * np.add.reduceat(shares[:, 6], starts) / totals,
        ]
    )


def _enter(maps: Maps, sums: tuple[NDArray[np.float64], ...], rows: NDArray[np.float64], lattice: int) -> None:
    """Add what one crystal gives one panel."""
    best, weighted = sums
    slow, fast = np.divmod(rows[:, _PIXEL].astype(np.int64), best.shape[1])
    maps["spot_photons"][slow, fast] += rows[:, _PHOTONS].astype(np.float32)
    weighted[slow, fast] += rows[:, _WEIGHTED]
    stronger = rows[:, _BEST] > best[slow, fast]
    slow, fast = slow[stronger], fast[stronger]
    best[slow, fast] = rows[stronger, _BEST]
    hkl = hkl_of(np.ascontiguousarray(rows[stronger, _KEY]).view(np.int64))
    for name, column in zip("hkl", hkl.T, strict=True):
        maps[name][slow, fast] = column
    maps["lattice"][slow, fast] = lattice


def _mask(maps: Maps, best: NDArray[np.float64]) -> NDArray[np.uint8]:
    """Return which pixels belong to spots."""
    mask = np.zeros(best.shape, dtype=np.uint8)
    lit = np.nonzero(best > 0.0)
    if not len(lit[0]):
        return mask
    names: Any = np.column_stack([lit[0], *(maps[name][lit].astype(np.int64) for name in ("lattice", "h", "k", "l"))])
    _, number = np.unique(names, axis=0, return_inverse=True)
    peaks = np.zeros(number.max() + 1)
    np.maximum.at(peaks, number.reshape(-1), best[lit])
    of_spot = peaks[number.reshape(-1)]
    mask[lit] = (of_spot >= LEAST_PEAK) & (best[lit] >= OF_PEAK * of_spot)
    return mask
