"""One image that a GPU renders: uploads, launches, the copy back.

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
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ...errors import DeviceError
from ..latch import may_trip
from ..pixel import STATE
from ..scene import NEVER, Scene
from . import plan as cuda_plan
from .buffers import Resident, Slot, same
from .chain import add_background
from .launcher import Launcher
from .plan import Launch

if TYPE_CHECKING:
    from ..background.bodies import Surroundings
    from ..types import Progress, Rendered

LAUNCHES_AHEAD = 4
PATIENCE_SECONDS = 0.7  # a kernel that is loaded, not compiled, is there by then
_MOST_REFLECTIONS = 2**32  # the kernels count them in 32 bits


class RenderJob:
    """An image that is being rendered; made and asked for its result with the device current.

    Parameters
    ----------
    launcher : Launcher
    slot : Slot
        Its own until it has its result.
    resident : dict
        Tables of structure factors on the device, by what reads them.
    scene : Scene
    mixed : bool
        Precision.
    on_compiling : callable or None
        Called when a kernel has to be compiled first.
    surroundings : Surroundings or None
        What is around the crystals.
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
        if scene.flat.size >= _MOST_REFLECTIONS:
            raise DeviceError(
                f"-backend cuda: a table of {scene.flat.size} reflections; fewer than {_MOST_REFLECTIONS} are allowed"
            )
        self.slot = slot
        self._launcher = launcher
        self._resident = resident
        self._surroundings = surroundings
        self._on_compiling = on_compiling
        self._rows, self._columns = scene.region_shape
        self._samples = scene.samples_per_pixel
        self._scene = scene.replace(latch=self._find_latch(scene))
        self._variant = cuda_plan.choose_variant(scene, mixed)
        self._kernel = launcher.kernels.sum_kernel(self._variant)
        self._image = slot.device("image", scene.region_shape, np.float32)
        self._omega = slot.device("omega", (self._rows * self._columns,), np.float64)
        table = self._table()
        self._arguments = (*self._upload(cuda_plan.scaled_by(self._scene, table.power)), table.device)
        self._launches = self._plan(self._variant)
        self._events: collections.deque[tuple[Any, int]] = collections.deque()
        self._started = self._mark()
        self._done = 0
        self.kernel_seconds = 0.0  # by the device's clock; copies apart
        self._exhausted = False
        self._out: NDArray[np.float32] | None = None
        self._solid_angles: NDArray[np.float64] | None = None
        self._feed()

    def result(self, progress: Progress | None, room: NDArray[np.float32] | None = None) -> Rendered:
        """Wait for the image, and put it into `room` where that is given: float32 of the panel's size, all 0."""
        from ..types import Rendered, available_threads

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
        assert self._out is not None
        scene = self._scene
        image = np.zeros((scene.n_slow, scene.n_fast), dtype=np.float32) if room is None else room
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

    def take_image(self) -> Any | None:
        """Return the image on the device and leave it to the caller; None where it is a region of the panel only."""
        whole = (self._rows, self._columns) == (self._scene.n_slow, self._scene.n_fast)
        return self.slot.give_up("image") if whole else None

    def _mark(self) -> Any:
        event = self._launcher.kernels.cuda.event()
        event.record(self.slot.stream)
        return event

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

    def _copy_back(self) -> None:
        """Add what is around the crystals, and have the device copy back what the result is made of."""
        if self._surroundings is not None:
            with self._announced():
                add_background(self._launcher, self.slot, self._surroundings, self._image)
        self._solid_angles = self._launcher.fold(self.slot, "omega", self._omega)
        self._out = self.slot.pinned("image", (self._rows, self._columns), np.float32)
        self._image.copy_to_host(self._out, stream=self.slot.stream)

    def _state(self, launch: Launch) -> Any:
        """Return room for the unfinished pixels of a launch."""
        whole = launch.first == 0 and launch.last == self._samples
        return self.slot.device("state", (STATE, 1 if whole else launch.rows * self._columns), np.float64)

    @contextlib.contextmanager
    def _announced(self) -> Iterator[None]:
        """Say that a kernel is being compiled when it takes too long to be loading; the simulator compiles none."""
        if self._launcher.kernels.SIMULATED:
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
        kept = self._resident
        if name not in kept or not same(kept[name].host, table):
            formed, power = cuda_plan.table_of(table, variant)
            kept.pop(name, None)  # first, as both may not fit
            device = self._launcher.kernels.cuda.to_device(formed, stream=self.slot.stream)
            kept[name] = Resident(table, device, self._mark(), power)
        kept[name].ready.wait(self.slot.stream)
        return kept[name]

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


_NO_MASK = np.ones((1, 1), dtype=np.uint8)
