"""Runs the CPU kernels on all threads: compact spots from lists of them where that pays, else strip by strip."""

from __future__ import annotations

import threading
from bisect import bisect_right
from collections.abc import Callable, Sequence
from itertools import accumulate, zip_longest
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..latch import may_trip
from ..scene import GAUSS, NEVER, ROUND, SQUARE, TOPHAT, Scene
from . import kernel as cpu
from . import single_scene, smooth
from .cubic import ROOM
from .smooth import SINGLES
from .strip import LANES, WIDTH
from .tasks import Tasks, announced

if TYPE_CHECKING:
    from ..types import Progress, Rendered
    from .spot_driver import SpotGroup

Image = NDArray[np.float32]

FIRST_CHUNK_STEPS = 500_000  # about a millisecond or two
LONG_STRIP_STEPS = 20_000_000  # a strip of more steps is cut into narrower ones


def render(scene: Scene, threads: int, progress: Progress | None, on_compiling: Callable[[], None] | None) -> Rendered:
    """Render a scene on the CPU; see `nbnumba.kernels.render`."""
    return render_panels([scene], threads, progress, on_compiling)[0]


def render_panels(
    scenes: Sequence[Scene],
    threads: int,
    progress: Progress | None,
    on_compiling: Callable[[], None] | None,
    images: Sequence[Image | None] = (),
    few: bool = False,
    mixed: bool = False,
) -> list[Rendered]:
    """Render the panels of a detector on the CPU, with one set of threads for all of them.

    Parameters
    ----------
    scenes : sequence of Scene
    threads, progress, on_compiling
        As of `nbnumba.kernels.render`.
    images : sequence of array or None
        Where to draw each panel: contiguous float32 of its size, all 0. None: into an array of its own.
    few : bool
        Whether the masks leave few pixels: strips are narrow then, and no spots are listed.
    mixed : bool
        Mixed precision, where `single_scene.can_be_mixed` allows it.
    """
    rooms = [_dark(scene) if image is None else image for scene, image in zip_longest(scenes, images)]
    groups = _spot_groups(scenes, few, on_compiling)
    drawn: dict[int, Rendered] = {}
    for group in groups:
        from . import spot_driver

        report = None if progress is None else _part_of(progress, len(drawn), len(group.places), len(scenes))
        some, images_of_some = [scenes[place] for place in group.places], [rooms[place] for place in group.places]
        found = spot_driver.render_group(some, group, threads, report, on_compiling, images_of_some)
        drawn |= dict(zip(group.places, found, strict=True))
    rest = [place for place in range(len(scenes)) if place not in drawn]
    if rest:
        report = None if progress is None else _part_of(progress, len(drawn), len(rest), len(scenes))
        others = [scenes[place] for place in rest]
        found = _render_strips(others, [rooms[place] for place in rest], threads, report, on_compiling, few, mixed)
        drawn |= dict(zip(rest, found, strict=True))
    return [drawn[place] for place in range(len(scenes))]


def _spot_groups(scenes: Sequence[Scene], few: bool, on_compiling: Callable[[], None] | None) -> Sequence[SpotGroup]:
    """Plan lists of spots, without loading what makes them where there can be none."""
    if few and not any(scene.continuous for scene in scenes):
        return []
    if not any(scene.continuous or scene.shape in (GAUSS, TOPHAT) for scene in scenes):
        return []
    from .spot_driver import plan_panels

    return plan_panels(scenes, on_compiling)


def _part_of(progress: Progress, first: int, count: int, total: int) -> Progress:
    """Return what reports the progress of some panels out of all."""
    return lambda fraction: progress((first + fraction * count) / total)


def _dark(scene: Scene) -> Image:
    return np.zeros((scene.n_slow, scene.n_fast), dtype=np.float32)


def _render_strips(
    scenes: Sequence[Scene],
    images: Sequence[Image],
    threads: int,
    progress: Progress | None,
    on_compiling: Callable[[], None] | None,
    narrow: bool,
    mixed: bool,
) -> list[Rendered]:
    """Render panels strip by strip; scenes of one detector take the same function."""
    from ..types import Rendered

    latches = [find_latch(scene, threads, on_compiling) if scene.latching else scene.latch for scene in scenes]
    latched = [
        scene if latch == scene.latch else scene.replace(latch=latch)
        for scene, latch in zip(scenes, latches, strict=True)
    ]
    if mixed:
        latched = [single_scene.single(scene) if single_scene.can_be_mixed(scene) else scene for scene in latched]
    drawn: dict[int, Rendered] = {}
    ways = [renderer(scene, narrow) for scene in latched]
    for function in dict.fromkeys(function for function, _ in ways):
        places = [place for place, (its, _) in enumerate(ways) if its is function]
        rooms, widths = [images[place] for place in places], [ways[place][1] for place in places]
        work = _Work([latched[place] for place in places], function, on_compiling, rooms, widths)
        work.run(threads, progress)
        for place, tallies in zip(places, work.tallies, strict=True):
            solid_angle, evaluated = np.sum(tallies, axis=0)
            drawn[place] = Rendered(
                images[place], float(solid_angle), latches[place], "cpu", threads, round(float(evaluated)),
                "mixed" if latched[place].flat.dtype == np.float32 else "double",
            )  # fmt: skip
    return [drawn[place] for place in range(len(scenes))]


_loaded: set[Callable[..., int | None]] = set()  # of this process


def _room() -> tuple[np.ndarray, np.ndarray]:
    """Return a thread's own working memory."""
    return np.zeros(ROOM), np.zeros(SINGLES, dtype=np.int32)


class _Strips(NamedTuple):
    """How a panel is cut into strips."""

    scene: Scene
    image: Image
    tallies: NDArray[np.float64]
    width: int
    per_row: int
    count: int
    steps: int  # of a strip

    @classmethod
    def of(cls, scene: Scene, image: Image, searching: bool, widest: int) -> _Strips:
        rows, columns = scene.region_shape
        samples = scene.samples_per_pixel
        lanes = max(1, min(widest, LONG_STRIP_STEPS // samples, columns + LANES - 1) // LANES)
        width = lanes * LANES
        per_row = -(-columns // width)
        tallies = np.zeros((0 if searching else rows * per_row, 2))
        return cls(scene, image, tallies, width, per_row, rows * per_row, samples * width)


class _Work:
    """The strips of the regions of panels, which threads take in chunks of about CHUNK_SECONDS.

    Parameters
    ----------
    scenes : sequence of Scene
    function : callable
        One of the functions of `cpu` that work on strips.
    on_compiling : callable or None
        Called when the function has to be compiled first.
    images : sequence of array
        Where each panel is drawn; none for a search.
    widths : sequence of int
        Of the strips of each panel, at the most [pixels]; WIDTH where there is none.
    """

    def __init__(
        self,
        scenes: Sequence[Scene],
        function: Callable[..., int | None],
        on_compiling: Callable[[], None] | None,
        images: Sequence[Image] = (),
        widths: Sequence[int] = (),
    ) -> None:
        searching = function is cpu.search
        nothing = np.zeros((0, 0), dtype=np.float32)
        self._panels = [
            _Strips.of(scene, nothing if image is None else image, searching, width or WIDTH)
            for scene, image, width in zip_longest(scenes, images, widths)
        ]
        self._starts = list(accumulate((panel.count for panel in self._panels), initial=0))
        longest = max(panel.steps for panel in self._panels)
        self.first_chunk = max(1, FIRST_CHUNK_STEPS // longest)
        self.few_steps = sum(panel.steps * panel.count for panel in self._panels) <= FIRST_CHUNK_STEPS  # no thread
        self.function = function
        self.found = NEVER
        self._lock = threading.Lock()
        self._load(on_compiling)

    @property
    def tallies(self) -> list[NDArray[np.float64]]:
        """Sum of solid angles and number of evaluated steps of every strip, panel by panel."""
        return [panel.tallies for panel in self._panels]

    def _load(self, on_compiling: Callable[[], None] | None) -> None:
        """Load or compile the function in the thread that asked, which receives Ctrl-C."""
        if self.function in _loaded:
            return
        first = self._panels[0]
        with announced(on_compiling):
            self.function(first.scene, *_room(), first.image, first.tallies, 0, 0, 1, 1)
        _loaded.add(self.function)

    def run(self, threads: int, progress: Progress | None) -> None:
        """Work on all strips."""

        def new_worker() -> Callable[[int, int], None]:
            room = _room()
            return lambda first, last: self._do(room, first, last)

        self._tasks = Tasks(self._starts[-1], new_worker, self.first_chunk)
        if self.few_steps:
            self._tasks.run_here()
        else:
            self._tasks.run(threads, progress)

    def _do(self, room: tuple[np.ndarray, np.ndarray], first: int, last: int) -> None:
        """Work on the strips first to last - 1, of one panel or of several."""
        number = bisect_right(self._starts, first) - 1
        while first < last:
            panel, start, end = self._panels[number], self._starts[number], self._starts[number + 1]
            until = min(last, end)
            if first < until:
                found = self.function(
                    panel.scene, *room, panel.image, panel.tallies, first - start, until - start, panel.per_row,
                    panel.width,
                )  # fmt: skip
                if found is not None and found != NEVER:  # by a search
                    with self._lock:
                        self.found = min(self.found, found)
                    # Chunks are taken in order: what comes later cannot hold an earlier sample.
                    self._tasks.stop = True
            first = until
            number += 1


def renderer(scene: Scene, narrow: bool = False) -> tuple[Callable[..., int | None], int]:
    """Choose the function that renders a scene strip by strip, and how many pixels wide a strip is at the most.

    `narrow`: whether strips are to be as narrow as can be.
    """
    widest = LANES if narrow else WIDTH
    if scene.flat.dtype == np.float32:
        if scene.shape == ROUND:
            return cpu.render_mixed_round, widest
        width = 0 if narrow else single_scene.smooth_width(scene)
        return (smooth.render_smooth, width) if width > 0 else (cpu.render_mixed, widest)
    if scene.compound or scene.halo_count > 0 or (scene.interpolate and scene.shape in (SQUARE, ROUND)):
        return cpu.render_any, widest
    return cpu.render_spots if scene.shape in (GAUSS, TOPHAT) else cpu.render_bulk, widest


def find_latch(scene: Scene, threads: int, on_compiling: Callable[[], None] | None) -> int:
    """Ordinal of the first sample that switches interpolation off, in C's order; NEVER if there is none."""
    if not scene.interpolate or not scene.latching or not may_trip(scene):
        return NEVER
    work = _Work([scene], cpu.search, on_compiling)
    work.run(threads, None)
    return work.found


def sample_hkl(scene: Scene, ordinal: int) -> tuple[float, float, float]:
    """Fractional indices of one sample; see `nbnumba.kernels.sample_hkl`."""
    pixel, sample = divmod(ordinal, scene.samples_per_pixel)
    sample, orientation = divmod(sample, len(scene.orientations))
    sample, source = divmod(sample, len(scene.sources))
    layer, sub = divmod(sample, scene.oversample**2)
    slow, fast = divmod(pixel, scene.n_fast)
    return cpu.sample_hkl(scene, slow, fast, layer, sub, source, orientation)
