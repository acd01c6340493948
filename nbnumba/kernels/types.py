"""What a rendering returns and reports."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Progress = Callable[[float], None]


class Rendered(NamedTuple):
    """A rendered panel and what is known only afterwards."""

    image: NDArray[np.float32]  # (n_slow, n_fast) [photons]; 0 outside the region and under the mask
    solid_angle: float  # sum over pixels, sub-pixels and layers [sr]
    latch: int  # ordinal of the sample that switched interpolation off, or scene.NEVER
    backend: str
    threads: int
    evaluated_steps: int  # steps whose lattice factor was worked out; the others can only add nothing
    precision: str = "double"
    spots: int = 0  # spots that were listed; 0 where every pixel was asked for the nearest reflections


def available_threads() -> int:
    """Number of cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
