"""One image that a GPU renders pixel by pixel."""

from __future__ import annotations

import collections
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..latch import may_trip
from ..mixed import scaled_by
from ..pixel import STATE
from ..scene import NEVER, Scene
from . import plan as cuda_plan
from .buffers import Resident, Slot
from .device_job import LAUNCHES_AHEAD, DeviceJob
from .launcher import Launcher
from .plan import Launch

if TYPE_CHECKING:
    from ..background.bodies import Surroundings
    from ..types import Progress, Rendered


class RenderJob(DeviceJob):
    """An image that is being rendered; made and asked for its result with the device current.

    Parameters
    ----------
    launcher, slot, resident, scene, on_compiling, surroundings
        As of `DeviceJob`.
    mixed : bool
        Precision.
    """

    def __init__(
        self,
        launcher: Launcher,
        slot: Slot,
        resident: dict[str, Resident],
        scene: Scene,
        mixed: bool,
        on_compiling: Callable[[], None] | None,
        surroundings: Surroundings | None = None,
    ) -> None:
        super().__init__(launcher, slot, resident, scene, on_compiling, surroundings)
        self._samples = scene.samples_per_pixel
        self._scene = scene.replace(latch=self._find_latch(scene))
        self._variant = cuda_plan.choose_variant(scene, mixed)
        self._kernel = launcher.kernels.sum_kernel(self._variant)
        variant = self._variant
        name = f"look-up {variant.look_up}" if variant.single else "as they are"
        table = self._table(name, lambda: cuda_plan.table_of(self._scene.flat, variant))
        self._arguments = (*self._upload(scaled_by(self._scene, table.power)), table.device)
        self._launches = self._plan(self._variant)
        self._events: collections.deque[tuple[Any, int]] = collections.deque()
        self._started = self._mark()
        self._done = 0
        self._exhausted = False
        self._feed()

    def result(self, progress: Progress | None, room: NDArray[np.float32] | None = None) -> Rendered:
        """Wait for the image, and put it into `room` where that is given: float32 of the panel's size, all 0."""
        first = before = self._started
        while self._events:
            event, steps = self._events.popleft()
            event.synchronize()
            self._launcher.learn_rate(self._variant, steps, before.elapsed_time(event) / 1e3)
            before = event
            self._done += steps
            self._feed()
            if progress is not None:
                progress(self._done / (self._rows * self._columns * self._samples))
        self.kernel_seconds = first.elapsed_time(before) / 1e3
        self.slot.stream.synchronize()
        evaluated = self._rows * self._columns * self._samples
        return self._rendered(evaluated, "mixed" if self._variant.single else "double", room)

    def _plan(self, kernel: object) -> Iterator[Launch]:
        return cuda_plan.plan(
            self._rows, self._columns, self._samples, self._launcher.gpu.fill,
            lambda: self._launcher.steps_per_launch(kernel),
        )  # fmt: skip

    def _feed(self) -> None:
        """Keep some launches ahead of the device; after the last one, ask for the image."""
        while not self._exhausted and len(self._events) < LAUNCHES_AHEAD:
            launch = next(self._launches, None)
            if launch is None:
                self._exhausted = True
                self._copy_back()
                return
            with self._announced():
                self._launcher.launch(
                    self._kernel, launch.rows * self._columns, self.slot.stream, *self._arguments, *launch,
                    self._state(launch), self._image, self._omega,
                )  # fmt: skip
            self._events.append((self._mark(), launch.rows * self._columns * (launch.last - launch.first)))

    def _state(self, launch: Launch) -> Any:
        """Return room for the unfinished pixels of a launch."""
        whole = launch.first == 0 and launch.last == self._samples
        return self.slot.device("state", (STATE, 1 if whole else launch.rows * self._columns), np.float64)

    def _find_latch(self, scene: Scene) -> int:
        """Ordinal of the first sample that switches interpolation off, in C's order; NEVER if there is none."""
        if not scene.interpolate or not scene.latching or not may_trip(scene):
            return NEVER
        kernel = self._launcher.kernels.search_kernel(scene.shape)
        arguments = self._upload(scene)
        for launch in self._plan(("search", scene.shape)):
            count = launch.rows * self._columns
            found = self.slot.device("found", (count,), np.int64)
            with self._announced():
                self._launcher.launch(kernel, count, self.slot.stream, *arguments, *launch, found)
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
