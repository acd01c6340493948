"""Draws the background of one panel on all threads of the processor."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..scene import Scene
from . import curve, pieces, sums, tiles
from .bodies import Points, Scatterer, Surroundings
from .extent import sine_range
from .tiles import EDGE

Array = NDArray[np.float64]

_ROWS = EDGE  # of a task
TOLERANCE = 2e-7  # of a tile, and of the fine table: a fifth of the 1e-6 that is promised
_TOLERANCE_AS_C = 1e-10  # of a tile: few pixels are then rounded to another float32
_RUN = 8  # neighboring pixels in one piece from which on polynomials are quicker than a table
_CELLS = 1 << 12  # of the first table that is tried
_MOST_CELLS = 1 << 18


class Term(NamedTuple):
    """One sum over the pixels of a panel."""

    sources: Array  # (n, 5); or directions, with the number of a curve in place of the inverse wavelength
    kind: int  # form of the curve
    points: Points  # of the body; `PIECES`: their rows in place of stol
    table: Array  # (curves, cells, 4), or (curves, cells, 1) with an index of the rows
    cells: float
    scale: float
    tolerance: float = 0.0  # of tiles; 0 where every pixel is summed


def terms(scene: Scene, bodies: Sequence[Scatterer], *, direct: bool = False) -> list[Term]:
    """Return the sums that make up the background of a panel.

    Parameters
    ----------
    scene : Scene
    bodies : sequence of Scatterer
    direct : bool
        Every body by itself, from its points. By default they are summed over bodies and wavelengths beforehand, in
        polynomials between the breaks of the sum; where these are close together, those that are interpolated
        monotonically in a fine table.
    """
    as_c = [body for body in bodies if body.lagrange]
    monotone = [body for body in bodies if not body.lagrange]
    found = []
    if not direct:
        reach = sine_range(scene)[1]
        if as_c and (term := in_pieces(scene, as_c, reach)) is not None:
            found.append(term)
            as_c = []
        if monotone and (term := in_pieces(scene, monotone, reach)) is not None:
            found.append(term)
            monotone = []
        if monotone:
            directions, table, cells = tabulated(scene.sources, monotone, reach)
            found.append(Term(directions, curve.TABULATED, _NO_POINTS, table, cells, 1.0, TOLERANCE))
            monotone = []
    for kind, apart in ((curve.LAGRANGE, as_c), (curve.MONOTONE, monotone)):
        found += [Term(scene.sources, kind, body.points, curve.empty_table(), 0.0, body.photons) for body in apart]
    return found


_NO_POINTS = Points(np.zeros(1), np.zeros(1), np.zeros(1))


def surround(image: NDArray[np.float32], surroundings: Surroundings, threads: int) -> None:
    """Add the background of a panel to its image, in place."""
    add(surroundings.scene, surroundings.bodies, image, threads)


def add(
    scene: Scene,
    bodies: Sequence[Scatterer],
    image: Array | NDArray[np.float32],
    threads: int,
    *,
    direct: bool = False,
) -> None:
    """Add the background of a panel to an image.

    Parameters
    ----------
    scene : Scene
        Its geometry, sources, sampling, region and mask.
    bodies : sequence of Scatterer
    image : (n_slow, n_fast) float64 or float32 [photons]
        Changed in place, within the region and the mask.
    threads : int
    direct : bool
        Sum every sample of every pixel; by default bodies and wavelengths are summed beforehand and smooth tiles are
        interpolated, to a relative error of 1e-6, and of 1e-9 for curves that are interpolated as nonBragg does.
    """
    parts = terms(scene, bodies, direct=direct)

    def rows(first: int) -> None:
        last = min(first + _ROWS, scene.n_slow) - 1
        if len(parts) == 1 and parts[0].tolerance > 0.0:
            _add(scene, parts[0], first, last, image[first : last + 1])
            return
        block = np.zeros((last + 1 - first, scene.n_fast))
        for term in parts:
            _add(scene, term, first, last, block)
        target = image[first : last + 1]
        np.add(target, block, out=target, casting="same_kind")

    in_threads(rows, range(scene.slow_first, scene.slow_last + 1, _ROWS), threads)


def _add(scene: Scene, term: Term, first: int, last: int, block: Array | NDArray[np.float32]) -> None:
    """Add a term to rows first to last."""
    points = term.points
    fixed = (
        scene.numbers, scene.mask, term.sources, term.kind, points.stol, points.F, points.slopes, term.table,
        term.cells, term.scale,
    )  # fmt: skip
    if term.tolerance > 0.0:
        tiles.sum_tiles(*fixed, term.tolerance, first, last, block)
    else:
        sums.sum_rows(*fixed, first, last, block)


def in_threads(task: Callable[[int], None], items: range, threads: int) -> None:
    """Run a task for each item; the first item alone, so that compiling happens once."""
    if not items:
        return
    task(items[0])
    with ThreadPoolExecutor(max_workers=threads) as pool:
        for _ in pool.map(task, items[1:]):
            pass


def _groups(sources: Array) -> tuple[Array, list[Array]]:
    """Return the directions of sources, with the number of their group and weight 1, and the sources of each group.

    A group is the inverse wavelengths and weights of a direction; directions that have the same ones share it.
    """
    directions, members = np.unique(sources[:, :3], axis=0, return_inverse=True)
    groups: dict[bytes, int] = {}
    found: list[Array] = []
    numbers = []
    for i in range(len(directions)):
        group = np.ascontiguousarray(sources[members.reshape(-1) == i, 3:])
        key = group.tobytes()
        if key not in groups:
            groups[key] = len(found)
            found.append(group)
        numbers.append(groups[key])
    return np.ascontiguousarray(np.column_stack([directions, numbers, np.ones(len(directions))])), found


def in_pieces(scene: Scene, bodies: Sequence[Scatterer], reach: float) -> Term | None:
    """Sum bodies of one kind of interpolation over wavelengths, as polynomials.

    None where another form is quicker: every sample by itself or, of monotone interpolation, a fine table.
    """
    directions, groups = _groups(scene.sources)
    as_c = bodies[0].lagrange
    rows, columns = scene.region_shape
    pixels = rows * columns * scene.oversample**2 * scene.layers
    most = (pixels if as_c else max(rows, columns) // _RUN) // len(groups)
    reach = _beyond(reach)
    found = []
    for group in groups:
        inverse, weights = np.ascontiguousarray(group[:, 0]), np.ascontiguousarray(group[:, 1])
        one = pieces.summed(inverse, weights, bodies, reach, most)
        if one is None:
            return None
        found.append(one)
    joined, index, cells = pieces.indexed(found, reach)
    points = _NO_POINTS._replace(stol=joined)
    return Term(directions, curve.PIECES, points, index, cells, 1.0, _TOLERANCE_AS_C if as_c else TOLERANCE)


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
        As sources, one for each direction, with the number of its curve in place of the inverse wavelength.
    table : (curves, cells, 4)
        Photons per unit of polarization and solid angle against sin(theta) from 0 to the reach: coefficients of a
        cubic in every cell.
    cells : float
        Cells in a unit of sin(theta).

    Notes
    -----
    The step is halved until the largest error in the middle of a cell is below `TOLERANCE`, or there are 2^18 cells.
    """
    directions, groups = _groups(sources)
    reach = _beyond(reach)
    cells = _CELLS
    tables = [_tabulated(group, bodies, cells, reach) for group in groups]
    while cells < _MOST_CELLS:
        finer = [_tabulated(group, bodies, 2 * cells, reach) for group in groups]
        worst = max(curve.largest_error(a, b) for a, b in zip(tables, finer, strict=True))
        cells, tables = 2 * cells, finer
        if worst < TOLERANCE:
            break
    return directions, np.array([curve.cubics_of(table) for table in tables]), cells / reach


def _beyond(reach: float) -> float:
    """Return a little more than the largest sin(theta)."""
    return max(reach, 1e-9) * (1.0 + 1e-9)


def _tabulated(group: Array, bodies: Sequence[Scatterer], cells: int, reach: float) -> Array:
    total, table = np.zeros((cells + 1, 2)), np.empty((cells + 1, 2))
    inverse, weights = np.ascontiguousarray(group[:, 0]), np.ascontiguousarray(group[:, 1])
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
