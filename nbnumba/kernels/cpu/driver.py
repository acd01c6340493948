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
from ..scene import GAUSS, NEVER, TOPHAT, Scene
from . import kernel as cpu
from .strip import LANES, SCRATCH, WIDTH
from .tasks import Tasks, announced

if TYPE_CHECKING:
    from ..types import Progress, Rendered
    from .spot_driver import SpotPlan

Image = NDArray[np.float32]

FIRST_CHUNK_STEPS = 500_000  # about a millisecond or two
_PANELS_PER_THREAD = 4  # from which on no panel is shared among threads
_DECIDING = 8  # panels that decide for all of a detector of more than twice as many
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
    """
    rooms = [_dark(scene) if image is None else image for scene, image in zip_longest(scenes, images)]
    plans = _plans(scenes, few, on_compiling)
    drawn: dict[int, Rendered] = {}
    listed = {place: planned for place, planned in enumerate(plans) if planned is not None}
    # Of many panels each is one thread's; the first one loads or compiles what all need.
    apart = len(listed) >= _PANELS_PER_THREAD * threads
    together = list(listed)[:1] if apart else list(listed)
    for number, place in enumerate(together):
        from . import spot_driver

        report = None if progress is None else _part_of(progress, number, 1, len(scenes))
        drawn[place] = spot_driver.render(scenes[place], listed[place], threads, report, on_compiling, rooms[place])
    if apart:
        waiting = list(listed)[1:]

        def draw(first: int, last: int) -> None:
            from . import spot_driver

            for place in waiting[first:last]:
                drawn[place] = spot_driver.render(scenes[place], listed[place], 1, None, None, rooms[place], here=True)

        report = None if progress is None else _part_of(progress, 1, len(waiting), len(scenes))
        Tasks(len(waiting), lambda: draw).run(threads, report)
    rest = [place for place, planned in enumerate(plans) if planned is None]
    if rest:
        report = None if progress is None else _part_of(progress, len(listed), len(rest), len(scenes))
        some = [scenes[place] for place in rest]
        found = _render_strips(some, [rooms[place] for place in rest], threads, report, on_compiling, few)
        drawn |= dict(zip(rest, found, strict=True))
    return [drawn[place] for place in range(len(scenes))]


def _plans(scenes: Sequence[Scene], few: bool, on_compiling: Callable[[], None] | None) -> list[SpotPlan | None]:
    """Plan every panel; of many, some decide for all."""
    if few and not any(scene.continuous for scene in scenes):
        return [None] * len(scenes)
    if len(scenes) > 2 * _DECIDING:
        chosen = [scenes[i * (len(scenes) - 1) // (_DECIDING - 2)] for i in range(_DECIDING - 1)]
        chosen.append(max(scenes, key=lambda scene: float(scene.reach)))
        deciding = [(scene, planned) for scene in chosen if (planned := _plan(scene, on_compiling, len(scenes)))]
        if len(deciding) == _DECIDING:
            widest, planned = max(deciding, key=lambda pair: float(pair[0].reach))
            planned = planned._replace(block=min(other.block for _, other in deciding))
            from . import spot_driver

            return [
                spot_driver.like(scene, widest, planned) or _plan(scene, on_compiling, len(scenes)) for scene in scenes
            ]
    return [_plan(scene, on_compiling, len(scenes)) for scene in scenes]


def _plan(scene: Scene, on_compiling: Callable[[], None] | None, panels: int) -> SpotPlan | None:
    """Plan a panel of several, without loading what lists spots where there can be none."""
    if not scene.continuous and scene.shape not in (GAUSS, TOPHAT):
        return None
    from .spot_driver import needed_plan

    return needed_plan(scene, on_compiling, panels)


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
) -> list[Rendered]:
    """Render panels strip by strip; scenes of one detector take the same function."""
    from ..types import Rendered

    latches = [find_latch(scene, threads, on_compiling) if scene.latching else scene.latch for scene in scenes]
    latched = [
        scene if latch == scene.latch else scene.replace(latch=latch)
        for scene, latch in zip(scenes, latches, strict=True)
    ]
    drawn: dict[int, Rendered] = {}
    functions = [cpu.renderer(scene) for scene in scenes]
    for function in dict.fromkeys(functions):
        places = [place for place, its in enumerate(functions) if its is function]
        work = _Work([latched[p] for p in places], function, on_compiling, [images[p] for p in places], narrow)
        work.run(threads, progress)
        for place, tallies in zip(places, work.tallies, strict=True):
            solid_angle, evaluated = np.sum(tallies, axis=0)
            drawn[place] = Rendered(
                images[place], float(solid_angle), latches[place], "cpu", threads, round(float(evaluated))
            )
    return [drawn[place] for place in range(len(scenes))]


_loaded: set[Callable[..., int | None]] = set()  # of this process


def _room() -> tuple[np.ndarray, np.ndarray]:
    """Return a thread's own working memory."""
    return np.zeros(SCRATCH), np.zeros(WIDTH, dtype=np.int32)


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
    narrow : bool
        Whether strips are as narrow as can be.
    """

    def __init__(
        self,
        scenes: Sequence[Scene],
        function: Callable[..., int | None],
        on_compiling: Callable[[], None] | None,
        images: Sequence[Image] = (),
        narrow: bool = False,
    ) -> None:
        searching = function is cpu.search
        nothing = np.zeros((0, 0), dtype=np.float32)
        self._panels = [
            _Strips.of(scene, nothing if image is None else image, searching, LANES if narrow else WIDTH)
            for scene, image in zip_longest(scenes, images)
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
