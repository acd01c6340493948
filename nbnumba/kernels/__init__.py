"""The compiled code; `render` is its only door."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..errors import DeviceError, InputError
from ..scene import Scene

Progress = Callable[[float], None]


class Rendered(NamedTuple):
    """A rendered panel and what is known only afterwards."""

    image: NDArray[np.float32]  # (n_slow, n_fast) [photons]; 0 outside the region and under the mask
    solid_angle: float  # sum over pixels, sub-pixels and layers [sr]
    latch: int  # ordinal of the sample that switched interpolation off, or scene.NEVER
    backend: str
    threads: int
    evaluated_steps: int  # steps whose lattice factor was worked out; the others can only add nothing


def available_threads() -> int:
    """Number of cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def check_engine(backend: str, threads: int | None) -> None:
    """Raise where an engine cannot be had, before anything is compiled.

    Raises
    ------
    DeviceError
        For -backend cuda, which this version does not have yet.
    InputError
        For more threads than cores.
    """
    if backend == "cuda":
        raise DeviceError("-backend cuda is not available yet in this version; use -backend cpu or auto")
    if threads is not None and not 1 <= threads <= available_threads():
        raise InputError(
            f"-threads: {threads} is not between 1 and {available_threads()}, the cores this process may use"
        )


def render(
    scene: Scene,
    backend: str = "auto",
    threads: int | None = None,
    progress: Progress | None = None,
    on_compiling: Callable[[], None] | None = None,
) -> Rendered:
    """Render a scene.

    Parameters
    ----------
    scene : Scene
    backend : {"auto", "cpu", "cuda"}
    threads : int or None
        None: every core that this process may use.
    progress : callable, optional
        Receives the fraction done, a few times a second.
    on_compiling : callable, optional
        Called once when the kernel must be compiled first, which takes some seconds.

    Raises
    ------
    DeviceError, InputError
        See `check_engine`.
    """
    check_engine(backend, threads)
    from . import cpu_driver

    return cpu_driver.render(scene, threads or available_threads(), progress, on_compiling)


def sample_hkl(scene: Scene, ordinal: int) -> tuple[float, float, float]:
    """Fractional indices of one sample of a scene, counted in C's order."""
    from . import cpu_driver

    return cpu_driver.sample_hkl(scene, ordinal)
