"""One image that a GPU renders: uploads, launches, the copy back.

An image is rendered by launches that last some hundredths of a second, so that Ctrl-C, the progress bar and the
display get their turn. Each image in flight has a stream and buffers of its own; reflections, orientations, sources
and mask stay on the device as long as the next image brings the same arrays.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from contextvars import copy_context
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ...errors import DeviceError
from ..scene import Scene, same
from .buffers import Resident, Slot
from .chain import add_background
from .launcher import Launcher

if TYPE_CHECKING:
    from ..background.bodies import Surroundings
    from ..types import Rendered

LAUNCHES_AHEAD = 4
PATIENCE_SECONDS = 0.7  # a kernel that is loaded, not compiled, is there by then
_MOST_REFLECTIONS = 2**32  # the kernels count them in 32 bits


class DeviceJob:
    """What the ways to render an image share: the scene and the image on the device.

    Parameters
    ----------
    launcher : Launcher
    slot : Slot
        Its own until it has its result.
    resident : dict
        Tables of structure factors on the device, by what reads them.
    scene : Scene
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
        on_compiling: Callable[[], None] | None,
        surroundings: Surroundings | None,
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
        self._scene = scene
        self._image = slot.device("image", scene.region_shape, np.float32)
        self._omega = slot.device("omega", (self._rows * self._columns,), np.float64)
        self.kernel_seconds = 0.0  # by the device's clock; copies apart
        self._out: NDArray[np.float32] | None = None
        self._solid_angles: NDArray[np.float64] | None = None

    def take_image(self) -> Any | None:
        """Return the image on the device and leave it to the caller; None where it is a region of the panel only."""
        whole = (self._rows, self._columns) == (self._scene.n_slow, self._scene.n_fast)
        return self.slot.give_up("image") if whole else None

    def _rendered(
        self, evaluated: int, precision: str, room: NDArray[np.float32] | None = None, spots: int = 0
    ) -> Rendered:
        """Return the image, which has been copied back; see `RenderJob.result` for `room`."""
        from ..types import Rendered, available_threads

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
            evaluated_steps=evaluated,
            precision=precision,
            spots=spots,
        )

    def _mark(self) -> Any:
        event = self._launcher.kernels.cuda.event()
        event.record(self.slot.stream)
        return event

    def _copy_back(self) -> None:
        """Add what is around the crystals, and have the device copy back what the result is made of."""
        if self._surroundings is not None:
            with self._announced():
                add_background(self._launcher, self.slot, self._surroundings, self._image)
        self._solid_angles = self._launcher.fold(self.slot, "omega", self._omega)
        self._out = self.slot.pinned("image", (self._rows, self._columns), np.float32)
        self._image.copy_to_host(self._out, stream=self.slot.stream)

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
            # A mask is the detector's own, which may be changed in place.
            self.slot.upload("mask", scene.mask) if masked else self.slot.keep("no mask", _NO_MASK),
            self.slot.keep("sources", scene.sources),
            self.slot.keep("orientations", scene.orientations).reshape(scene.orientations.size),
            self.slot.keep("weights", scene.weights),
        )

    def _table(self, name: str, formed_table: Callable[[], tuple[NDArray[Any], int]]) -> Resident:
        """Have the reflections on the device, in some form, and this stream wait until they are there.

        Parameters
        ----------
        name : str
            Of the form.
        formed_table : callable
            Returns the table in that form, and the power of two by which it was divided.
        """
        table, kept = self._scene.flat, self._resident
        if name not in kept or not same(kept[name].host, table):
            formed, power = formed_table()
            kept.pop(name, None)  # first, as both may not fit
            device = self._launcher.kernels.cuda.to_device(formed, stream=self.slot.stream)
            kept[name] = Resident(table, device, self._mark(), power)
        kept[name].ready.wait(self.slot.stream)
        return kept[name]


_NO_MASK = np.ones((1, 1), dtype=np.uint8)
