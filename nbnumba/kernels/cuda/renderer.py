"""Renders on a GPU, image after image; memory and compiled kernels are kept between images."""

from __future__ import annotations

import collections
import contextlib
import threading
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from ...errors import DeviceError
from ...util.memory import gigabytes
from ..background.bodies import Surroundings
from ..cpu import spot_driver
from ..random.c_stream import ceiling
from ..readout.steps import PanelRead, SeparableSpread, Steps
from ..scene import Scene
from .buffers import DeviceImage, Resident, Slot
from .chain import read_out
from .device import choose, out_of_memory, translated
from .image_job import RenderJob
from .launcher import Launcher
from .spot_job import SpotJob

if TYPE_CHECKING:
    from ..types import Progress, Rendered

Result = TypeVar("Result")
Planner = Callable[[Scene, Callable[[], None] | None], spot_driver.SpotPlan | None]


class DeviceRenderer:
    """Renders image after image on one GPU.

    Arrays of a scene but the mask stay on the device while the next scene brings the same array objects, so they must
    not be changed in place. One process drives one GPU; calls from several threads take turns.

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
    planner : callable
        Decides whether a scene is drawn from lists of spots; by default as for the processor.

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
        self,
        device: int | None = None,
        precision: str = "auto",
        in_flight: int = 2,
        launch_steps: int | None = None,
        planner: Planner = spot_driver.needed_plan,
    ) -> None:
        self.gpu = choose(device)
        self.precision = self.gpu.precision if precision == "auto" else precision
        self.kernel_seconds = 0.0
        self.launcher = Launcher(self.gpu, launch_steps)
        self._planner = planner
        self.resident: dict[str, Resident] = {}
        self._in_flight = max(1, in_flight)
        self._images: list[DeviceImage] = []
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
                self._forget_everything()
            self._closed = True

    def render(
        self,
        scene: Scene,
        progress: Progress | None = None,
        on_compiling: Callable[[], None] | None = None,
        surroundings: Surroundings | None = None,
        room: NDArray[np.float32] | None = None,
    ) -> Rendered:
        """Render a scene and what is around it; see `nbnumba.kernels.render_panels`.

        The image stays on the device until `forget_images` is called, for `read_out`.
        """
        return self._retried(lambda: self._drawn(scene, progress, on_compiling, surroundings, room))

    def _retried(self, work: Callable[[], Result]) -> Result:
        """Do some work on the device; where its memory is full, give back what is kept there and do it again."""
        with self.on_device():
            try:
                return work()
            except Exception as error:
                if not out_of_memory(error):
                    raise
            self._forget_everything()
            try:
                return work()
            except Exception as error:
                if not out_of_memory(error):
                    raise
            free, total = self.launcher.kernels.cuda.current_context().get_memory_info()
            raise DeviceError(
                f"{self._name()}: out of device memory; {gigabytes(free)} of {gigabytes(total)} GB are free"
            )

    def _drawn(
        self,
        scene: Scene,
        progress: Progress | None,
        on_compiling: Callable[[], None] | None,
        surroundings: Surroundings | None,
        room: NDArray[np.float32] | None,
    ) -> Rendered:
        """Render once; see `render`."""
        slot = self._take_slot()
        try:
            job = self._job(slot, scene, on_compiling, surroundings)
            rendered = self._result(job, progress, room)
            if (image := job.take_image()) is not None:
                self._images.append(DeviceImage(rendered.image, image))
            return rendered
        finally:
            self._free.append(slot)

    def _forget_everything(self) -> None:
        """Give back all memory that is kept from image to image."""
        for slot in self._free:
            slot.stream.synchronize()
        self._free.clear()
        self.resident.clear()
        self._images.clear()

    def forget_images(self) -> None:
        """Give back the memory of images that have been rendered."""
        with self.on_device():
            self._images.clear()

    def holds(self, mean: NDArray[np.float32]) -> bool:
        """Tell whether an image is on the device."""
        return any(image.is_of(mean) for image in self._images)

    def read_out(
        self, mean: NDArray[np.float32], first_pixel: int, steps: Steps, spread: SeparableSpread | None
    ) -> PanelRead:
        """Read out a panel, (n_slow, n_fast), which is copied to the device unless it was rendered there."""

        def work() -> PanelRead:
            slot = self._take_slot()
            try:
                return read_out(self.launcher, slot, self._on_device(slot, mean), first_pixel, steps, spread)
            finally:
                self._free.append(slot)

        return self._retried(work)

    def render_many(self, scenes: Iterable[Scene]) -> Iterator[Rendered]:
        """Render scenes in their order; while one is rendered, others are copied."""
        under_way: collections.deque[RenderJob | SpotJob] = collections.deque()
        try:
            for scene in scenes:
                if len(under_way) == self._in_flight:
                    yield self._finish(under_way)
                with self.on_device():
                    under_way.append(self._job(self._take_slot(), scene, None))
            while under_way:
                yield self._finish(under_way)
        finally:
            self._free.extend(job.slot for job in under_way)

    def draw_noise(
        self,
        mean: NDArray[np.float32],
        region: tuple[int, int, int, int],
        adc: float,
        seed: int,
        image_number: int,
        dtype: str = "uint16",
    ) -> tuple[NDArray[Any], float, int]:
        """Return counts, photons and overloads; see `nbnumba.readout.poisson.poisson_image_counter`."""
        fast_min, fast_max, slow_min, slow_max = region
        counts = np.zeros(mean.shape, dtype=dtype)
        part = mean[slow_min : slow_max + 1, fast_min : fast_max + 1]
        if part.size == 0:
            return counts, 0.0, 0
        launcher = self.launcher

        def work() -> tuple[NDArray[Any], float, int]:
            slot = self._take_slot()
            try:
                drawn = slot.device(f"counts {dtype}", part.shape, dtype)
                photons = slot.device("photons", (part.size,), np.float64)
                overloads = slot.device("overloads", (part.size,), np.float64)
                launcher.launch(
                    launcher.kernels.noise_kernel(), part.size, slot.stream, self._on_device(slot, part), slow_min,
                    fast_min, mean.shape[1], float(adc), ceiling(counts), np.uint64(seed % 2**64),
                    np.uint64(image_number % 2**64), drawn, photons, overloads,
                )  # fmt: skip
                sums = [launcher.fold(slot, *values) for values in (("photons", photons), ("overloads", overloads))]
                out = slot.pinned(f"counts {dtype}", part.shape, dtype)
                drawn.copy_to_host(out, stream=slot.stream)
                slot.stream.synchronize()
                counts[slow_min : slow_max + 1, fast_min : fast_max + 1] = out
                return counts, float(np.sum(sums[0])), int(np.sum(sums[1]))
            finally:
                self._free.append(slot)

        return self._retried(work)

    @contextlib.contextmanager
    def on_device(self) -> Iterator[None]:
        """Make the GPU current, one thread at a time, and translate what CUDA raises."""
        if self._closed:
            raise DeviceError(f"GPU {self.gpu.number}: its renderer is closed")
        with self._lock, translated(self._name()), self.launcher.kernels.cuda.gpus[self.gpu.number]:
            yield

    def _name(self) -> str:
        return f"GPU {self.gpu.number} ({self.gpu.name})"

    def _on_device(self, slot: Slot, mean: NDArray[np.float32]) -> Any:
        """Return an image on the device: where it was rendered, or copied there."""
        held = next((image.device for image in self._images if image.is_of(mean)), None)
        return slot.upload("mean", mean) if held is None else held

    def _finish(self, under_way: collections.deque[RenderJob | SpotJob]) -> Rendered:
        with self.on_device():
            job = under_way.popleft()
            try:
                return self._result(job, None)
            finally:
                self._free.append(job.slot)

    def _job(
        self,
        slot: Slot,
        scene: Scene,
        on_compiling: Callable[[], None] | None,
        surroundings: Surroundings | None = None,
    ) -> RenderJob | SpotJob:
        mixed = self.precision == "mixed"
        planned = self._planner(scene, on_compiling)
        if planned is not None:
            return SpotJob(
                self.launcher, slot, self.resident, scene, mixed, on_compiling, surroundings, planned
            )  # fmt: skip
        return RenderJob(self.launcher, slot, self.resident, scene, mixed, on_compiling, surroundings)

    def _result(
        self, job: RenderJob | SpotJob, progress: Progress | None, room: NDArray[np.float32] | None = None
    ) -> Rendered:
        rendered = job.result(progress, room)
        self.kernel_seconds = job.kernel_seconds
        return rendered

    def _take_slot(self) -> Slot:
        """Return a slot whose last work is done."""
        slot = self._free.popleft() if self._free else Slot(self.launcher.kernels.cuda)
        slot.stream.synchronize()
        return slot
