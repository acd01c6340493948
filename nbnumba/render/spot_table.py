"""The spots of an image: how many photons of each reflection, and where."""

from __future__ import annotations

import dataclasses
import functools
import math
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

import numpy as np
from numpy.typing import NDArray

from ..background.water import Water
from ..experiment.model import Experiment
from ..experiment.passes import split_into_passes
from ..experiment.rocking_curves import partialities
from ..experiment.scene import build_scenes
from ..imagefiles.spots import COLUMNS, Table
from ..kernels.scene import Scene
from ..kernels.types import available_threads

if TYPE_CHECKING:
    from ..kernels.cpu.tasks import Worker

_T = TypeVar("_T")

_ROWS = 16  # that a thread works through at a time
_SPOTS = 20_000
_OFFSET = 1 << 20  # of indices within a key


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
    A photon belongs to the reflection that is nearest to its sample; where mosaicity is drawn in closed form, to the
    reflection whose spot it is of. The crystals are rendered once more for it, by the processor.
    """
    from ..kernels.cpu import driver

    threads = threads or available_threads()
    bare = dataclasses.replace(
        experiment, background=tuple(m for m in experiment.background if not isinstance(m, Water))
    )
    tables = []
    for part in split_into_passes(bare):
        for number, scene in enumerate(build_scenes(part.experiment)):
            rendered = driver.render(scene, threads, None, None)
            sums = _sums(scene.replace(latch=rendered.latch), rendered.image, angles_of(part.experiment), threads)
            tables.append(_columns(sums, part.experiment, image, number, part.crystal))
    joined = {name: np.concatenate([table[name] for table in tables]) for name in COLUMNS}
    return joined if len(tables) == 1 else _merged(joined)


def angles_of(experiment: Experiment) -> NDArray[np.float64]:
    """Return the spindle angle of every orientation [rad]."""
    return np.repeat(experiment.goniometer.angles, len(experiment.crystal.mosaic_rotations))


def _sums(scene: Scene, image: NDArray[np.float32], phis: NDArray[np.float64], threads: int) -> _Sums:
    return _joined(shares_by_block(scene, image, phis, threads, lambda shares: _by_reflection(shares, image)))


def shares_by_block(
    scene: Scene,
    image: NDArray[np.float32],
    phis: NDArray[np.float64],
    threads: int,
    take: Callable[[NDArray[np.float64]], _T],
) -> list[_T]:
    """Work out which reflections the photons of pixels come from, block by block of whole pixels.

    Parameters
    ----------
    scene : Scene
        With the latch of the image.
    image : (n_slow, n_fast) float32
    phis : (orientations,) [rad]
    threads : int
    take : callable
        Receives shares as `nbnumba.kernels.cpu.attribution` makes them, and returns what is kept of them.

    Returns
    -------
    list
        Of what `take` returns, in no order.
    """
    from ..kernels.cpu import spot_driver
    from ..kernels.cpu.tasks import Tasks

    planned = spot_driver.forced_plan(scene)
    if planned is not None:
        return [take(_spot_shares(scene, planned, phis, threads))]
    if scene.continuous:
        return []
    from ..kernels.cpu import attribution

    parts: list[_T] = []
    lock = threading.Lock()
    rows = range(scene.slow_first, scene.slow_last + 1)
    blocks = [rows[i : i + _ROWS] for i in range(0, len(rows), _ROWS)]

    def of_rows(begin: int, end: int) -> None:
        for block in blocks[begin:end]:
            found = take(attribution.shares_of_pixels(scene, image, phis, block.start, block.stop))
            with lock:
                parts.append(found)

    Tasks(len(blocks), lambda: of_rows).run(threads, None)
    return parts


def _spot_shares(scene: Scene, planned: object, phis: NDArray[np.float64], threads: int) -> NDArray[np.float64]:
    """Return the shares of the spots that the image was, or might have been, drawn from."""
    from ..kernels.cpu import attribution, spot_driver
    from ..kernels.cpu.spot_panels import spots_of
    from ..kernels.cpu.tasks import Tasks

    assert isinstance(planned, spot_driver.SpotPlan)
    geometry = planned.geometry
    found: list[NDArray[np.float64]] = []
    lock = threading.Lock()
    for first in range(0, planned.pairs, planned.block):
        last = min(planned.pairs, first + planned.block)
        listed, boxes = spots_of(scene, geometry, first, last)
        blocks = [range(i, min(i + _SPOTS, len(listed))) for i in range(0, len(listed), _SPOTS)]

        def of_spots(begin: int, end: int, listed=listed, boxes=boxes, blocks=blocks) -> None:  # type: ignore[no-untyped-def]
            for block in blocks[begin:end]:
                shares = attribution.shares_of_spots(scene, geometry.view, listed, boxes, phis, block.start, block.stop)
                reduced = _by_pixel(shares)
                with lock:
                    found.append(reduced)

        if blocks:
            Tasks(len(blocks), functools.partial(_same, of_spots)).run(threads, None)
    return _by_pixel(np.concatenate(found)) if found else np.zeros((0, 7))


def _same(work: Worker) -> Worker:
    return work


def key_of(shares: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return a number for the reflection of each share."""
    h, k, l = (shares[:, column].astype(np.int64) + _OFFSET for column in range(3))
    return np.asarray((h << 42) | (k << 21) | l)


def hkl_of(keys: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return h, k, l of keys, (n, 3)."""
    mask = (1 << 21) - 1
    return np.asarray(np.column_stack([(keys >> 42) & mask, (keys >> 21) & mask, keys & mask]) - _OFFSET)


def _by_pixel(shares: NDArray[np.float64]) -> NDArray[np.float64]:
    """Add up the shares of each reflection in each pixel, in an order of their own."""
    key = key_of(shares)
    order = np.lexsort((shares[:, 4], shares[:, 3], key))
    shares, key = shares[order], key[order]
    if not len(key):
        return shares
    starts = np.flatnonzero(np.r_[True, (np.diff(key) != 0) | (np.diff(shares[:, 3]) != 0)])
    summed = shares[starts].copy()
    summed[:, 4:] = np.add.reduceat(shares[:, 4:], starts, axis=0)
    return summed


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
