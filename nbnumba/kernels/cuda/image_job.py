"""One image on its way through a GPU: uploads, launches, the way back.

An image is rendered by launches that last some hundredths of a second, so that Ctrl-C, the progress bar and the
display get their turn. Each image in flight has a stream and buffers of its own; reflections, orientations, sources
and mask stay on the device as long as the next image brings the same arrays.
"""

from __future__ import annotations

import collections
import contextlib
import threading
from collections.abc import Callable, Iterator
from contextvars import copy_context
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...errors import DeviceError
from ..cpu.driver import _may_trip as may_trip
from ..pixel import STATE
from ..scene import NEVER, Scene
from . import plan as cuda_plan
from .plan import Launch

if TYPE_CHECKING:
    from .. import Progress, Rendered
    from .renderer import DeviceRenderer

LAUNCHES_AHEAD = 4
PATIENCE_SECONDS = 0.7  # a kernel that is loaded, not compiled, is there by then
_MOST_REFLECTIONS = 2**32  # the kernels count them in 32 bits


class Resident(NamedTuple):
    """An array on the device."""

    host: NDArray[Any]
    device: Any
    ready: Any  # event after its upload
    power: int  # of two, by which it was divided


def _same(a: NDArray[Any], b: NDArray[Any]) -> bool:
    """Tell whether two arrays are one, or views of one."""
    return a.__array_interface__ == b.__array_interface__


class Slot:
    """What one image in flight needs: a stream, and buffers that are kept from image to image."""

    def __init__(self, cuda: Any) -> None:
        self._cuda = cuda
        self._buffers: dict[str, Any] = {}
        self._kept: dict[str, NDArray[Any]] = {}
        self.stream = cuda.stream()

    def device(self, name: str, shape: tuple[int, ...], dtype: Any) -> Any:
        """Return a buffer on the device; its contents are whatever was there."""
        return self._buffer(name, shape, dtype, self._cuda.device_array)

    def pinned(self, name: str, shape: tuple[int, ...], dtype: Any) -> Any:
        """Return a buffer in pinned memory of the host."""
        return self._buffer(f"{name} pinned", shape, dtype, self._cuda.pinned_array)

    def upload(self, name: str, array: NDArray[Any]) -> Any:
        """Copy an array to the device by way of pinned memory."""
        staged = self.pinned(name, array.shape, array.dtype)
        staged[...] = array
        device = self.device(name, array.shape, array.dtype)
        device.copy_to_device(staged, stream=self.stream)
        return device

    def keep(self, name: str, array: NDArray[Any]) -> Any:
        """Have an array on the device, and copy it unless it is the one that was copied last."""
        if name not in self._kept or not _same(self._kept[name], array):
            self._kept.pop(name, None)
            self.upload(name, array)
            self._kept[name] = array
        return self.device(name, array.shape, array.dtype)

    def _buffer(self, name: str, shape: tuple[int, ...], dtype: Any, make: Callable[..., Any]) -> Any:
        known = self._buffers.get(name)
        if known is None or tuple(known.shape) != shape or known.dtype != np.dtype(dtype):
            self._buffers.pop(name, None)  # first, as both may not fit
            known = self._buffers[name] = make(shape, dtype=dtype)
        return known


class Picture:
    """An image that is being rendered; made and asked for its result with the device current."""

    def __init__(
        self, renderer: DeviceRenderer, slot: Slot, scene: Scene, on_compiling: Callable[[], None] | None
    ) -> None:
        if scene.flat.size >= _MOST_REFLECTIONS:
            raise DeviceError(
                f"-backend cuda: a table of {scene.flat.size} reflections; fewer than {_MOST_REFLECTIONS} are allowed"
            )
        self.slot = slot
        self._renderer = renderer
        self._on_compiling = on_compiling
        self._rows, self._columns = scene.region_shape
        self._samples = scene.samples_per_pixel
        self._scene = scene.replace(latch=self._find_latch(scene))
        self._variant = cuda_plan.choose_variant(scene, renderer.precision == "mixed")
        self._kernel = renderer.twin.sum_kernel(self._variant)
        self._image = slot.device("image", scene.region_shape, np.float32)
        self._omega = slot.device("omega", (self._rows * self._columns,), np.float64)
        table = self._table()
        self._arguments = (*self._upload(cuda_plan.scaled_by(self._scene, table.power)), table.device)
        self._launches = self._plan(self._variant)
        self._events: collections.deque[tuple[Any, int]] = collections.deque()
        self._started = self._mark()
        self._done = 0
        self._exhausted = False
        self._out: NDArray[np.float32] | None = None
        self._solid_angles: NDArray[np.float64] | None = None
        self._feed()

    def result(self, progress: Progress | None) -> Rendered:
        """Wait for the image."""
        from .. import Rendered, available_threads

        first = before = self._started
        while self._events:
            event, steps = self._events.popleft()
            event.synchronize()
            self._renderer.learn_rate(self._variant, steps, before.elapsed_time(event) / 1e3)
            before = event
            self._done += steps
            self._feed()
            if progress is not None:
                progress(self._done / (self._rows * self._columns * self._samples))
        self._renderer.kernel_seconds = first.elapsed_time(before) / 1e3
        self.slot.stream.synchronize()
        assert self._out is not None
        scene = self._scene
        image = np.zeros((scene.n_slow, scene.n_fast), dtype=np.float32)
        image[scene.slow_first : scene.slow_last + 1, scene.fast_first : scene.fast_last + 1] = self._out
        return Rendered(
            image=image,
            solid_angle=float(np.sum(self._solid_angles)),
            latch=scene.latch,
            backend="cuda",
            threads=available_threads(),
            evaluated_steps=self._rows * self._columns * self._samples,
            precision="mixed" if self._variant.single else "double",
        )

    def _mark(self) -> Any:
        event = self._renderer.twin.cuda.event()
        event.record(self.slot.stream)
        return event

    def _plan(self, kernel: object) -> Iterator[Launch]:
        return cuda_plan.plan(
            self._rows, self._columns, self._samples, self._renderer.gpu.fill,
            lambda: self._renderer.steps_per_launch(kernel),
        )  # fmt: skip

    def _feed(self) -> None:
        """Keep some launches ahead of the device; after the last one, send for the image."""
        while not self._exhausted and len(self._events) < LAUNCHES_AHEAD:
            launch = next(self._launches, None)
            if launch is None:
                self._exhausted = True
                self._send_for()
                return
            with self._announced():
                self._renderer.launch(
                    self._kernel, launch.rows * self._columns, self.slot.stream, *self._arguments, *launch,
                    self._state(launch), self._image, self._omega,
                )  # fmt: skip
            self._events.append((self._mark(), launch.rows * self._columns * (launch.last - launch.first)))

    def _send_for(self) -> None:
        """Have the device send what the result is made of."""
        self._solid_angles = self._renderer.fold(self.slot, "omega", self._omega)
        self._out = self.slot.pinned("image", (self._rows, self._columns), np.float32)
        self._image.copy_to_host(self._out, stream=self.slot.stream)

    def _state(self, launch: Launch) -> Any:
        """Return room for the unfinished pixels of a launch."""
        whole = launch.first == 0 and launch.last == self._samples
        return self.slot.device("state", (STATE, 1 if whole else launch.rows * self._columns), np.float64)

    @contextlib.contextmanager
    def _announced(self) -> Iterator[None]:
        """Say that a kernel is being compiled when it takes too long to be loading; the simulator compiles none."""
        if self._renderer.twin.SIMULATED:
            yield
            return
        timer = threading.Timer(PATIENCE_SECONDS, copy_context().run, (self._on_compiling or (lambda: None),))
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()
            self._on_compiling = None

    def _upload(self, scene: Scene) -> tuple[Any, ...]:
        """Have everything but the reflections on the device, in the order of a kernel's arguments."""
        masked = scene.mask.size > 0
        return (
            self.slot.upload("numbers", scene.numbers),
            int(masked),
            self.slot.keep("mask", scene.mask if masked else _NO_MASK),
            self.slot.keep("sources", scene.sources),
            self.slot.keep("orientations", scene.orientations).reshape(scene.orientations.size),
            self.slot.keep("weights", scene.weights),
        )

    def _table(self) -> Resident:
        """Have the reflections on the device, as the variant reads them, and this stream wait until they are there."""
        table, variant = self._scene.flat, self._variant
        name = f"look-up {variant.look_up}" if variant.single else "as they are"
        kept = self._renderer.resident
        if name not in kept or not _same(kept[name].host, table):
            formed, power = cuda_plan.table_of(table, variant)
            kept.pop(name, None)  # first, as both may not fit
            device = self._renderer.twin.cuda.to_device(formed, stream=self.slot.stream)
            kept[name] = Resident(table, device, self._mark(), power)
        kept[name].ready.wait(self.slot.stream)
        return kept[name]

    def _find_latch(self, scene: Scene) -> int:
        """Ordinal of the first sample that switches interpolation off, in C's order; NEVER if there is none."""
        if not scene.interpolate or not scene.latching or not may_trip(scene):
            return NEVER
        kernel = self._renderer.twin.search_kernel(scene.shape)
        arguments = self._upload(scene)
        for launch in self._plan(("search", scene.shape)):
            count = launch.rows * self._columns
            found = self.slot.device("found", (count,), np.int64)
            with self._announced():
                self._renderer.launch(kernel, count, self.slot.stream, *arguments, *launch, found)
            self.slot.stream.synchronize()
            if launch.last < self._samples:
                continue
            samples = found.copy_to_host()
            tripped = np.flatnonzero(samples != NEVER)
            if tripped.size:
                # Blocks come in the order of the image, and so do their pixels.
                row, column = divmod(int(tripped[0]), self._columns)
                slow, fast = scene.slow_first + launch.first_row + row, scene.fast_first + column
                return (slow * scene.n_fast + fast) * self._samples + int(samples[tripped[0]])
        return NEVER


_NO_MASK = np.ones((1, 1), dtype=np.uint8)
