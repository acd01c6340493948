"""Runs the CPU twin block by block, so that Ctrl-C and the progress bar get their turn."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

import numba
import numpy as np

from ..scene import FLAT, NEVER, Scene
from . import cpu

if TYPE_CHECKING:
    from . import Progress, Rendered

BLOCK_SECONDS = 0.2  # the longest time between two looks at Ctrl-C
TASK_STEPS = 100_000  # of one task, a fraction of a millisecond
LONG_STRIP_STEPS = 20_000_000  # a strip of more steps is cut into narrower ones

_lock = threading.Lock()  # Numba's workqueue threading layer cannot be entered twice


def render(scene: Scene, threads: int, progress: Progress | None) -> Rendered:
    """Render a scene on the CPU; see `nbnumba.kernels.render`."""
    from . import Rendered

    with _lock:
        before = numba.get_num_threads()
        numba.set_num_threads(threads)
        try:
            latch = _find_latch(scene)
            scene = scene._replace(latch=latch)
            image, omega = _render_blocks(scene, progress)
        finally:
            numba.set_num_threads(before)
    return Rendered(image, float(np.sum(omega)), latch, "cpu", threads)


class _Blocks:
    """Cuts the strips of a region into blocks of about BLOCK_SECONDS, by the speed of those before."""

    def __init__(self, scene: Scene) -> None:
        rows, columns = scene.region_shape
        steps = scene.samples_per_pixel
        width = max(1, min(cpu.WIDTH, LONG_STRIP_STEPS // steps))
        self.per_row = -(-columns // width)
        self.strips = rows * self.per_row
        steps_per_strip = steps * -(-columns // self.per_row)
        self.group = max(1, TASK_STEPS // steps_per_strip)
        self.size = max(self.group * numba.get_num_threads(), 20_000_000 // steps_per_strip, 1)

    def __iter__(self) -> Iterator[tuple[int, int]]:
        first = 0
        while first < self.strips:
            last = min(self.strips, first + self.size)
            start = time.perf_counter()
            yield first, last
            spent = max(1e-6, time.perf_counter() - start)
            faster = min(4.0, BLOCK_SECONDS / spent)  # the first block may have compiled or woken the threads
            self.size = max(numba.get_num_threads(), int(self.size * faster))
            first = last


def _render_blocks(scene: Scene, progress: Progress | None) -> tuple[np.ndarray, np.ndarray]:
    """Render all strips; return the image and each strip's solid angle."""
    image = np.zeros((scene.n_slow, scene.n_fast), dtype=np.float32)
    blocks = _Blocks(scene)
    omega = np.zeros(blocks.strips)
    for first, last in blocks:
        cpu.render_strips(scene, image, omega, first, last, blocks.per_row, blocks.group)
        if progress is not None:
            progress(last / blocks.strips)
    return image, omega


def _find_latch(scene: Scene) -> int:
    """Ordinal of the first sample that switches interpolation off, in C's order; NEVER if there is none."""
    if not scene.interpolate or not scene.latching or not _may_trip(scene):
        return NEVER
    blocks = _Blocks(scene)
    for first, last in blocks:
        found = np.full(-(-(last - first) // blocks.group), NEVER)
        cpu.search_strips(scene, found, first, last, blocks.per_row, blocks.group)
        if found.min() != NEVER:
            return int(found.min())
    return NEVER


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
        cell * longest, (scene.h_min, scene.k_min, scene.l_min), scene.table.shape, strict=True
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
