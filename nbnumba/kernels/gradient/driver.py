"""Runs the kernels that differentiate: band after band of rows, on all threads."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...errors import InputError, called
from ..cpu import driver as cpu_driver
from ..cpu import spot_driver
from ..cpu import spots as listed
from ..cpu.spot_panels import spots_of
from ..cpu.spot_search import BOX
from ..cpu.strip import WIDTH
from ..cpu.tasks import Tasks, announced
from ..scene import Array, Scene
from . import kernel, spots
from .rows import scratch_size
from .tangents import Tangents

BAND = 16  # rows that one task works on
_GROUPS = 8  # of bands, each of which adds to a table of its own: sums do not depend on the threads
# What a band has come to: number of its first row in the region, image and derivatives.
Consumer = Callable[[int, Array, Array], None]


class _Spots(NamedTuple):
    """The spots of a scene, in the order of their pairs of source and orientation."""

    view: Array
    spots: Array
    boxes: NDArray[np.int32]
    source: NDArray[np.int64]  # of each spot
    covariances: Array  # of the orientations, see `spots.prepare_orientations`
    slopes: Array
    spreading: NDArray[np.bool_]  # (directions,) whether mosaicity, bandwidth or divergence change


class Pass(NamedTuple):
    """A scene, what it is differentiated by, and its spots where it is drawn from a list of them."""

    scene: Scene
    tangents: Tangents
    listed: _Spots | None


def prepared(
    scene: Scene,
    tangents: Tangents,
    threads: int,
    on_compiling: Callable[[], None] | None = None,
    on_processor: bool = True,
) -> Pass:
    """Make a scene ready to be differentiated, by the processor or on a GPU.

    Raises
    ------
    InputError
        For a scene whose derivatives are not to be had.
    """
    if scene.halo_count > 0:
        raise InputError(f"derivatives: {called('diffuse_gamma_A')}, {called('diffuse_sigma_A')} have none here")
    if scene.compound:
        raise InputError(
            "derivatives: -oversample_thick, _polar and _omega under -semantics c multiply the running sum, which "
            "has no derivatives here; allowed: -semantics exact"
        )
    latch = cpu_driver.find_latch(scene, threads, on_compiling)
    scene = scene.replace(latch=latch)
    found = _spots(scene, tangents.directions, threads, on_compiling)
    if found is None:
        if scene.continuous:
            raise InputError(
                "-spread continuous: the detector stands around the sample, or its sensor faces away from it"
            )
        if on_processor:
            _load(scene, tangents, False, on_compiling)
        return Pass(scene, tangents, None)
    # Each spot has coefficients of its own, whatever changes it.
    d = tangents.numbers
    apart = tangents.strained | tangents.strained_apart | (tangents.table_of >= 0)
    spreading = np.any(tangents.sources[:, :, 3] != 0.0, axis=1)
    if len(d):
        for name in ("mosaicity", "divergence", "bandwidth"):
            spreading = spreading | (d[name].reshape(len(d), -1) != 0.0).any(axis=1)
    apart = apart | np.any(tangents.forms[:, :6] != 0.0, axis=1) | spreading
    tangents = tangents._replace(strained=np.zeros_like(apart), strained_apart=apart)
    if on_processor:
        _load(scene, tangents, True, on_compiling)
    spots.prepare_orientations(scene, tangents, found.covariances, found.slopes)
    return Pass(scene, tangents, found._replace(spreading=spreading))


def _spots(scene: Scene, directions: int, threads: int, on_compiling: Callable[[], None] | None) -> _Spots | None:
    """List the spots of a scene; None where it is better drawn sample by sample, or cannot be drawn otherwise."""
    pairs = len(scene.sources) * len(scene.orientations)
    if scene.continuous:
        geometry = spot_driver.geometry_of(scene)
    else:
        plan = spot_driver.plan(scene, on_compiling)
        # Spots that overlap their neighbors, or too many for one list, are better asked for.
        few = plan is not None and plan.block == pairs and plan.geometry.view[7] == 0.0
        geometry = plan.geometry if few and plan is not None else None
    if geometry is None:
        return None
    view = geometry.view
    units = min(32, pairs)
    bounds = [pairs * unit // units for unit in range(units + 1)]
    parts: list[tuple[Array, NDArray[np.int32]]] = [(np.zeros((0, listed.SPOT)), np.zeros((0, BOX), np.int32))] * units

    def work(first: int, last: int) -> None:
        for unit in range(first, last):
            parts[unit] = spots_of(scene, geometry, bounds[unit], bounds[unit + 1])

    tasks = Tasks(units, lambda: work)
    if threads == 1 or units == 1:
        tasks.run_here()
    else:
        tasks.run(threads, None)
    found = np.concatenate([part[0] for part in parts])
    source = found[:, listed.PAIR].astype(np.int64) // len(scene.orientations)
    boxes, orientations = np.concatenate([part[1] for part in parts]), len(scene.orientations)
    covariances = np.zeros((orientations, spots.COVARIANCE))
    slopes = np.zeros((orientations, directions, spots.SLOPE))
    return _Spots(view, found, boxes, source, covariances, slopes, np.zeros(directions, dtype=np.bool_))


_loaded: set[bool] = set()
_load_lock = threading.Lock()


def _load(scene: Scene, tangents: Tangents, by_spots: bool, on_compiling: Callable[[], None] | None) -> None:
    """Load or compile a kernel in the thread that asked, which receives Ctrl-C."""
    with _load_lock:
        if by_spots in _loaded:
            return
        room = _Room(tangents.directions)
        nothing, none = np.zeros((0, 0)), np.zeros((tangents.directions, 0, 0))
        with announced(on_compiling):
            if by_spots:
                no_spots = np.zeros(len(scene.sources) + 1, dtype=np.int64)
                coefficients, ellipses = np.zeros((0, spots.BASE)), np.zeros((0, 1, spots.ELLIPSE))
                view = np.zeros(12)
                covariances = np.zeros((len(scene.orientations), spots.COVARIANCE))
                slopes = np.zeros((len(scene.orientations), tangents.directions, spots.SLOPE))
                spots.prepare_orientations(scene, tangents, covariances, slopes)
                spots.prepare_spots(
                    scene, tangents, view, np.zeros((0, listed.SPOT)), no_spots[:0], covariances, slopes,
                    tangents.moving, coefficients, ellipses,
                )  # fmt: skip
                kernel.add_spots(
                    scene, tangents, room.scratch, room.numbers, coefficients, ellipses, no_spots, nothing, none, 0, 0
                )
            else:
                kernel.add_samples(scene, tangents, room.scratch, room.numbers, nothing, none, 0, 0)
        _loaded.add(by_spots)


class _Room:
    """A thread's own working memory."""

    def __init__(self, directions: int) -> None:
        self.scratch = np.zeros(scratch_size(directions))
        self.numbers = np.zeros(WIDTH, dtype=np.int32)


def run(passes: Sequence[Pass], threads: int, consume: Consumer) -> None:
    """Sum up passes, which show the same region of one panel, band after band.

    Parameters
    ----------
    passes : sequence of Pass
        With the same directions.
    threads : int
    consume : callable
        Receives what each band has come to, in any order and from any thread; the arrays are used again.
    """
    rows, columns = passes[0].scene.region_shape
    directions = passes[0].tangents.directions

    def new_worker() -> Callable[[int, int], None]:
        room = _Room(directions)
        image, slopes = np.zeros((BAND, columns)), np.zeros((directions, BAND, columns))

        def work(first_band: int, last_band: int) -> None:
            for band in range(first_band, last_band):
                first, last = band * BAND, min(rows, (band + 1) * BAND)
                image[:], slopes[:] = 0.0, 0.0
                for one in passes:
                    _add(one, room, image, slopes, first, last)
                consume(first, image[: last - first], slopes[:, : last - first])

        return work

    tasks = Tasks(bands(rows), new_worker)
    if threads == 1:
        tasks.run_here()
    else:
        tasks.run(threads, None)


def bands(rows: int) -> int:
    """Number of bands of some number of rows."""
    return -(-rows // BAND)


def _add(one: Pass, room: _Room, image: Array, slopes: Array, first: int, last: int) -> None:
    """Add one band of one pass."""
    scene, tangents, found = one
    if found is None:
        kernel.add_samples(scene, tangents, room.scratch, room.numbers, image, slopes, first, last)
        return
    coefficients, ellipses, starts = spots_of_rows(one, found, first, last)
    kernel.add_spots(
        scene, tangents, room.scratch, room.numbers, coefficients, ellipses, starts, image, slopes, first, last
    )


def spots_of_rows(one: Pass, found: _Spots, first: int, last: int) -> tuple[Array, Array, NDArray[np.int64]]:
    """Return coefficients and ellipses of the spots that meet some rows, and where those of each source begin."""
    scene, tangents, _ = one
    order = np.flatnonzero((found.boxes[:, 2] < last) & (found.boxes[:, 3] >= first))
    starts = np.searchsorted(found.source[order], np.arange(len(scene.sources) + 1))
    coefficients = np.zeros((len(order), spots.BASE + spots.PER_DIRECTION * tangents.directions))
    ellipses = np.zeros((len(order), scene.layers, spots.ELLIPSE))
    spots.prepare_spots(
        scene, tangents, found.view, found.spots, order, found.covariances, found.slopes, found.spreading, coefficients,
        ellipses,
    )  # fmt: skip
    return coefficients, ellipses, starts


def table_gradient(one: Pass, weights: Array, threads: int) -> Array:
    """Derivatives of a number by every structure factor of a scene's table, (cells,).

    Parameters
    ----------
    one : Pass
        Without directions.
    weights : (rows, columns) of the region
        Derivatives of the number by the pixels.
    threads : int
    """
    scene, tangents, found = one
    count = bands(len(weights))
    groups = min(_GROUPS, count)
    tables = np.zeros((groups, scene.flat.size))

    def new_worker() -> Callable[[int, int], None]:
        room = _Room(0)

        def work(first_group: int, last_group: int) -> None:
            for group in range(first_group, last_group):
                for band in range(count * group // groups, count * (group + 1) // groups):
                    first, last = band * BAND, min(len(weights), (band + 1) * BAND)
                    part = weights[first:last]
                    if found is None:
                        kernel.share_out(scene, tangents, room.scratch, room.numbers, part, tables[group], first, last)
                    else:
                        kernel.share_out_by_spots(
                            scene, tangents, room.scratch, room.numbers, *spots_of_rows(one, found, first, last), part,
                            tables[group], first, last,
                        )  # fmt: skip

        return work

    work = new_worker()
    work(0, 1)  # here, where compiling can be interrupted
    rest = Tasks(groups - 1, lambda: _shifted(new_worker()))
    if threads == 1:
        rest.run_here()
    elif groups > 1:
        rest.run(threads, None)
    return np.asarray(tables.sum(axis=0))


def _shifted(work: Callable[[int, int], None]) -> Callable[[int, int], None]:
    """The same work, counted from its second task."""
    return lambda first, last: work(first + 1, last + 1)
