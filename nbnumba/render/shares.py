"""Which reflections the photons of an image come from, summed once for all that is to be made of it."""

from __future__ import annotations

import dataclasses
import functools
import threading
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from ..background.water import Water
from ..experiment.model import Experiment
from ..experiment.passes import Pass, split_into_passes
from ..experiment.scene import build_scenes
from ..kernels.scene import Scene
from ..kernels.types import available_threads

if TYPE_CHECKING:
    from ..kernels.cpu.tasks import Worker

_T = TypeVar("_T")

_ROWS = 16  # that a thread works through at a time
_SPOTS = 20_000
_OFFSET = 1 << 20  # of indices within a key


class Collector(Protocol):
    """Makes something of the shares of an image, in the steps of `collect`."""

    def take(self, shares: NDArray[np.float64], image: NDArray[np.float32]) -> Any:
        """Return what is kept of the shares of some pixels; called by several threads."""

    def enter(self, part: Pass, panel: int, found: Sequence[Any]) -> None:
        """Receive what was kept of one crystal on one panel, in no order."""


def collect(experiment: Experiment, threads: int | None, *collectors: Collector) -> None:
    """Share the photons of an image out among reflections, and hand the shares to collectors.

    Parameters
    ----------
    experiment : Experiment
    threads : int, optional
        Every core that this process may use by default.
    *collectors : Collector

    Notes
    -----
    A photon belongs to the reflection that is nearest to its sample; where mosaicity is drawn in closed form, to the
    reflection whose spot it is of. The crystals are rendered once more for it, by the processor.
    """
    from ..kernels.cpu import driver

    threads = threads or available_threads()
    dry = tuple(material for material in experiment.background if not isinstance(material, Water))
    for part in split_into_passes(dataclasses.replace(experiment, background=dry)):
        angles = _angles_of(part.experiment)
        for panel, scene in enumerate(build_scenes(part.experiment)):
            rendered = driver.render(scene, threads, None, None)
            image = rendered.image

            def take(shares: NDArray[np.float64], image: NDArray[np.float32] = image) -> list[Any]:
                return [collector.take(shares, image) for collector in collectors]

            kept = _by_block(scene.replace(latch=rendered.latch), image, angles, threads, take)
            for number, collector in enumerate(collectors):
                collector.enter(part, panel, [found[number] for found in kept])


def _angles_of(experiment: Experiment) -> NDArray[np.float64]:
    """Return the spindle angle of every orientation [rad]."""
    return np.repeat(experiment.goniometer.angles, len(experiment.crystal.mosaic_rotations))


def _by_block(
    scene: Scene,
    image: NDArray[np.float32],
    phis: NDArray[np.float64],
    threads: int,
    take: Callable[[NDArray[np.float64]], _T],
) -> list[_T]:
    """Work out which reflections the photons of pixels come from, block by block of whole pixels.

    Parameters
    ----------
    scene : Scene
        With the latch of the image.
    image : (n_slow, n_fast) float32
    phis : (orientations,) [rad]
    threads : int
    take : callable
        Receives shares as `nbnumba.kernels.cpu.attribution` makes them, and returns what is kept of them.

    Returns
    -------
    list
        Of what `take` returns, in no order.
    """
    from ..kernels.cpu import spot_driver
    from ..kernels.cpu.tasks import Tasks

    planned = spot_driver.forced_plan(scene)
    if planned is not None:
        return [take(_spot_shares(scene, planned, phis, threads))]
    if scene.continuous:
        return []
    from ..kernels.cpu import attribution

    parts: list[_T] = []
    lock = threading.Lock()
    rows = range(scene.slow_first, scene.slow_last + 1)
    blocks = [rows[i : i + _ROWS] for i in range(0, len(rows), _ROWS)]

    def of_rows(begin: int, end: int) -> None:
        for block in blocks[begin:end]:
            found = take(attribution.shares_of_pixels(scene, image, phis, block.start, block.stop))
            with lock:
                parts.append(found)

    Tasks(len(blocks), lambda: of_rows).run(threads, None)
    return parts


def _spot_shares(scene: Scene, planned: object, phis: NDArray[np.float64], threads: int) -> NDArray[np.float64]:
    """Return the shares of the spots that the image was, or might have been, drawn from."""
    from ..kernels.cpu import attribution, spot_driver
    from ..kernels.cpu.spot_panels import spots_of
    from ..kernels.cpu.tasks import Tasks

    assert isinstance(planned, spot_driver.SpotPlan)
    geometry = planned.geometry
    found: list[NDArray[np.float64]] = []
    lock = threading.Lock()
    for first in range(0, planned.pairs, planned.block):
        last = min(planned.pairs, first + planned.block)
        listed, boxes = spots_of(scene, geometry, first, last)
        blocks = [range(i, min(i + _SPOTS, len(listed))) for i in range(0, len(listed), _SPOTS)]

        def of_spots(begin: int, end: int, listed=listed, boxes=boxes, blocks=blocks) -> None:  # type: ignore[no-untyped-def]
            for block in blocks[begin:end]:
                shares = attribution.shares_of_spots(scene, geometry.view, listed, boxes, phis, block.start, block.stop)
                reduced = _by_pixel(shares)
                with lock:
                    found.append(reduced)

        if blocks:
            Tasks(len(blocks), functools.partial(_same, of_spots)).run(threads, None)
    return _by_pixel(np.concatenate(found)) if found else np.zeros((0, 7))


def _same(work: Worker) -> Worker:
    return work


def key_of(shares: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return a number for the reflection of each share."""
    h, k, l = (shares[:, column].astype(np.int64) + _OFFSET for column in range(3))
    return np.asarray((h << 42) | (k << 21) | l)


def hkl_of(keys: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return h, k, l of keys, (n, 3)."""
    mask = (1 << 21) - 1
    return np.asarray(np.column_stack([(keys >> 42) & mask, (keys >> 21) & mask, keys & mask]) - _OFFSET)


def _by_pixel(shares: NDArray[np.float64]) -> NDArray[np.float64]:
    """Add up the shares of each reflection in each pixel, in an order of their own."""
    key = key_of(shares)
    order = np.lexsort((shares[:, 4], shares[:, 3], key))
    shares, key = shares[order], key[order]
    if not len(key):
        return shares
    starts = np.flatnonzero(np.r_[True, (np.diff(key) != 0) | (np.diff(shares[:, 3]) != 0)])
    summed = shares[starts].copy()
    summed[:, 4:] = np.add.reduceat(shares[:, 4:], starts, axis=0)
    return summed
