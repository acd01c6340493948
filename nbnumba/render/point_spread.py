"""The point spread of a detector, panel by panel: images, their changes, and derivatives backward."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from ..geometry.vectors import Array
from ..readout import psf, psf_slopes


@dataclass(frozen=True, eq=False)
class PanelSpread:
    """What spreads the images of some panels.

    Attributes
    ----------
    spread : PointSpread
    shapes : sequence of (n_slow, n_fast)
        Of the panels, which stand in arrays that may be larger.
    before_counting : bool
        Whether photons are counted where they were spread to, so that counts are independent.
    threads : int
    """

    spread: psf.PointSpread
    shapes: Sequence[tuple[int, int]]
    before_counting: bool
    threads: int

    def image(self, stack: Array) -> Array:
        """Spread an image, (panels, n_slow, n_fast)."""
        return self._each(stack, lambda panel: psf.apply(panel, self.spread, self.threads).image)

    def change(self, stack: Array) -> Array:
        """Spread the change of an image."""
        return self._each(stack, lambda panel: psf_slopes.spread_change(panel, self.spread, self.threads))

    def gather(self, weights: Array) -> Array:
        """Return derivatives by the pixels before the spread, of what has these by those afterwards."""
        return self._each(weights, lambda panel: psf_slopes.gather(panel, self.spread, self.threads))

    def width_slope(self, stack: Array) -> Array:
        """Return the derivative of the spread image by the width of the spread [1/pixel]."""
        return self._each(stack, lambda panel: psf_slopes.width_slope(panel, self.spread, self.threads))

    def variances(self, stack: Array) -> Array:
        """Return the variances of spread pixels from those before."""
        return self._each(stack, lambda panel: psf_slopes.spread_squared(panel, self.spread, self.threads))

    def _each(self, stack: Array, work: Callable[[Array], Array]) -> Array:
        result = np.zeros(stack.shape)
        for to, panel, (n_slow, n_fast) in zip(result, stack, self.shapes, strict=True):
            to[:n_slow, :n_fast] = work(np.ascontiguousarray(panel[:n_slow, :n_fast]))
        return result
