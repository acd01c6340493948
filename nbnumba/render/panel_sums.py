"""Sums over the pixels of all panels with their derivatives, by the processor or on a GPU."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ..geometry.vectors import Array
from ..gradients.tangents import Slopes
from ..kernels.scene import Scene
from .likelihood import Likelihood, of_sums

if TYPE_CHECKING:
    from ..kernels.gradient.driver import Consumer, Pass
    from ..kernels.gradient.tangents import Tangents


class PanelSums:
    """What is summed up from the panels of an experiment.

    Parameters
    ----------
    slopes : Slopes
    stack_shape : (panels, n_slow, n_fast)
    threads : int
        Of the processor.
    device : int or None
        GPU that does it; None: the processor.
    """

    def __init__(self, slopes: Slopes, stack_shape: tuple[int, int, int], threads: int, device: int | None) -> None:
        self._slopes = slopes
        self._scenes = slopes.scenes
        self._stack_shape = stack_shape
        self._threads, self._device = threads, device

    def image(self, tangents: Sequence[Sequence[Tangents]], slopes: Array) -> Array:
        """Return the photons of the crystals; put derivatives into `slopes`, (directions, panels, n_slow, n_fast)."""
        stack = np.zeros(self._stack_shape)

        def consume(panel: int, scene: Scene) -> Consumer:
            def add(first: int, image: Array, of_band: Array) -> None:
                rows, columns = _band(scene, first, image)
                stack[panel, rows, columns] = image
                slopes[:, panel, rows, columns] = of_band

            return add

        self._over_panels(tangents, consume)
        return stack

    def weighted(self, tangents: Sequence[Sequence[Tangents]], weights: Array) -> Array:
        """Return the sums of weights, (panels, n_slow, n_fast), times derivatives, (directions,)."""
        parts: dict[tuple[int, int], Array] = {}

        def consume(panel: int, scene: Scene) -> Consumer:
            def add(first: int, image: Array, slopes: Array) -> None:
                rows, columns = _band(scene, first, image)
                parts[panel, first] = np.tensordot(slopes, weights[panel, rows, columns], 2)

            return add

        if self._device is None:
            self._over_panels(tangents, consume)
        else:
            from ..kernels.cuda import gradient as on_gpu

            for panel, scene in enumerate(self._scenes[0]):
                passes = self._passes(panel, tangents)
                parts[panel, 0] = on_gpu.weighted(passes, self._device, weights[panel][region(scene)])
        return np.asarray(np.sum([parts[key] for key in sorted(parts)], axis=0))

    def likelihood(
        self,
        tangents: Sequence[Sequence[Tangents]],
        measured: Array,
        counted: NDArray[np.bool_],
        variance: float,
        background: Array | None,
        of_background: Mapping[int, Array],
    ) -> Likelihood:
        """Return how likely an image is, band by band; see `Linearization.likelihood`.

        `background` are photons that are not the crystals', (panels, n_slow, n_fast), and `of_background` their
        derivatives by the number of each direction that they have.
        """
        from ..kernels.gradient import reduce

        n = tangents[0][0].directions
        parts: dict[tuple[int, int], Array] = {}

        def consume(panel: int, scene: Scene) -> Consumer:
            there = counted[panel] & rendered(scene, counted.shape[1:])

            def add(first: int, image: Array, slopes: Array) -> None:
                rows, columns = _band(scene, first, image)
                if background is not None:
                    image += background[panel, rows, columns]
                for number, slope in of_background.items():
                    slopes[number] += slope[panel, rows, columns]
                sums, scratch = np.zeros(reduce.sums_size(n)), np.empty(reduce.scratch_size(n))
                data, used = measured[panel, rows, columns], there[rows, columns]
                reduce.add_likelihood(data, used, image, slopes, variance, scratch, np.zeros(n, np.int64), sums)
                parts[panel, first] = sums

            return add

        if self._device is None:
            self._over_panels(tangents, consume)
            return of_sums(parts, n)
        from ..kernels.cuda import gradient as on_gpu

        for panel, scene in enumerate(self._scenes[0]):
            inside, passes = region(scene), self._passes(panel, tangents)
            there = (counted[panel] & rendered(scene, counted.shape[1:]))[inside]
            around = None if background is None else background[panel][inside]
            changes = {number: slope[panel][inside] for number, slope in of_background.items()}
            data = measured[panel][inside]
            parts[panel, 0] = on_gpu.likelihood(passes, self._device, data, there, variance, around, changes)
        return of_sums(parts, n)

    def _over_panels(self, tangents: Sequence[Sequence[Tangents]], consume: Callable[[int, Scene], Consumer]) -> None:
        """Run the kernels over all panels; without tangents the image alone is rendered."""
        from ..kernels.gradient import driver

        for panel, scene in enumerate(self._scenes[0]):
            passes = self._passes(panel, tangents)
            if self._device is None:
                driver.run(passes, self._threads, consume(panel, scene))
            else:
                from ..kernels.cuda import gradient as on_gpu

                on_gpu.run(passes, self._device, consume(panel, scene))

    def _passes(self, panel: int, tangents: Sequence[Sequence[Tangents]]) -> list[Pass]:
        """Return what the image of a panel is summed up from."""
        from ..kernels.gradient import driver
        from ..kernels.gradient.tangents import no_tangents

        passes = []
        for i, panels in enumerate(self._scenes):
            one = panels[panel]
            own = tangents[i][panel] if len(tangents) else no_tangents(one, self._slopes.form(i, one))
            passes.append(driver.prepared(one, own, self._threads, on_processor=self._device is None))
        return passes


def region(scene: Scene) -> tuple[slice, slice]:
    """Rows and columns of a panel that are rendered."""
    return slice(scene.slow_first, scene.slow_last + 1), slice(scene.fast_first, scene.fast_last + 1)


def rendered(scene: Scene, shape: tuple[int, ...]) -> NDArray[np.bool_]:
    """Pixels of a panel that are rendered, in an array of at least its size."""
    found = np.zeros(shape, dtype=np.bool_)
    inside = region(scene)
    found[inside] = True if scene.mask.size == 0 else scene.mask[inside] != 0
    return found


def _band(scene: Scene, first: int, image: Array) -> tuple[slice, slice]:
    """Rows and columns of a band on its panel."""
    top = scene.slow_first + first
    return slice(top, top + len(image)), slice(scene.fast_first, scene.fast_last + 1)
