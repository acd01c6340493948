"""Draws compact spots from lists of them: those of several panels, or block by block those of one."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..scene import Array, Scene
from ..types import Progress
from . import spot_search as search
from . import spot_tiles
from .spot_panels import Panels
from .spots import SPOT, TILE_ROWS
from .strip import SCRATCH
from .tasks import Tasks, announced

_UNITS = 32  # parts of a block that are listed apart


class SpotImage:
    """Images of panels that are being drawn block by block; what a block adds is kept in float64 until the next.

    Parameters
    ----------
    scenes : sequence of Scene
    panels : Panels
        Of the scenes.
    pairs, block : int
        Of source and orientation, in all and at a time; the same where there are several panels.
    threads, progress
    images : sequence of (n_slow, n_fast) float32, optional
        Where to draw them; all 0.

    Attributes
    ----------
    images : list of (n_slow, n_fast) float32
    listed : (panels,) int
        Spots.
    """

    def __init__(
        self,
        scenes: Sequence[Scene],
        panels: Panels,
        pairs: int,
        block: int,
        threads: int,
        progress: Progress | None,
        images: Sequence[NDArray[np.float32]] = (),
    ) -> None:
        self._scenes, self._panels, self._pairs, self._block = scenes, panels, pairs, block
        self._threads, self._progress = threads, progress
        self.images = list(images) or [np.zeros((scene.n_slow, scene.n_fast), dtype=np.float32) for scene in scenes]
        self.listed = np.zeros(len(scenes), dtype=np.int64)
        self._firsts = panels.first_tiles
        self._tallies = np.zeros((self._firsts[-1], 2))
        self._sums = np.zeros(scenes[0].region_shape if block < pairs else (0, 0))

    def draw(self) -> None:
        """Draw all blocks."""
        for first in range(0, self._pairs, self._block):
            last = min(self._pairs, first + self._block)
            self._draw_block(*self._list(first, last), first, last)

    def totals(self) -> Array:
        """Sum of solid angles and number of pixels looked at, of each panel, (panels, 2)."""
        return np.array([self._tallies[first:last].sum(axis=0) for first, last in pairwise(self._firsts)])

    def _list(self, first: int, last: int) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
        """List the spots of a block of pairs; return them, their order by tiles, and where each tile starts."""
        units, panels, scene = min(_UNITS, last - first), self._panels, self._scenes[0]
        bounds = [first + (last - first) * unit // units for unit in range(units + 1)]
        tiles = np.zeros((units, self._firsts[-1]), dtype=np.int32)
        none = np.empty((0, SPOT)), np.empty((0, search.BOX), dtype=np.int32), np.zeros(0)
        found: list[tuple[NDArray[Any], NDArray[Any], NDArray[Any]]] = [none] * units

        def list_units(begin: int, end: int) -> None:
            for unit in range(begin, end):
                found[unit] = search.list_spots(
                    panels, scene.sources, scene.orientations, scene.flat, bounds[unit], bounds[unit + 1], tiles[unit]
                )

        self._run(units, lambda: list_units, first, last, 0.0, 0.2)
        totals = tiles.sum(axis=0, dtype=np.int64)
        starts = np.concatenate([[0], np.cumsum(totals)])
        places = starts[:-1] + np.cumsum(tiles, axis=0, dtype=np.int64) - tiles
        order = np.empty(int(starts[-1]), dtype=np.int32)
        offsets = np.concatenate([[0], np.cumsum([len(spots) for spots, _, _ in found])])

        def put_in_order(begin: int, end: int) -> None:
            for unit in range(begin, end):
                search.put_in_order(found[unit][1], int(offsets[unit]), panels.tiling, places[unit], order)

        self._run(units, lambda: put_in_order, first, last, 0.2, 0.25)
        self.listed += sum(work[:, 0] for _, _, work in found).astype(np.int64)
        return np.concatenate([spots for spots, _, _ in found]), order, starts

    def _draw_block(
        self, spots: NDArray[Any], order: NDArray[Any], starts: NDArray[Any], first: int, last: int
    ) -> None:
        """Add the listed spots to the pixels."""
        begins, ends = first == 0, last == self._pairs

        def new_worker() -> Callable[[int, int], object]:
            scratch = np.zeros((TILE_ROWS, SCRATCH))
            return lambda begin, end: self._draw_tiles(spots, order, starts, scratch, begin, end, begins, ends)

        self._run(self._firsts[-1], new_worker, first, last, 0.25, 1.0)

    def _draw_tiles(
        self,
        spots: NDArray[Any],
        order: NDArray[Any],
        starts: NDArray[Any],
        scratch: Array,
        begin: int,
        end: int,
        begins: bool,
        ends: bool,
    ) -> None:
        """Draw the tiles begin to end - 1, of one panel or of several."""
        panel = bisect_right(self._firsts, begin) - 1
        while begin < end:
            first, last = self._firsts[panel : panel + 2]
            until = min(end, last)
            self._draw_tiles_of(
                panel, spots, order, starts[first : last + 1], scratch, begin - first, until - first, begins, ends
            )
            begin = until
            panel += 1

    def _draw_tiles_of(
        self,
        panel: int,
        spots: NDArray[Any],
        order: NDArray[Any],
        starts: NDArray[Any],
        scratch: Array,
        begin: int,
        end: int,
        begins: bool,
        ends: bool,
    ) -> None:
        """Draw the tiles begin to end - 1 of a panel, which `starts` is of."""
        spot_tiles.draw_tiles(
            self._scenes[panel], self._panels.views[panel], spots, order, starts, scratch, self._sums,
            self.images[panel], self._tallies[self._firsts[panel] : self._firsts[panel + 1]], begin, end,
            int(self._panels.tiling[panel, search.WIDTH]), begins, ends,
        )  # fmt: skip

    def _run(
        self, count: int, new_worker: Callable[[], Any], first: int, last: int, since: float, until: float
    ) -> None:
        """Run tasks that are a part of the work on a block, from one fraction of it to another."""

        def report(fraction: float) -> None:
            if self._progress is not None:
                self._progress((first + (since + fraction * (until - since)) * (last - first)) / self._pairs)

        Tasks(count, new_worker).run(self._threads, report)

    def load(self, on_compiling: Callable[[], None] | None) -> None:
        """Load or compile what draws, in the thread that asked, which receives Ctrl-C."""
        none, nowhere = np.zeros((0, SPOT)), np.zeros(self._firsts[-1] + 1, dtype=np.int64)
        order, scratch = np.zeros(0, dtype=np.int32), np.zeros((TILE_ROWS, SCRATCH))
        with announced(on_compiling):
            search.put_in_order(np.zeros((0, search.BOX), dtype=np.int32), 0, self._panels.tiling, nowhere, order)
            self._draw_tiles_of(0, none, order, nowhere, scratch, 0, 0, True, True)
