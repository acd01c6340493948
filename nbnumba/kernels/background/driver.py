"""Draws the background of one panel on all threads of the processor."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..scene import Scene
from . import curve, sums
from .bodies import Points, Scatterer, Surroundings
from .extent import sine_range

Array = NDArray[np.float64]

_EDGE = 32  # of a tile
_ROWS = 2 * _EDGE  # of a task
TOLERANCE = 2e-7  # of a tile, and of the fine table: a fifth of the 1e-6 that is promised
_CELLS = 1 << 12  # of the first table that is tried
_MOST_CELLS = 1 << 18


class Term(NamedTuple):
    """One sum over the pixels of a panel."""

    sources: Array  # (n, 5)
    kind: int  # form of the curve
    points: Points  # of the body, where it is not tabulated
    table: Array
    cells: float
    scale: float
    samples: int = 0  # of a pixel, where tiles of pixels may be smooth; 0 where every pixel is summed


def terms(scene: Scene, bodies: Sequence[Scatterer], *, direct: bool = False) -> list[Term]:
    """Return the sums that make up the background of a panel.

    Parameters
    ----------
    scene : Scene
    bodies : sequence of Scatterer
    direct : bool
        Every body by itself, from its points; by default all that are interpolated monotonically are tabulated together
        against the angle, summed over wavelengths.
    """
    apart = [body for body in bodies if direct or body.lagrange]
    together = [body for body in bodies if not (direct or body.lagrange)]
    found = [
        Term(
            scene.sources,
            curve.LAGRANGE if body.lagrange else curve.MONOTONE,
            body.points,
            curve.empty_table(),
            0.0,
            body.photons,
        )
        for body in apart
    ]
    if together:
        directions, table, cells = tabulated(scene.sources, together, sine_range(scene)[1])
        samples = scene.oversample**2 * scene.layers * len(directions)
        found.append(Term(directions, curve.TABULATED, together[0].points, table, cells, 1.0, samples))
    return found


def surround(image: NDArray[np.float32], surroundings: Surroundings, threads: int) -> None:
    """Add the background of a panel to its image, in place."""
    photons = np.zeros(image.shape)
    add(surroundings.scene, surroundings.bodies, photons, threads)
    np.add(image, photons, out=image, casting="same_kind")


def add(scene: Scene, bodies: Sequence[Scatterer], image: Array, threads: int, *, direct: bool = False) -> None:
    """Add the background of a panel to an image.

    Parameters
    ----------
    scene : Scene
        Its geometry, sources, sampling, region and mask.
    bodies : sequence of Scatterer
    image : (n_slow, n_fast) float64 [photons]
        Changed in place, within the region and the mask.
    threads : int
    direct : bool
        Sum every sample of every pixel; by default bodies and wavelengths are summed beforehand and smooth tiles are
        interpolated, to a relative error of 1e-6. Curves that are interpolated as nonBragg does are always summed.
    """
    for term in terms(scene, bodies, direct=direct):
        _add(scene, term, image, threads)


def _add(scene: Scene, term: Term, image: Array, threads: int) -> None:
    points = term.points
    fixed = (
        scene.numbers, scene.mask, term.sources, term.kind, points.stol, points.F, points.slopes, term.table,
        term.cells,
    )  # fmt: skip

    def rows(first: int) -> None:
        last = first + _ROWS - 1
        if term.samples == 1:
            sums.sum_one_sample(*fixed, term.scale, TOLERANCE, first, last, _EDGE, image)
        elif term.samples > 1:
            sums.sum_tiles(*fixed, term.scale, TOLERANCE, first, last, _EDGE, image)
        else:
            sums.sum_rows(*fixed, term.scale, first, last, image)

    in_threads(rows, range(scene.slow_first, scene.slow_last + 1, _ROWS), threads)


def in_threads(task: Callable[[int], None], items: range, threads: int) -> None:
    """Run a task for each item; the first item alone, so that compiling happens once."""
    if not items:
        return
    task(items[0])
    with ThreadPoolExecutor(max_workers=threads) as pool:
        for _ in pool.map(task, items[1:]):
            pass


def tabulated(sources: Array, bodies: Sequence[Scatterer], reach: float) -> tuple[Array, Array, float]:
    """Sum the intensity over bodies and over the wavelengths of each direction.

    Parameters
    ----------
    sources : (n, 5)
    bodies : sequence of Scatterer
    reach : float
        Largest sin(theta) that is asked for.

    Returns
    -------
    directions : (m, 5)
        As sources, one for each direction, of weight 1.
    table : (m, places, 2)
        Photons per unit of polarization and solid angle, and their slope times the step, against sin(theta) from 0 to
        the reach.
    cells : float
        Places in a unit of sin(theta).

    Notes
    -----
    The step is halved until the largest error in the middle of a cell is below `TOLERANCE`, or there are 2^18 cells.
    """
    directions, members = np.unique(sources[:, :3], axis=0, return_inverse=True)
    groups = [sources[members.reshape(-1) == i] for i in range(len(directions))]
    reach = max(reach, 1e-9) * (1.0 + 1e-9)
    cells = _CELLS
    tables = [_tabulated(group, bodies, cells, reach) for group in groups]
    while cells < _MOST_CELLS:
        finer = [_tabulated(group, bodies, 2 * cells, reach) for group in groups]
        worst = max(curve.largest_error(a, b) for a, b in zip(tables, finer, strict=True))
        cells, tables = 2 * cells, finer
        if worst < TOLERANCE:
            break
    ones = np.ones((len(directions), 2))
    return np.ascontiguousarray(np.column_stack([directions, ones])), np.array(tables), cells / reach


def _tabulated(sources: Array, bodies: Sequence[Scatterer], cells: int, reach: float) -> Array:
    total, table = np.zeros((cells + 1, 2)), np.empty((cells + 1, 2))
    inverse, weights = np.ascontiguousarray(sources[:, 3]), np.ascontiguousarray(sources[:, 4])
    for points, photons, _ in bodies:
        curve.tabulate(0.0, reach / cells, inverse, weights, points.stol, points.F, points.slopes, table)
        total += photons * table
    return total


def structure_factors(scene: Scene, points: Points, lagrange: bool) -> Array:
    """F of the last sample of every pixel of the region, (n_slow, n_fast) [electrons]."""
    image = np.zeros((scene.n_slow, scene.n_fast))
    kind = curve.LAGRANGE if lagrange else curve.MONOTONE
    sums.last_F(scene.numbers, scene.sources, kind, points.stol, points.F, points.slopes, image)
    return image


def extracted(scene: Scene, image: Array, photons: float) -> tuple[Array, Array]:
    """Work out stol [1/m] and F of every pixel of an image that one amorphous material made.

    Parameters
    ----------
    scene : Scene
    image : (n_slow, n_fast) [photons]
    photons : float
        As of a `Scatterer`.

    Returns
    -------
    stol : (n_slow, n_fast)
        Of the last sample of each pixel.
    F : (n_slow, n_fast)
        Sign and root of the photons over those of F = 1; NaN outside the region and under the mask.
    """
    one = Points(np.array([0.0, 1e12]), np.ones(2), np.zeros(2))
    unit = np.zeros(image.shape)
    add(scene, [Scatterer(one, photons)], unit, 1, direct=True)
    line = Points(np.array([0.0, 1e12]), np.array([0.0, 1e12]), np.ones(2))
    stol = structure_factors(scene, line, lagrange=False)
    with np.errstate(divide="ignore", invalid="ignore"):
        F = np.sign(image) * np.sqrt(np.abs(image) / unit)
    return stol, np.where(unit > 0.0, F, np.nan)
