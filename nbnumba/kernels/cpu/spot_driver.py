"""Decides which panels are drawn from lists of compact spots: where that costs less than to ask every pixel.

Spots are listed for some panels at a time, or, where those of one panel are too many, for a block of pairs of source
and orientation at a time, so that memory is bounded. Groups and blocks depend on the scenes alone: an image is the same
for any number of threads.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...errors import InputError
from ..scene import FLAT, GAUSS, TOPHAT, Scene
from . import spot_search as search
from . import spots as cpu
from .spot_panels import WIDEST, Panels, SpotGeometry, cones, numbers_of, panels_of, tiled, widest_of
from .tasks import announced

if TYPE_CHECKING:
    from ..types import Progress, Rendered

_MOST_SPOTS = 1_500_000  # of a list; a spot and its places in the lists take about 100 bytes
_SAMPLED_PAIRS = 12
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

_CURVED_STEPS = 16  # in which a curved detector is looked at, each way
_STEEPEST_TURN, _LONGEST_TURN = 1.5, 5.0  # of a curved detector [rad]: beyond, places meet in one direction
_FLATTEST = 0.01  # share of the region's area that the turns span: C's do not span any where their axes coincide

_NOT_IN_CLOSED_FORM = "-spread continuous: the detector stands around the sample, or its sensor faces away from it"
_NOISE = 1e-9  # of the intensity, by the rounding of offsets; beyond it every rounding is done as the other kernel does


class SpotPlan(NamedTuple):
    """How a scene is drawn."""

    geometry: SpotGeometry
    pairs: int
    block: int  # pairs in a block


class SpotGroup(NamedTuple):
    """Panels whose spots are listed together.

    Attributes
    ----------
    places : sequence of int
        The panels, among those that were asked for.
    panels : Panels
    pairs : int
    block : int
        Pairs in a block; all but for one panel alone.
    """

    places: Sequence[int]
    panels: Panels
    pairs: int
    block: int


def plan(scene: Scene, on_compiling: Callable[[], None] | None = None) -> SpotPlan | None:
    """Decide whether to draw a scene from lists of spots, and by which blocks; None: pixel by pixel is better."""
    steps = _steps(scene, scene.numbers)
    if not scene.continuous and steps < _LEAST_STEPS:
        return None
    with announced(on_compiling):
        return forced_plan(scene, math.inf if scene.continuous else _PER_STEP * steps)


def needed_plan(scene: Scene, on_compiling: Callable[[], None] | None = None) -> SpotPlan | None:
    """Plan as `plan` does, for a renderer that has no other way to draw spots in closed form.

    Raises
    ------
    InputError
        For spots in closed form that cannot be listed.
    """
    planned = plan(scene, on_compiling)
    if planned is None and scene.continuous:
        raise InputError(_NOT_IN_CLOSED_FORM)
    return planned


def forced_plan(scene: Scene, worth: float = math.inf, most_spots: int = _MOST_SPOTS) -> SpotPlan | None:
    """Plan lists of spots where they can draw a scene at all and cost less than `worth` nanoseconds."""
    geometry = geometry_of(scene)
    if geometry is None:
        return None
    groups = _grouped(scene, scene.numbers, {0: geometry}, worth, most_spots)
    return SpotPlan(geometry, groups[0].pairs, groups[0].block) if groups else None


def plan_panels(scenes: Sequence[Scene], on_compiling: Callable[[], None] | None = None) -> list[SpotGroup]:
    """Decide which panels to draw from lists of spots; those of no group are better drawn pixel by pixel.

    Raises
    ------
    InputError
        For spots in closed form that cannot be listed.
    """
    alike: dict[tuple[int, int, int], list[int]] = {}
    for place, scene in enumerate(scenes):
        alike.setdefault((id(scene.sources), id(scene.orientations), id(scene.flat)), []).append(place)
    groups: list[SpotGroup] = []
    with announced(on_compiling):
        for places in alike.values():
            first, numbers = scenes[places[0]], numbers_of([scenes[place] for place in places])
            steps = _steps(first, numbers)
            if first.continuous or steps >= _LEAST_STEPS:
                worth = math.inf if first.continuous else _PER_STEP * steps
                found = _grouped(first, numbers, _geometries(first, numbers), worth, _MOST_SPOTS)
                groups += [group._replace(places=[places[i] for i in group.places]) for group in found]
    if any(scene.continuous for scene in scenes) and sum(len(group.places) for group in groups) < len(scenes):
        raise InputError(_NOT_IN_CLOSED_FORM)
    return groups


def _grouped(
    scene: Scene, numbers: NDArray[np.void], geometries: dict[int, SpotGeometry], worth: float, most_spots: int
) -> list[SpotGroup]:
    """Group panels so that the spots of a group are no more than a list should hold; none if they cost too much.

    Parameters
    ----------
    scene : Scene
        Of one of the panels.
    numbers : (panels,) records
        Of all.
    geometries : dict
        Of those on which spots can be listed.
    """
    if not geometries:
        return []
    listed, views = list(geometries), list(geometries.values())
    panels = panels_of(scene, numbers[listed], views)
    pairs = len(scene.sources) * len(scene.orientations)
    work = _sampled(scene, panels, pairs)
    most = 1.2 * float(work[:, :, 0].sum(axis=1).max())  # spots of a pair
    shares = work[:, :, 0].sum(axis=0) / max(1.0, float(work[:, :, 0].sum()))  # of each panel
    blocks = [max(1, min(pairs, int(most_spots / max(1.0, most * share)))) for share in shares.tolist()]
    groups: list[list[int]] = []
    room = 0.0
    for number, expected in enumerate((most * shares * pairs).tolist()):
        if groups and expected <= room:
            groups[-1].append(number)
        else:
            groups.append([number])
            room = float(most_spots)
        room -= expected
    cost = _cost(scene, panels, work.mean(axis=0) * pairs, -(-pairs // np.array(blocks)))
    cost += _PER_INDEX * pairs * _index_pairs(scene, panels) * len(groups)
    if not cost < worth:
        return []
    found = []
    for members in groups:
        places = [listed[i] for i in members]
        its = panels if len(groups) == 1 else panels_of(scene, numbers[places], [views[i] for i in members])
        found.append(SpotGroup(places, its, pairs, blocks[members[0]] if len(members) == 1 else pairs))
    return found


def _sampled(scene: Scene, panels: Panels, pairs: int) -> NDArray[np.float64]:
    """Return the work on some of the pairs; see `spot_search.list_spots`."""
    chosen = sorted({round(i * (pairs - 1) / max(1, _SAMPLED_PAIRS - 1)) for i in range(_SAMPLED_PAIRS)})
    tiles = np.zeros(panels.first_tiles[-1], dtype=np.int32)
    return np.array(
        [
            search.list_spots(panels, scene.sources, scene.orientations, scene.flat, pair, pair + 1, tiles)[2]
            for pair in chosen
        ]
    )


def _cost(scene: Scene, panels: Panels, work: NDArray[np.float64], blocks: NDArray[np.int64]) -> float:
    """Nanoseconds that it takes to draw the spots of panels, but for the search for them."""
    numbers = panels.numbers
    spots, touches, pixels = work.T
    sub_pixels = numbers["layers"] * numbers["oversample"] ** 2
    rows = np.sqrt(np.maximum(1.0, pixels) * np.maximum(1.0, touches))
    gains = _PER_GAIN * len(scene.sources) * numbers["per_pixel"]
    prepared = blocks * _sizes(numbers) * (_PER_PLACE + gains)
    drawn = _PER_TOUCH * touches + _PER_ROW * rows + _PER_PIXEL * pixels + prepared
    return float((_PER_SPOT * spots + sub_pixels * drawn).sum())


def _sizes(numbers: NDArray[np.void]) -> NDArray[np.int64]:
    """Pixels that are rendered of each panel."""
    rows = numbers["slow_last"] - numbers["slow_first"] + 1
    return np.asarray(rows * (numbers["fast_last"] - numbers["fast_first"] + 1))


def _steps(scene: Scene, numbers: NDArray[np.void]) -> int:
    """Steps of asking every pixel of panels for every source and orientation."""
    places = int((_sizes(numbers) * numbers["layers"] * numbers["oversample"] ** 2).sum())
    return places * len(scene.sources) * len(scene.orientations)


def render(
    scene: Scene,
    planned: SpotPlan,
    threads: int,
    progress: Progress | None,
    on_compiling: Callable[[], None] | None,
) -> Rendered:
    """Render a scene from lists of spots; see `nbnumba.kernels.render`."""
    group = SpotGroup([0], panels_of(scene, scene.numbers, [planned.geometry]), planned.pairs, planned.block)
    return render_group([scene], group, threads, progress, on_compiling)[0]


def render_group(
    scenes: Sequence[Scene],
    group: SpotGroup,
    threads: int,
    progress: Progress | None,
    on_compiling: Callable[[], None] | None,
    images: Sequence[NDArray[np.float32]] = (),
) -> list[Rendered]:
    """Render the scenes of a group from lists of spots.

    Parameters
    ----------
    scenes : sequence of Scene
        Of the group's panels.
    group, threads, progress, on_compiling
    images : sequence of (n_slow, n_fast) float32, optional
        Where to draw them; all 0.
    """
    from ..types import Rendered
    from .spot_image import SpotImage

    image = SpotImage(scenes, group.panels, group.pairs, group.block, threads, progress, images)
    image.load(on_compiling)
    image.draw()
    return [
        Rendered(drawn, solid_angle, scene.latch, "cpu", threads, round(looked_at), spots=listed)
        for scene, drawn, (solid_angle, looked_at), listed in zip(
            scenes, image.images, image.totals(), image.listed.tolist(), strict=True
        )
    ]


def geometry_of(scene: Scene) -> SpotGeometry | None:
    """Work out what a panel sees of reciprocal space; None where spots cannot be listed."""
    return _geometries(scene, scene.numbers).get(0)


def _geometries(scene: Scene, numbers: NDArray[np.void]) -> dict[int, SpotGeometry]:
    """Work out what those panels of a detector see on which spots can be listed; `scene` is that of one of them."""
    axes, half_angles = cones(numbers)
    for place in np.flatnonzero(numbers["surface"] != FLAT):
        axes[place], half_angles[place] = _cone_of_curved(scene._replace(numbers=numbers[[place]]))
    reach = numbers["reach"]
    usable = np.flatnonzero((half_angles < WIDEST) & (reach > 0.0) & (reach < math.inf))
    if len(usable) == 0:
        return {}
    view = _view(scene._replace(numbers=numbers[[widest_of(numbers, usable)]]))
    if view is None:
        return {}
    views = np.tile(view, (len(numbers), 1))
    views[:, :5] = np.column_stack([axes, np.cos(half_angles), np.sin(half_angles)])
    return dict(zip(usable.tolist(), tiled(numbers[usable], views[usable]), strict=True))


def _view(scene: Scene) -> NDArray[np.float64] | None:
    """What a panel sees but for its cone, for all panels whose spots are no larger; see `SpotGeometry`."""
    if scene.shape not in (GAUSS, TOPHAT) or scene.compound or scene.interpolate or scene.halo_count > 0:
        return None
    stretches = _stretches(scene)
    if stretches is None:
        return None
    smallest, largest = stretches
    root = min(math.sqrt(scene.reach) * scene.spot_stretch, _farthest_offsets(scene)[1])
    if not scene.continuous and 4.0 * root * largest * scene.sources[:, 3].max() * 2.0**-52 > _NOISE:
        return None
    crowded = not scene.continuous and not _inside_the_cell(scene)
    longest, farthest = (math.inf, math.inf) if scene.continuous else _farthest_offsets(scene)
    variances = (float(np.linalg.eigvalsh(C)[-1]) for C in (scene.mosaicity, scene.divergence))
    cone = (0.0,) * 5
    return np.array([*cone, smallest, largest, crowded, longest, farthest, *variances], dtype=np.float64)


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


def _cone_of_curved(scene: Scene) -> tuple[NDArray[np.float64], float]:
    """As `cones`, of a curved detector; pi where one direction belongs to several places, or nearly so."""
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


def _index_pairs(scene: Scene, panels: Panels) -> float:
    """About how many pairs of h and k a pair of source and orientation is asked for."""
    k0 = float(scene.sources[:, 3].max())
    chord = math.sqrt(max(0.0, 2.0 - 2.0 * float(panels.around[3])))
    reach = k0 * chord + math.sqrt(scene.reach) * scene.spot_stretch / float(panels.around[5])
    a, b, _ = np.linalg.norm(scene.orientations[0].reshape(3, 3), axis=1)
    sides = [2.0 * reach * a + 1.0, 2.0 * reach * b + 1.0]
    if scene.flat[0] == 0.0:
        sides = [min(side, float(size)) for side, size in zip(sides, (scene.nh, scene.nk), strict=True)]
    return math.prod(sides)
