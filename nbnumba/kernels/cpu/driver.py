"""Runs the CPU twin on all threads, chunk by chunk, so that Ctrl-C and the progress bar get their turn.

The threads are Python's: the kernel does not hold the interpreter's lock, a thread that is done takes the next
chunk, and any number of renders may run at once. Numba's own parallel loops would compile the kernel three
times over, share the strips out beforehand, and keep Ctrl-C waiting.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextvars import copy_context
from typing import TYPE_CHECKING

import numpy as np

from ..scene import FLAT, NEVER, Scene
from . import kernel as cpu
from .strip import LANES, SCRATCH, WIDTH

if TYPE_CHECKING:
    from .. import Progress, Rendered

CHUNK_SECONDS = 0.02
LOOK_SECONDS = 0.1  # between two looks at the progress
FIRST_CHUNK_STEPS = 500_000  # about a millisecond or two
LONG_STRIP_STEPS = 20_000_000  # a strip of more steps is cut into narrower ones
PATIENCE_SECONDS = 0.7  # code that is loaded, not compiled, is there by then


def render(scene: Scene, threads: int, progress: Progress | None, on_compiling: Callable[[], None] | None) -> Rendered:
    """Render a scene on the CPU; see `nbnumba.kernels.render`."""
    from .. import Rendered

    latch = _find_latch(scene, threads, on_compiling)
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
        self._next = 0
        self._done = 0
        self._stop = False
        self._failure: BaseException | None = None
        self._lock = threading.Lock()
        self._load(on_compiling)

    def _load(self, on_compiling: Callable[[], None] | None) -> None:
        """Load or compile the function in the thread that asked, where Ctrl-C is heard."""
        if self.function in _loaded:
            return
        timer = threading.Timer(PATIENCE_SECONDS, copy_context().run, (on_compiling or (lambda: None),))
        timer.daemon = True
        timer.start()
        try:
            self.function(self.scene, *_room(), self.image, self.tallies, 0, 0, 1, 1)
        finally:
            timer.cancel()
        _loaded.add(self.function)

    def run(self, threads: int, progress: Progress | None) -> None:
        """Work on all strips."""
        if self.few_steps:
            self._take_chunks()
            return
        # Daemons: on Ctrl-C nobody waits for a strip of many steps; nothing is written that could be left half done.
        workers = [threading.Thread(target=self._take_chunks_safely, daemon=True) for _ in range(threads)]
        for worker in workers:
            worker.start()
        try:
            for worker in workers:
                while worker.is_alive():
                    worker.join(LOOK_SECONDS)
                    if progress is not None:
                        progress(self._done / self.strips)
        finally:
            self._stop = True
        if self._failure is not None:
            raise self._failure

    def _take_chunks_safely(self) -> None:
        """Work as a thread; a failure is left for the main thread."""
        try:
            self._take_chunks()
        except BaseException as failure:
            self._failure = failure
            self._stop = True

    def _take_chunks(self) -> None:
        """Work on one chunk after another until none is left."""
        size = self.first_chunk
        room = _room()
        while not self._stop:
            with self._lock:
                first = self._next
                last = self._next = min(self.strips, first + size)
            if first == last:
                return
            start = time.perf_counter()
            found = self.function(self.scene, *room, self.image, self.tallies, first, last, self.per_row, self.width)
            spent = max(1e-6, time.perf_counter() - start)
            size = max(1, int((last - first) * min(4.0, CHUNK_SECONDS / spent)))
            with self._lock:
                self._done += last - first
                if found is not None:  # by a search
                    self.found = min(self.found, found)
            # Chunks are taken in order: what comes later cannot hold an earlier sample.
            self._stop = self._stop or self.found != NEVER


def _find_latch(scene: Scene, threads: int, on_compiling: Callable[[], None] | None) -> int:
    """Ordinal of the first sample that switches interpolation off, in C's order; NEVER if there is none."""
    if not scene.interpolate or not scene.latching or not _may_trip(scene):
        return NEVER
    work = _Work(scene, cpu.search, on_compiling)
    work.run(threads, None)
    return work.found


def _may_trip(scene: Scene) -> bool:
    """Tell whether any scattering vector of the panel can reach the edge of the table.

    The directions within an angle of the beam form a cone; a flat panel lies inside it when its corners do.
    """
    if scene.surface != FLAT:
        return True
    edges = [(f * scene.n_fast * scene.pixel_size, s * scene.n_slow * scene.pixel_size) for f in (0, 1) for s in (0, 1)]
    depths = (0.0, scene.layers * scene.layer_step)
    corners = np.array(
        [scene.origin + f * scene.fast + s * scene.slow + t * scene.normal for f, s in edges for t in depths]
    )
    directions = corners / np.linalg.norm(corners, axis=1)[:, None]
    longest = 0.0
    for source in scene.sources:
        longest = max(longest, float(np.max(np.linalg.norm(directions - source[:3], axis=1)) * source[3]))
    longest *= 1.0 + 1e-9
    cell = np.linalg.norm(scene.orientations.reshape(-1, 3, 3), axis=2).max(axis=0)
    for reach, h_min, size in zip(
        cell * longest, (scene.h_min, scene.k_min, scene.l_min), (scene.nh, scene.nk, scene.nl), strict=True
    ):
        h_max = h_min + size - 3
        if reach > h_max - 2 or -reach < h_min + 2:
            return True
    return False


def sample_hkl(scene: Scene, ordinal: int) -> tuple[float, float, float]:
    """Fractional indices of one sample; see `nbnumba.kernels.sample_hkl`."""
    pixel, sample = divmod(ordinal, scene.samples_per_pixel)
    sample, orientation = divmod(sample, len(scene.orientations))
    sample, source = divmod(sample, len(scene.sources))
    layer, sub = divmod(sample, scene.oversample**2)
    slow, fast = divmod(pixel, scene.n_fast)
    return cpu.sample_hkl(scene, slow, fast, layer, sub, source, orientation)
