"""Panels and passes of an image put together."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ..experiment.model import Experiment
from ..kernels.scene import NEVER, Scene

if TYPE_CHECKING:
    from ..kernels.types import Rendered


def dark(scene: Scene, like: Rendered) -> Rendered:
    """Return a panel that was not rendered, beside one that was."""
    nothing = np.zeros((scene.n_slow, scene.n_fast), dtype=np.float32)
    return like._replace(image=nothing, solid_angle=0.0, latch=NEVER, evaluated_steps=0, spots=0)


class Total:
    """The sum of passes, and what is reported of them."""

    def __init__(self) -> None:
        self.first: list[Rendered] = []  # panels of the first pass
        self.latches: list[tuple[int, ...]] = []  # of each panel in each pass
        self.latch = NEVER
        self.latch_hkl: tuple[float, float, float] | None = None
        self.evaluated_steps = self.spots = 0
        self.precision = "double"  # or "mixed", where any part of the sum was
        self._sums: list[NDArray[np.float64]] = []

    def add(self, scenes: Sequence[Scene], panels: list[Rendered]) -> None:
        """Add a pass; a single one is kept as it is."""
        from .. import kernels

        if not self.first:
            self.first = panels
        else:
            if not self._sums:
                self._sums = [panel.image.astype(np.float64) for panel in self.first]
            for total, panel in zip(self._sums, panels, strict=True):
                total += panel.image
        self.latches.append(tuple(panel.latch for panel in panels))
        tripped = next((i for i, panel in enumerate(panels) if panel.latch != NEVER), None)
        if self.latch_hkl is None and tripped is not None:
            self.latch = panels[tripped].latch
            self.latch_hkl = kernels.sample_hkl(scenes[tripped], self.latch)
        self.evaluated_steps += sum(panel.evaluated_steps for panel in panels)
        self.spots += sum(panel.spots for panel in panels)
        if any(panel.precision == "mixed" for panel in panels):
            self.precision = "mixed"

    def images(self) -> list[NDArray[np.float32]]:
        """Return the photons of every panel."""
        if not self._sums:
            return [panel.image for panel in self.first]
        with np.errstate(over="ignore"):
            return [total.astype(np.float32) for total in self._sums]


class Stack:
    """The array of an image, panel by panel, padded with 0 to the size of the largest.

    Attributes
    ----------
    rooms : list of array or None
        Of each panel its part, where that is contiguous.
    """

    def __init__(self, experiment: Experiment) -> None:
        sizes = [(panel.n_slow, panel.n_fast) for panel in experiment.detector.panels]
        n_slow, n_fast = (max(size[axis] for size in sizes) for axis in (0, 1))
        self._array = np.zeros((len(sizes), n_slow, n_fast), dtype=np.float32)
        self.rooms: list[NDArray[np.float32] | None] = [
            part[: size[0]] if size[1] == n_fast else None for part, size in zip(self._array, sizes, strict=True)
        ]

    def filled(self, panels: Sequence[NDArray[np.float32]]) -> NDArray[np.float32]:
        """Return the array with panels put into it that were not drawn there; that of one panel has two axes."""
        if len(panels) == 1:
            return panels[0]
        for place, room, panel in zip(self._array, self.rooms, panels, strict=True):
            if panel is not room:
                place[: panel.shape[0], : panel.shape[1]] = panel
        return self._array
