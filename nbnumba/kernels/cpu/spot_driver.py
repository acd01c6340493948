"""Draws compact spots from lists of them, where that is less work than to ask every pixel for every orientation.

Spots are listed for a block of pairs of source and orientation at a time, so that memory is bounded; what a block
adds to the pixels is kept in float64 until the next. Blocks depend on the scene alone: an image is the same for any
number of threads.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...errors import InputError
from ..scene import FLAT, GAUSS, TOPHAT, Scene
from . import spot_tiles
from . import spots as cpu
from .strip import LANES, SCRATCH, WIDTH
from .tasks import Tasks, announced

if TYPE_CHECKING:
    from ..types import Progress, Rendered

_MOST_SPOTS = 1_500_000  # of a list; a spot and its places in the lists take about 100 bytes
_SAMPLED_PAIRS = 12
_UNITS = 32  # parts of a block that are listed apart
_LEAST_STEPS = 3_000_000  # below that there is nothing to be gained

# Nanoseconds of one core; their ratios decide which kernel draws.
_PER_STEP = 2.0  # asking a pixel for the nearest reflection of an orientation
_PER_PLACE = 3.0  # preparing a sub-pixel
_PER_GAIN = 6.0  # weighing a source in a sub-pixel, where what it is weighed by depends on the pixel
_PER_SPOT = 150.0  # listing
_PER_ROW = 12.0
_PER_PIXEL = 1.6
_PER_TOUCH = 60.0  # a spot in a tile, each place
_PER_INDEX = 8.0  # a pair of h and k that is asked for its spots

_WIDEST = 1.5  # half-angle of what a panel sees
_CURVED_STEPS = 16  # in which a curved detector is looked at, each way
_STEEPEST_TURN, _LONGEST_TURN = 1.5, 5.0  # of a curved detector [rad]: beyond, places meet in one direction
_FLATTEST = 0.01  # share of the region's area that the turns span: C's do not span any where their axes coincide

_NOISE = 1e-9  # of the intensity, by the rounding of offsets; beyond it every rounding is done as the other kernel does


class SpotGeometry(NamedTuple):
    """What is seen of reciprocal space, and how far a spot may extend in it."""

    view: NDArray[np.float64]  # axis, cosine, sine of the panel's cone; smallest and largest stretch of M
    tile_width: int
    tiles_per_row: int
    tiles: int


class SpotPlan(NamedTuple):
    """How a scene is drawn."""

    geometry: SpotGeometry
    pairs: int
    block: int  # pairs in a block


def plan(scene: Scene, on_compiling: Callable[[], None] | None = None, panels: int = 1) -> SpotPlan | None:
    """Decide whether to draw a scene from lists of spots, and by which blocks; None: pixel by pixel is better.

    Parameters
    ----------
    scene : Scene
    on_compiling : callable, optional
    panels : int
        Of the detector, all about as large.
    """
    steps = math.prod(scene.region_shape) * scene.samples_per_pixel
    if scene.continuous:
        with announced(on_compiling):
            return forced_plan(scene)
    if steps * panels < _LEAST_STEPS:
        return None
    with announced(on_compiling):
        return forced_plan(scene, _PER_STEP * steps)


def needed_plan(scene: Scene, on_compiling: Callable[[], None] | None = None, panels: int = 1) -> SpotPlan | None:
    """Plan as `plan` does, for a renderer that has no other way to draw spots in closed form.

    Raises
    ------
    InputError
        For spots in closed form that cannot be listed.
    """
    planned = plan(scene, on_compiling, panels)
    if planned is None and scene.continuous:
        raise InputError("-spread continuous: the detector stands around the sample, or its sensor faces away from it")
    return planned


def forced_plan(scene: Scene, worth: float = math.inf, most_spots: int = _MOST_SPOTS) -> SpotPlan | None:
    """Plan lists of spots where they can draw a scene at all and cost less than `worth` nanoseconds."""
    geometry = geometry_of(scene)
    if geometry is None:
        return None
    pairs = len(scene.sources) * len(scene.orientations)
    sampled = sorted({round(i * (pairs - 1) / max(1, _SAMPLED_PAIRS - 1)) for i in range(_SAMPLED_PAIRS)})
    work = np.zeros((len(sampled), 3))
    for i, pair in enumerate(sampled):
        tiles = np.zeros(geometry.tiles, dtype=np.int32)
        work[i] = cpu.list_spots(scene, geometry.view, pair, pair + 1, geometry.tile_width, tiles)[2]
    spots, touches, pixels = work.mean(axis=0) * pairs
    places = scene.layers * scene.oversample**2
    rows = math.sqrt(max(1.0, pixels) * max(1.0, touches))
    cost = _PER_SPOT * spots + places * (_PER_TOUCH * touches + _PER_ROW * rows + _PER_PIXEL * pixels)
    block = max(1, min(pairs, int(most_spots / max(1.0, 1.2 * float(work[:, 0].max())))))
    blocks = -(-pairs // block)
    gains = _PER_GAIN * len(scene.sources) if scene.per_pixel else 0.0
    cost += blocks * places * math.prod(scene.region_shape) * (_PER_PLACE + gains)
    cost += _PER_INDEX * pairs * _index_pairs(scene, geometry)
    return SpotPlan(geometry, pairs, block) if cost < worth else None


def like(scene: Scene, other: Scene, planned: SpotPlan) -> SpotPlan | None:
    """Plan a panel as another one of its detector; None where its spots cannot be listed, or more must be looked at."""
    if not 0.0 < scene.reach <= other.reach:
        return None
    axis, half_angle = _cone(scene)
    if not half_angle < _WIDEST:
        return None
    view = planned.geometry.view.copy()
    view[:5] = (*axis, math.cos(half_angle), math.sin(half_angle))
    return SpotPlan(_tiled(scene, view), planned.pairs, max(1, planned.block // 2))


def render(
    scene: Scene,
    planned: SpotPlan,
    threads: int,
    progress: Progress | None,
    on_compiling: Callable[[], None] | None,
    into: NDArray[np.float32] | None = None,
    *,
    here: bool = False,
) -> Rendered:
    """Render a scene from lists of spots; see `nbnumba.kernels.render`.

    Parameters
    ----------
    scene, threads, progress, on_compiling
    planned : SpotPlan
    into : (n_slow, n_fast) float32, optional
        Where to draw it; all 0.
    here : bool
        Whether to work in the thread that asks, which is one of many.
    """
    from ..types import Rendered

    image = _Image(scene, planned, threads, progress, on_compiling, into, here)
    image.draw()
    solid_angle, looked_at = np.sum(image.tallies, axis=0)
    return Rendered(
        image.image, float(solid_angle), scene.latch, "cpu", threads, round(float(looked_at)), spots=image.listed
    )


class _Image:
    """An image that is being drawn block by block."""

    def __init__(
        self,
        scene: Scene,
        planned: SpotPlan,
        threads: int,
        progress: Progress | None,
        on_compiling: Callable[[], None] | None,
        into: NDArray[np.float32] | None,
        here: bool,
    ) -> None:
        self.scene, self.plan, self.threads = scene, planned, threads
        self.image = np.zeros((scene.n_slow, scene.n_fast), dtype=np.float32) if into is None else into
        self.tallies = np.zeros((planned.geometry.tiles, 2))
        self.listed = 0
        several = planned.block < planned.pairs
        self._sums = np.zeros(scene.region_shape if several else (0, 0))
        self._progress, self._here = progress, here
        if not here:
            self._load(on_compiling)

    def draw(self) -> None:
        """Draw all blocks."""
        pairs, block = self.plan.pairs, self.plan.block
        for first in range(0, pairs, block):
            last = min(pairs, first + block)
            spots, order, starts = self._list(first, last)
            self.listed += len(spots)
            self._draw_block(spots, order, starts, first, last)

    def _list(self, first: int, last: int) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
        """List the spots of a block of pairs; return them, their order by tiles, and where each tile starts."""
        geometry = self.plan.geometry
        units = 1 if self._here else min(_UNITS, last - first)  # the order of the spots is the same
        bounds = [first + (last - first) * unit // units for unit in range(units + 1)]
        tiles = np.zeros((units, geometry.tiles), dtype=np.int32)
        found: list[tuple[NDArray[Any], NDArray[Any]]] = [(np.empty((0, cpu.SPOT)), np.empty((0, 4)))] * units

        def list_units(begin: int, end: int) -> None:
            for unit in range(begin, end):
                found[unit] = cpu.list_spots(
                    self.scene, geometry.view, bounds[unit], bounds[unit + 1], geometry.tile_width, tiles[unit]
                )[:2]

        self._run(units, lambda: list_units, first, last, 0.0, 0.2)
        totals = tiles.sum(axis=0, dtype=np.int64)
        starts = np.concatenate([[0], np.cumsum(totals)])
        places = starts[:-1] + np.cumsum(tiles, axis=0, dtype=np.int64) - tiles
        order = np.empty(int(starts[-1]), dtype=np.int32)
        offsets = np.concatenate([[0], np.cumsum([len(spots) for spots, _ in found])])

        def put_in_order(begin: int, end: int) -> None:
            for unit in range(begin, end):
                cpu.put_in_order(
                    found[unit][1], int(offsets[unit]), geometry.tile_width, geometry.tiles_per_row, places[unit], order
                )

        self._run(units, lambda: put_in_order, first, last, 0.2, 0.25)
        return np.concatenate([spots for spots, _ in found]), order, starts

    def _draw_block(
        self, spots: NDArray[Any], order: NDArray[Any], starts: NDArray[Any], first: int, last: int
    ) -> None:
        """Add the listed spots to the pixels."""
        geometry = self.plan.geometry
        begins, ends = first == 0, last == self.plan.pairs

        def new_worker() -> Callable[[int, int], object]:
            scratch = np.zeros((cpu.TILE_ROWS, SCRATCH))
            return lambda begin, end: spot_tiles.draw_tiles(
                self.scene, geometry.view, spots, order, starts, scratch, self._sums, self.image, self.tallies,
                begin, end, geometry.tile_width, begins, ends,
            )  # fmt: skip

        self._run(geometry.tiles, new_worker, first, last, 0.25, 1.0)

    def _run(
        self, count: int, new_worker: Callable[[], Any], first: int, last: int, since: float, until: float
    ) -> None:
        """Run tasks that are a part of the work on a block, from one fraction of it to another."""
        pairs = self.plan.pairs

        def report(fraction: float) -> None:
            if self._progress is not None:
                self._progress((first + (since + fraction * (until - since)) * (last - first)) / pairs)

        if self._here:
            new_worker()(0, count)
        else:
            Tasks(count, new_worker).run(self.threads, report)

    def _load(self, on_compiling: Callable[[], None] | None) -> None:
        """Load or compile what draws, in the thread that asked, which receives Ctrl-C."""
        none, nowhere = np.zeros((0, cpu.SPOT)), np.zeros(2, dtype=np.int64)
        with announced(on_compiling):
            cpu.put_in_order(np.zeros((0, 4), dtype=np.int32), 0, LANES, 1, nowhere, np.zeros(0, dtype=np.int32))
            spot_tiles.draw_tiles(
                self.scene, self.plan.geometry.view, none, np.zeros(0, dtype=np.int32), nowhere,
                np.zeros((cpu.TILE_ROWS, SCRATCH)), self._sums, self.image, self.tallies, 0, 0, LANES, True, True,
            )  # fmt: skip


def geometry_of(scene: Scene) -> SpotGeometry | None:
    """Work out what a panel sees of reciprocal space; None where spots cannot be listed."""
    if scene.shape not in (GAUSS, TOPHAT) or scene.compound or scene.interpolate:
        return None
    if scene.halo_count > 0 or not 0.0 < scene.reach < math.inf:
        return None
    stretches = _stretches(scene)
    if stretches is None:
        return None
    smallest, largest = stretches
    root = min(math.sqrt(scene.reach) * scene.spot_stretch, _farthest_offsets(scene)[1])
    if not scene.continuous and 4.0 * root * largest * scene.sources[:, 3].max() * 2.0**-52 > _NOISE:
        return None
    axis, half_angle = _cone(scene)
    if not half_angle < _WIDEST:
        return None
    crowded = not scene.continuous and not _inside_the_cell(scene)
    longest, farthest = (math.inf, math.inf) if scene.continuous else _farthest_offsets(scene)
    variances = (float(np.linalg.eigvalsh(C)[-1]) for C in (scene.mosaicity, scene.divergence))
    cone = (*axis, math.cos(half_angle), math.sin(half_angle))
    view = np.array([*cone, smallest, largest, crowded, longest, farthest, *variances], dtype=np.float64)
    return _tiled(scene, view)


def _tiled(scene: Scene, view: NDArray[np.float64]) -> SpotGeometry:
    rows, columns = scene.region_shape
    width = min(WIDTH, -(-columns // LANES) * LANES)
    per_row = -(-columns // width)
    return SpotGeometry(view, width, per_row, per_row * -(-rows // cpu.TILE_ROWS))


def _triangle(scene: Scene) -> NDArray[np.float64]:
    """The matrix R that measures offsets from a reflection, in units in which spots end at the root of `reach`."""
    R = np.zeros((3, 3))
    R[np.triu_indices(3)] = scene.triangle
    return R * scene.spot_scale


def _stretches(scene: Scene) -> tuple[float, float] | None:
    """Smallest and largest factor by which M stretches an offset [m]; None where orientations are no rotations."""
    cells = scene.orientations.reshape(-1, 3, 3)
    gram = np.einsum("oij,okj->oik", cells, cells)
    if not np.allclose(gram, gram[0], rtol=1e-9, atol=1e-9 * float(np.abs(gram[0]).max())):
        return None
    singular = np.linalg.svd(_triangle(scene) @ cells[0] * scene.spot_stretch, compute_uv=False)
    if not singular[-1] > 1e-9 * singular[0]:
        return None
    return float(singular[-1] * (1.0 - 1e-8)), float(singular[0] * (1.0 + 1e-8))


def _inside_the_cell(scene: Scene) -> bool:
    """Tell whether a spot ends before another reflection is the nearer one, along every axis."""
    inverse = np.linalg.inv(_triangle(scene))
    return bool(np.all(np.linalg.norm(inverse, axis=1) * math.sqrt(scene.reach) < 0.5 - 1e-6))


def _farthest_offsets(scene: Scene) -> tuple[float, float]:
    """Longest offset whose nearest reflection is the same [1/m], and the largest that M makes of one."""
    corners = np.array([[x, y, z] for x in (-0.5, 0.5) for y in (-0.5, 0.5) for z in (-0.5, 0.5)])
    reciprocal = np.linalg.inv(scene.orientations[0].reshape(3, 3))  # columns a*, b*, c*
    offsets, stretched = corners @ reciprocal.T, corners @ _triangle(scene).T * scene.spot_stretch
    longest, farthest = (float(np.linalg.norm(v, axis=1).max()) for v in (offsets, stretched))
    return longest * (1.0 + 1e-6), farthest * (1.0 + 1e-6)


def _cone(scene: Scene) -> tuple[NDArray[np.float64], float]:
    """Axis and half-angle of a cone that holds the directions from the sample to the region; pi where there is none."""
    if scene.surface != FLAT:
        return _cone_of_curved(scene)
    across = scene.pixel_fast * np.array([scene.fast_first, scene.fast_last + 1])
    along = scene.pixel_slow * np.array([scene.slow_first, scene.slow_last + 1])
    depths = scene.layers * scene.layer_step * np.array([0.0, 1.0])
    edges = across[:, None, None] * scene.fast + along[:, None] * scene.slow  # (2, 2, 3)
    corners = (scene.origin + edges[:, :, None] + depths[:, None] * scene.normal).reshape(-1, 3)
    lengths = np.linalg.norm(corners, axis=1)
    if lengths.min() == 0.0:
        return scene.beam, math.pi
    directions = corners / lengths[:, None]
    axis = directions.sum(axis=0)
    if np.linalg.norm(axis) < 1e-3:
        return scene.beam, math.pi
    axis /= np.linalg.norm(axis)
    cosines = np.clip(directions @ axis, -1.0, 1.0)
    return axis, float(np.arccos(cosines.min())) + 1e-7


def _cone_of_curved(scene: Scene) -> tuple[NDArray[np.float64], float]:
    """As `_cone`, of a curved detector; pi where one direction belongs to several places, or nearly so."""
    directions, turns = cpu.look_at_curved(scene, _CURVED_STEPS)
    axis = directions.sum(axis=(0, 1, 2))
    about_slow, about_fast = turns[..., 0], turns[..., 1]
    too_far = np.abs(about_slow).max() > _STEEPEST_TURN or np.ptp(about_fast) > _LONGEST_TURN
    along_fast, along_slow = turns[0, 0, -1] - turns[0, 0, 0], turns[0, -1, 0] - turns[0, 0, 0]
    area = along_fast[0] * along_slow[1] - along_fast[1] * along_slow[0]
    sides = math.prod(
        n * edge for n, edge in zip(scene.region_shape, (scene.pixel_slow, scene.pixel_fast), strict=True)
    )
    if too_far or not abs(area) > _FLATTEST * sides / scene.distance**2 or np.linalg.norm(axis) < 1e-3:
        return scene.beam, math.pi
    axis /= np.linalg.norm(axis)
    # No direction between the steps is farther from the next of them than half of what the turns change.
    between = 0.5 * sum(float(np.abs(np.diff(turns[0], axis=side)).sum(axis=-1).max()) for side in (0, 1))
    return axis, float(np.arccos(np.clip(directions @ axis, -1.0, 1.0).min())) + between + 1e-7


def _index_pairs(scene: Scene, geometry: SpotGeometry) -> float:
    """About how many pairs of h and k a pair of source and orientation is asked for."""
    k0 = float(scene.sources[:, 3].max())
    chord = math.sqrt(max(0.0, 2.0 - 2.0 * float(geometry.view[3])))
    reach = k0 * chord + math.sqrt(scene.reach) * scene.spot_stretch / float(geometry.view[5])
    a, b, _ = np.linalg.norm(scene.orientations[0].reshape(3, 3), axis=1)
    sides = [2.0 * reach * a + 1.0, 2.0 * reach * b + 1.0]
    if scene.flat[0] == 0.0:
        sides = [min(side, float(size)) for side, size in zip(sides, (scene.nh, scene.nk), strict=True)]
    return math.prod(sides)
