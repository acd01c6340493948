"""One image that a GPU renders from lists of spots: block by block of pairs of source and orientation."""

from __future__ import annotations

import collections
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..cpu.spot_driver import SpotPlan
from ..scene import Scene
from ..spot_lists import LISTED, SpotVariant
from .buffers import Resident, Slot
from .device_job import LAUNCHES_AHEAD, DeviceJob
from .launcher import Launcher

if TYPE_CHECKING:
    from ..background.bodies import Surroundings
    from ..types import Progress, Rendered

_MOST_COLUMNS = 2**23  # of a block of pairs, and of counts by tile and unit: eight bytes each
_MOST_PLACES = 2**28  # of spots in the tiles that they touch, over all tiles: four bytes each
_MOST_SPOTS = 2**24  # of a list: 190 bytes each
_MOST_UNITS = 1024


class SpotJob(DeviceJob):
    """An image that is rendered from lists of spots when it is asked for its result, with the device current.

    Parameters
    ----------
    launcher, slot, resident, scene, mixed, on_compiling, surroundings
        As of `RenderJob`.
    planned : SpotPlan
        What is seen of reciprocal space, and the pairs that are listed at a time.
    """

    def __init__(
        self,
        launcher: Launcher,
        slot: Slot,
        resident: dict[str, Resident],
        scene: Scene,
        mixed: bool,
        on_compiling: Callable[[], None] | None,
        surroundings: Surroundings | None,
        planned: SpotPlan,
    ) -> None:
        super().__init__(launcher, slot, resident, scene, on_compiling, surroundings)
        from . import spot_kernel

        self._spot_kernels = spot_kernel
        self._planned = planned
        view = planned.geometry.view
        self._variant = SpotVariant(scene.shape, bool(view[7]), mixed, bool(scene.continuous))
        self._tiles_per_row = -(-self._columns // spot_kernel.TILE_COLUMNS)
        self._tiles = self._tiles_per_row * -(-self._rows // spot_kernel.TILE_ROWS)
        self._units = max(1, min(_MOST_UNITS, _MOST_COLUMNS // self._tiles))
        self._places = scene.layers * scene.oversample**2
        self._view = slot.upload("view", view)
        self._flat = self._table("as they are", lambda: (scene.flat, 0)).device
        self._arguments = self._upload(scene)
        self._sums = slot.device("sums", scene.region_shape, np.float64)
        self._dry = False

    def result(self, progress: Progress | None, room: NDArray[np.float32] | None = None) -> Rendered:
        """Render the image; see `RenderJob.result`."""
        pairs, block = self._planned.pairs, min(self._planned.block, _MOST_COLUMNS)
        waiting = collections.deque((first, min(pairs, first + block)) for first in range(0, pairs, block))
        listed = looked_at = 0
        started = self._mark()
        while waiting:
            first, last = waiting.popleft()
            found = self._listed(first, last)
            ordered = None if found is None else self._in_order(*found, may_fail=last - first > 1)
            if found is None or ordered is None:  # too many at a time
                middle = (first + last) // 2
                waiting.extendleft(((middle, last), (first, middle)))
                continue
            self._draw(found[0], ordered, first, last, not waiting, progress)
            listed += found[2]
            looked_at += ordered[2]
        self.kernel_seconds = started.elapsed_time(self._mark_and_wait()) / 1e3
        self._copy_back()
        self.slot.stream.synchronize()
        size = self._spot_kernels.TILE_COLUMNS * self._spot_kernels.TILE_ROWS
        precision = "mixed" if self._variant.single else "double"
        return self._rendered(looked_at * size * self._places, precision, room, listed)

    def _listed(self, first: int, last: int) -> tuple[Any, Any, int] | None:
        """List the spots of some pairs; return spots, boxes and their number, or None where they have to be split."""
        kernels, slot = self._spot_kernels, self.slot
        numbers, _, _, sources, _, weights = self._arguments
        orientations = slot.keep("orientations", self._scene.orientations)
        scene = (numbers, self._view, sources, orientations)
        starts = slot.device("starts of pairs", (last - first,), np.int64)
        self._launch(kernels.columns_kernel(), last - first, *scene, self._flat, first, starts)
        columns = self._scan(starts)
        if columns > _MOST_COLUMNS and last - first > 1:
            return None
        places = slot.device("places in the list", (max(1, columns),), np.int64)
        if columns:
            self._launch(kernels.count_kernel(), columns, *scene, self._flat, first, starts, places)
        count = self._scan(places) if columns else 0
        if count > _MOST_SPOTS and last - first > 1:
            return None
        spots = slot.device("spots", (max(1, count), LISTED), np.float64)
        boxes = slot.device("boxes", (4, max(1, count)), np.int32)
        if count:
            self._launch(
                kernels.list_kernel(), columns, *scene, weights, self._flat, first, starts, places, spots, boxes
            )
        return spots, boxes, count

    def _in_order(self, spots: Any, boxes: Any, count: int, *, may_fail: bool) -> tuple[Any, Any, int] | None:
        """Put spots in order by tiles; return the order, the places of tiles and units in it, and its length."""
        kernels, slot, units = self._spot_kernels, self.slot, self._units
        places = slot.device("places of tiles", (self._tiles * units,), np.int64)
        self._launch(kernels.units_kernel(), units, boxes, count, self._tiles_per_row, units, places)
        entries = self._scan(places)
        if entries > _MOST_PLACES and may_fail:
            return None
        order = slot.device("order", (max(1, entries),), np.int32)
        self._launch(kernels.order_kernel(), units, boxes, count, self._tiles_per_row, units, places, order)
        return order, places, entries

    def _draw(
        self, spots: Any, ordered: tuple[Any, Any, int], first: int, last: int, ends: bool, progress: Progress | None
    ) -> None:
        """Add the listed spots to the pixels, by launches of some tiles."""
        order, places, entries = ordered
        kernel, size = self._spot_kernels.draw_kernel(self._variant), self._launcher.kernels.THREADS_PER_BLOCK
        a_tile = size * self._places * (len(self._scene.sources) + entries / self._tiles)
        events: collections.deque[tuple[Any, int]] = collections.deque()
        tile, before = 0, self._mark()
        while tile < self._tiles or events:
            if tile < self._tiles and len(events) < LAUNCHES_AHEAD:
                wanted = int(self._launcher.steps_per_launch(self._variant) / a_tile)
                tiles = min(self._tiles - tile, max(1, wanted, self._launcher.gpu.fill // size))
                self._launch(
                    kernel, tiles * size, *self._arguments, spots, order, places, self._units, tile, first == 0, ends,
                    self._sums, self._image, self._omega,
                )  # fmt: skip
                tile += tiles
                events.append((self._mark(), tiles))
                continue
            event, tiles = events.popleft()
            event.synchronize()
            self._launcher.learn_rate(self._variant, int(tiles * a_tile), before.elapsed_time(event) / 1e3)
            before = event
            if progress is not None:
                done = tile - sum(waiting for _, waiting in events)
                progress((first + (last - first) * done / self._tiles) / self._planned.pairs)
        if not self._dry:  # the water is in the first block
            self._dry = True
            scene = self._scene.replace(water_start=0.0, water_end=0.0)
            self._arguments = (self.slot.upload("dry numbers", scene.numbers), *self._arguments[1:])

    def _scan(self, values: Any) -> int:
        """Replace whole numbers by the sums of those before them, and return the sum of all."""
        parts, starts, within = self._spot_kernels.scan_kernels()
        count = self._spot_kernels.SCAN_PARTS
        sums = self.slot.device("sums of parts", (count + 1,), np.int64)
        self._launch(parts, count, values, sums)
        self._launch(starts, 1, sums)
        self._launch(within, count, values, sums)
        found = self.slot.pinned("sums of parts", (count + 1,), np.int64)
        sums.copy_to_host(found, stream=self.slot.stream)
        self.slot.stream.synchronize()
        return int(found[-1])

    def _launch(self, kernel: Any, threads: int, *arguments: Any) -> None:
        with self._announced():
            self._launcher.launch(kernel, threads, self.slot.stream, *arguments)

    def _mark_and_wait(self) -> Any:
        event = self._mark()
        event.synchronize()
        return event
