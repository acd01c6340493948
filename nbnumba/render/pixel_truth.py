"""What every pixel shows: its strongest reflection, mean wavelength, and whether it is part of a spot."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..background.water import Water
from ..experiment.model import Experiment
from ..experiment.passes import split_into_passes
from ..experiment.scene import build_scenes
from ..imagefiles.pixel_truth import EMPTY, Maps
from ..kernels.types import available_threads
from .spot_table import angles_of, hkl_of, key_of, shares_by_block

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
    By the sums of `nbnumba.render.spot_table`: for every shape, and by the processor.
    """
    from ..kernels.cpu import driver

    threads = threads or available_threads()
    panels = experiment.detector.panels
    n_slow, n_fast = (max(getattr(panel, name) for panel in panels) for name in ("n_slow", "n_fast"))
    maps = {name: np.full((len(panels), n_slow, n_fast), empty) for name, empty in EMPTY.items()}
    best = np.zeros((len(panels), n_slow, n_fast))
    weighted = np.zeros((len(panels), n_slow, n_fast))
    dry = tuple(material for material in experiment.background if not isinstance(material, Water))
    for part in split_into_passes(dataclasses.replace(experiment, background=dry)):
        for number, scene in enumerate(build_scenes(part.experiment)):
            rendered = driver.render(scene, threads, None, None)
            latched = scene.replace(latch=rendered.latch)
            found = shares_by_block(
                latched,
                rendered.image,
                angles_of(part.experiment),
                threads,
                lambda shares, image=rendered.image: _strongest(shares, image),  # type: ignore[misc]
            )
            rows = np.concatenate([np.zeros((0, _COLUMNS)), *found])
            size = panels[number].n_slow, panels[number].n_fast
            here = tuple(array[number, : size[0], : size[1]] for array in (best, weighted))
            _enter(
                {name: array[number, : size[0], : size[1]] for name, array in maps.items()}, here, rows, part.crystal
            )
    photons = maps["spot_photons"]
    with np.errstate(invalid="ignore", divide="ignore"):
        maps["wavelength_A"][...] = np.where(photons > 0.0, weighted / photons * 1e10, np.nan)
    maps["spot_mask"][...] = _mask(maps, best)
    return {name: array[0] if len(panels) == 1 else array for name, array in maps.items()}


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
