"""Keeps a GPU warm and renders on it, image after image."""

from __future__ import annotations

import collections
import contextlib
import threading
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ...errors import DeviceError
from ..scene import Scene
from .device import choose, load, translated
from .image_job import Picture, Resident, Slot

if TYPE_CHECKING:
    from .. import Progress, Rendered

LAUNCH_SECONDS = 0.03
_OPERATIONS_PER_STEP = 2000.0  # of float64: a guess on the safe side before anything is measured


class DeviceRenderer:
    """Renders image after image on one GPU.

    Arrays of a scene stay on the device while the next scene brings the same array objects, so they must not be
    changed in place. One process drives one GPU; calls from several threads take turns.

    Parameters
    ----------
    device : int, optional
        Number of the GPU among those that CUDA_VISIBLE_DEVICES leaves; the first by default.
    precision : {"auto", "double", "mixed"}
        "auto" chooses by the GPU's float64 rate.
    in_flight : int
        Images that `render_many` works on at a time.
    launch_steps : int, optional
        Steps of a launch; chosen by measured speed by default. The image does not depend on it.

    Attributes
    ----------
    gpu : Gpu
    precision : {"double", "mixed"}
    kernel_seconds : float
        What the kernels of the last image took, by the device's clock; copies apart.

    Raises
    ------
    DeviceError
        When the GPU, its driver or the CUDA package are not there.
    """

    def __init__(
        self, device: int | None = None, precision: str = "auto", in_flight: int = 2, launch_steps: int | None = None
    ) -> None:
        self.gpu = choose(device)
        self.precision = self.gpu.precision if precision == "auto" else precision
        self.kernel_seconds = 0.0
        self.twin = load()
        self.resident: dict[str, Resident] = {}
        self._in_flight = max(1, in_flight)
        self._launch_steps = launch_steps
        self._rates: dict[object, float] = {}  # measured steps per second, by kernel
        self._free: collections.deque[Slot] = collections.deque()
        self._lock = threading.RLock()
        self._closed = False

    def __enter__(self) -> DeviceRenderer:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def close(self) -> None:
        """Wait for what is under way and give the device's memory back; nothing can be rendered afterwards."""
        if not self._closed:
            with self.on_device():
                for slot in self._free:
                    slot.stream.synchronize()
                self._free.clear()
                self.resident.clear()
            self._closed = True

    def render(
        self, scene: Scene, progress: Progress | None = None, on_compiling: Callable[[], None] | None = None
    ) -> Rendered:
        """Render a scene; see `nbnumba.kernels.render`."""
        with self.on_device():
            slot = self._take_slot()
            try:
                return Picture(self, slot, scene, on_compiling).result(progress)
            finally:
                self._free.append(slot)

    def render_many(self, scenes: Iterable[Scene]) -> Iterator[Rendered]:
        """Render scenes in their order: while one is computed, others are copied."""
        under_way: collections.deque[Picture] = collections.deque()
        try:
            for scene in scenes:
                if len(under_way) == self._in_flight:
                    yield self._finish(under_way)
                with self.on_device():
                    under_way.append(Picture(self, self._take_slot(), scene, None))
            while under_way:
                yield self._finish(under_way)
        finally:
            self._free.extend(picture.slot for picture in under_way)

    def draw_noise(
        self,
        mean: NDArray[np.float32],
        region: tuple[int, int, int, int],
        adc: float,
        seed: int,
        image_number: int,
    ) -> tuple[NDArray[np.uint16], float, int]:
        """Return counts, photons and overloads; see `nbnumba.readout.poisson.poisson_image_counter`."""
        fast_min, fast_max, slow_min, slow_max = region
        counts = np.zeros(mean.shape, dtype=np.uint16)
        part = mean[slow_min : slow_max + 1, fast_min : fast_max + 1]
        if part.size == 0:
            return counts, 0.0, 0
        with self.on_device():
            slot = self._take_slot()
            try:
                drawn = slot.device("counts", part.shape, np.uint16)
                photons = slot.device("photons", (part.size,), np.float64)
                overloads = slot.device("overloads", (part.size,), np.float64)
                self.launch(
                    self.twin.noise_kernel(), part.size, slot.stream, slot.upload("mean", part), slow_min, fast_min,
                    mean.shape[1], float(adc), np.uint64(seed % 2**64), np.uint64(image_number % 2**64),
                    drawn, photons, overloads,
                )  # fmt: skip
                sums = [self.fold(slot, *values) for values in (("photons", photons), ("overloads", overloads))]
                out = slot.pinned("counts drawn", part.shape, np.uint16)
                drawn.copy_to_host(out, stream=slot.stream)
                slot.stream.synchronize()
                counts[slow_min : slow_max + 1, fast_min : fast_max + 1] = out
                return counts, float(np.sum(sums[0])), int(np.sum(sums[1]))
            finally:
                self._free.append(slot)

    @contextlib.contextmanager
    def on_device(self) -> Iterator[None]:
        """Make the GPU current, one thread at a time, and translate what CUDA raises."""
        if self._closed:
            raise DeviceError(f"GPU {self.gpu.number}: its renderer is closed")
        where = f"GPU {self.gpu.number} ({self.gpu.name})"
        with self._lock, translated(where), self.twin.cuda.gpus[self.gpu.number]:
            yield

    def launch(self, kernel: Any, threads: int, stream: Any, *arguments: Any) -> None:
        """Start a kernel with at least some number of threads."""
        size = self.twin.THREADS_PER_BLOCK
        kernel[-(-threads // size), size, stream](*arguments)

    def fold(self, slot: Slot, name: str, values: Any) -> NDArray[np.float64]:
        """Add up many numbers on the device; the partial sums are there when the slot's stream is done."""
        count = self.twin.PARTIAL_SUMS
        partial = slot.device(f"{name} partial", (count,), np.float64)
        self.launch(self.twin.fold_kernel(), count, slot.stream, values, partial)
        out: NDArray[np.float64] = slot.pinned(f"{name} sums", (count,), np.float64)
        partial.copy_to_host(out, stream=slot.stream)
        return out

    def steps_per_launch(self, kernel: object) -> int:
        """Number of steps that take about LAUNCH_SECONDS."""
        if self._launch_steps is not None:
            return self._launch_steps
        guess = self.gpu.processors * self.gpu.clock * 64.0 / self.gpu.double_ratio / _OPERATIONS_PER_STEP
        return max(1, int(self._rates.get(kernel, guess) * LAUNCH_SECONDS))

    def learn_rate(self, kernel: object, steps: int, seconds: float) -> None:
        """Take note of the speed of a launch; the simulator has no clock."""
        if seconds > 0.0:
            self._rates[kernel] = steps / seconds

    def _finish(self, under_way: collections.deque[Picture]) -> Rendered:
        with self.on_device():
            picture = under_way.popleft()
            try:
                return picture.result(None)
            finally:
                self._free.append(picture.slot)

    def _take_slot(self) -> Slot:
        """Return a slot whose last work is done."""
        slot = self._free.popleft() if self._free else Slot(self.twin.cuda)
        slot.stream.synchronize()
        return slot
