"""The compiled code; `render` is its only entry point."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from itertools import zip_longest
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ..errors import DeviceError, InputError, called
from ..util.messages import logger
from .background.bodies import Surroundings
from .readout.steps import PanelRead, SeparableSpread, Steps
from .scene import Scene
from .types import Progress, Rendered, available_threads

if TYPE_CHECKING:
    from .cuda.renderer import DeviceRenderer


def check_compute_options(backend: str, threads: int | None, device: int | None = None) -> None:
    """Raise where compute options cannot be met, before anything is compiled.

    Raises
    ------
    DeviceError
        For -backend cuda without a GPU that can be used.
    InputError
        For more threads than cores.
    """
    if threads is not None and not 1 <= threads <= available_threads():
        cores = available_threads()
        raise InputError(f"{called('threads')}: {threads} is not between 1 and {cores}, the cores this process may use")
    if backend == "cuda":
        from .cuda.device import choose

        choose(device)


def render(
    scene: Scene,
    backend: str = "auto",
    threads: int | None = None,
    progress: Progress | None = None,
    on_compiling: Callable[[], None] | None = None,
    *,
    precision: str = "auto",
    device: int | None = None,
) -> Rendered:
    """Render a scene.

    Parameters
    ----------
    scene : Scene
    backend : {"auto", "cpu", "cuda"}
        "auto" takes a GPU where there is one, and the processor where that fails.
    threads : int or None
        Of the processor; None: every core that this process may use.
    progress : callable, optional
        Receives the fraction done, a few times a second.
    on_compiling : callable, optional
        Called once when the kernel must be compiled first, which takes some seconds.
    precision : {"auto", "double", "mixed"}
        "auto" is "double" on the processor, and chooses by the float64 rate of a GPU. "mixed" is taken where it can be;
        `Rendered.precision` tells.
    device : int or None
        Number of the GPU among the visible ones; the first by default.

    Raises
    ------
    DeviceError, InputError
        See `check_compute_options`.
    """
    return render_panels([scene], backend, threads, progress, on_compiling, precision=precision, device=device)[0]


def render_panels(
    scenes: Sequence[Scene],
    backend: str = "auto",
    threads: int | None = None,
    progress: Progress | None = None,
    on_compiling: Callable[[], None] | None = None,
    *,
    precision: str = "auto",
    device: int | None = None,
    images: Sequence[NDArray[np.float32] | None] = (),
    few: bool = False,
    surroundings: Sequence[Surroundings] = (),
) -> list[Rendered]:
    """Render the scenes of a detector's panels.

    Parameters
    ----------
    scenes : sequence of Scene
    backend, threads, progress, on_compiling, precision, device
        As of `render`.
    images : sequence of array or None
        Where each panel may be drawn: contiguous float32 of its size, all 0.
    few : bool
        Whether the masks leave few pixels, so that all others are stepped over.
    surroundings : sequence of Surroundings
        What is around the crystals, for each panel; nothing by default.

    Raises
    ------
    DeviceError, InputError
        See `check_compute_options`.
    """
    check_compute_options("cpu", threads)
    if backend == "cuda" or (backend == "auto" and (device is not None or _gpu_may_be_there())):
        try:
            gpu = renderer(device, precision)
            gpu.forget_images()
            return [
                gpu.render(scene, _part_of(progress, number, len(scenes)), on_compiling, around, room)
                for number, (scene, around, room) in enumerate(zip_longest(scenes, surroundings, images))
            ]
        except DeviceError as error:
            if backend == "cuda":
                raise
            logger.warning(f"rendered by the processor, as the GPU cannot be used: {error}")
            for room in images:  # some may have been drawn
                if room is not None:
                    room.fill(0.0)
    from .cpu import driver as cpu_driver

    threads = threads or available_threads()
    found = cpu_driver.render_panels(scenes, threads, progress, on_compiling, images, few, precision == "mixed")
    if surroundings:
        from .background import driver

        for panel, around in zip(found, surroundings, strict=True):
            driver.surround(panel.image, around, threads)
    return found


def _part_of(progress: Progress | None, number: int, count: int) -> Progress | None:
    """Return what reports the progress of one panel out of several."""
    return None if progress is None else lambda fraction: progress((number + fraction) / count)


def renderer(device: int | None = None, precision: str = "auto") -> DeviceRenderer:
    """Return the renderer that keeps a GPU warm for this process, the same for the same arguments."""
    from .cuda.renderer import DeviceRenderer

    key = (device or 0, precision)
    with _renderers_lock:
        if key not in _renderers:
            _renderers[key] = DeviceRenderer(device, precision)
        return _renderers[key]


_renderers: dict[tuple[int, str], DeviceRenderer] = {}
_renderers_lock = threading.Lock()


def _gpu_may_be_there() -> bool:
    from .cuda.device import may_be_there

    return may_be_there()


def draw_noise(
    mean: NDArray[np.float32],
    region: tuple[int, int, int, int],
    adc: float,
    seed: int,
    image_number: int = 0,
    threads: int | None = None,
    progress: Progress | None = None,
    device: int | None = None,
    dtype: str = "uint16",
) -> tuple[NDArray[np.uint16] | NDArray[np.int32], float, int]:
    """Draw photon counts that depend on seed, image number and pixel alone; see `nbnumba.readout.poisson`.

    On a GPU where `device` names one, else on the processor: the counts are the same.
    """
    if device is not None and dtype in ("uint16", "int32"):
        return _gpu_that_holds(mean, device).draw_noise(mean, region, adc, seed, image_number, dtype)
    from .random import counter_driver

    return counter_driver.draw(mean, region, adc, seed, image_number, threads or available_threads(), progress, dtype)


def read_out(
    mean: NDArray[np.float32], first_pixel: int, steps: Steps, spread: SeparableSpread | None, device: int
) -> PanelRead:
    """Read out a panel on a GPU, by the renderer that has it there, if one has.

    Parameters
    ----------
    mean : (n_slow, n_fast) float32 [photons]
    first_pixel : int
        Number of the panel's first pixel.
    steps : Steps
    spread : SeparableSpread or None
    device : int

    Raises
    ------
    DeviceError
        When the GPU is not there or fails.
    """
    return _gpu_that_holds(mean, device).read_out(mean, first_pixel, steps, spread)


def _gpu_that_holds(mean: NDArray[np.float32], device: int) -> DeviceRenderer:
    """Return the renderer of a GPU that has an image there; any of that GPU where none has."""
    known = [gpu for (number, _), gpu in list(_renderers.items()) if number == device]
    return next((gpu for gpu in known if gpu.holds(mean)), known[0] if known else renderer(device))


def compiling_line() -> str:
    """Return what to tell the user when a kernel has to be compiled: it is kept, or why not."""
    from . import jit

    return jit.compiling_line()


def find_latch(scene: Scene, threads: int | None = None) -> int:
    """Ordinal of the first sample of a scene that switches interpolation off, in C's order; NEVER if there is none."""
    from .cpu import driver as cpu_driver

    return cpu_driver.find_latch(scene, threads or available_threads(), None)


def sample_hkl(scene: Scene, ordinal: int) -> tuple[float, float, float]:
    """Fractional indices of one sample of a scene, counted in C's order."""
    from .cpu import driver as cpu_driver

    return cpu_driver.sample_hkl(scene, ordinal)
