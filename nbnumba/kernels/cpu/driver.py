"""Runs the CPU kernels on all threads: compact spots from lists of them where that pays, else strip by strip."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from ...errors import InputError
from ..latch import may_trip
from ..scene import NEVER, Scene
from . import kernel as cpu
from . import spot_driver
from .strip import LANES, SCRATCH, WIDTH
from .tasks import Tasks, announced

if TYPE_CHECKING:
    from ..types import Progress, Rendered

FIRST_CHUNK_STEPS = 500_000  # about a millisecond or two
LONG_STRIP_STEPS = 20_000_000  # a strip of more steps is cut into narrower ones


def render(scene: Scene, threads: int, progress: Progress | None, on_compiling: Callable[[], None] | None) -> Rendered:
    """Render a scene on the CPU; see `nbnumba.kernels.render`."""
    from ..types import Rendered

    planned = spot_driver.plan(scene, on_compiling)
    if planned is None and scene.continuous:
        raise InputError("-spread continuous: the panel stands around the sample, or its sensor faces away from it")
    if planned is not None:
        return spot_driver.render(scene, planned, threads, progress, on_compiling)
    latch = find_latch(scene, threads, on_compiling)
    work = _Work(scene.replace(latch=latch), cpu.renderer(scene), on_compiling)
    work.run(threads, progress)
    solid_angle, evaluated = np.sum(work.tallies, axis=0)
    return Rendered(work.image, float(solid_angle), latch, "cpu", threads, round(float(evaluated)))


_loaded: set[Callable[..., int | None]] = set()  # of this process


def _room() -> tuple[np.ndarray, np.ndarray]:
    """Return a thread's own working memory."""
    return np.zeros(SCRATCH), np.zeros(WIDTH, dtype=np.int32)


class _Work:
    """The strips of a region, which threads take in chunks of about CHUNK_SECONDS.

    Parameters
    ----------
    scene : Scene
    function : callable
        One of the functions of `cpu` that work on strips.
    on_compiling : callable or None
        Called when the function has to be compiled first.
    """

    def __init__(
        self, scene: Scene, function: Callable[..., int | None], on_compiling: Callable[[], None] | None
    ) -> None:
        rows, columns = scene.region_shape
        steps = scene.samples_per_pixel
        lanes = max(1, min(WIDTH, LONG_STRIP_STEPS // steps, columns + LANES - 1) // LANES)
        self.width = lanes * LANES
        self.per_row = -(-columns // self.width)
        self.strips = rows * self.per_row
        self.first_chunk = max(1, FIRST_CHUNK_STEPS // (steps * self.width))
        self.few_steps = steps * self.width * self.strips <= FIRST_CHUNK_STEPS  # not worth a thread
        self.scene = scene
        searching = function is cpu.search
        self.function = function
        self.image = np.zeros((0, 0) if searching else (scene.n_slow, scene.n_fast), dtype=np.float32)
        self.tallies = np.zeros((0 if searching else self.strips, 2))
        self.found = NEVER
        self._lock = threading.Lock()
        self._load(on_compiling)

    def _load(self, on_compiling: Callable[[], None] | None) -> None:
        """Load or compile the function in the thread that asked, which receives Ctrl-C."""
        if self.function in _loaded:
            return
        with announced(on_compiling):
            self.function(self.scene, *_room(), self.image, self.tallies, 0, 0, 1, 1)
        _loaded.add(self.function)

    def run(self, threads: int, progress: Progress | None) -> None:
        """Work on all strips."""

        def new_worker() -> Callable[[int, int], None]:
            room = _room()
            return lambda first, last: self._do(room, first, last)

        self._tasks = Tasks(self.strips, new_worker, self.first_chunk)
        if self.few_steps:
            self._tasks.run_here()
        else:
            self._tasks.run(threads, progress)

    def _do(self, room: tuple[np.ndarray, np.ndarray], first: int, last: int) -> None:
        """Work on the strips first to last - 1."""
        found = self.function(self.scene, *room, self.image, self.tallies, first, last, self.per_row, self.width)
        if found is not None and found != NEVER:  # by a search
            with self._lock:
                self.found = min(self.found, found)
            # Chunks are taken in order: what comes later cannot hold an earlier sample.
            self._tasks.stop = True


def find_latch(scene: Scene, threads: int, on_compiling: Callable[[], None] | None) -> int:
    """Ordinal of the first sample that switches interpolation off, in C's order; NEVER if there is none."""
    if not scene.interpolate or not scene.latching or not may_trip(scene):
        return NEVER
    work = _Work(scene, cpu.search, on_compiling)
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
