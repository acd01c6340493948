"""Starts kernels on a GPU, and learns how long they take."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .buffers import Slot
from .device import Gpu, load

LAUNCH_SECONDS = 0.03
_OPERATIONS_PER_STEP = 2000.0  # of float64: a guess on the safe side before anything is measured


class Launcher:
    """Starts kernels on one GPU, which its caller makes current.

    Parameters
    ----------
    gpu : Gpu
    launch_steps : int, optional
        Steps of a launch; chosen by measured speed by default.
    """

    def __init__(self, gpu: Gpu, launch_steps: int | None = None) -> None:
        self.gpu = gpu
        self.kernels: ModuleType = load()
        self._launch_steps = launch_steps
        self._rates: dict[object, float] = {}  # measured steps per second, by kernel
        self._known: set[object] = set()  # kernels that have been launched

    def launch(self, kernel: Any, threads: int, stream: Any, *arguments: Any) -> None:
        """Start a kernel with at least some number of threads."""
        blocks = -(-threads // self.kernels.THREADS_PER_BLOCK)
        self.kernels.configured(kernel, blocks, stream)(*arguments)

    def fold(self, slot: Slot, name: str, values: Any) -> NDArray[np.float64]:
        """Add up many numbers on the device; the partial sums are there when the slot's stream is done."""
        count = self.kernels.PARTIAL_SUMS
        partial = slot.device(f"{name} partial", (count,), np.float64)
        self.launch(self.kernels.fold_kernel(), count, slot.stream, values, partial)
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
        """Take note of the speed of a launch, but of the first of a kernel, which may have waited for the compiler."""
        if kernel not in self._known:
            self._known.add(kernel)
        elif seconds > 0.0:  # the simulator has no clock
            self._rates[kernel] = steps / seconds
