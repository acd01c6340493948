"""Background and readout of an image that is on a GPU."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..background import driver as background
from ..background.bodies import Surroundings
from ..readout.steps import PanelRead, SeparableSpread, Steps
from .buffers import Slot
from .launcher import Launcher
from .plan import plan

_NO_MASK = np.ones((1, 1), dtype=np.uint8)


def add_background(launcher: Launcher, slot: Slot, surroundings: Surroundings, image: Any) -> None:
    """Add the background to an image on the device, which holds the region alone."""
    from .chain_kernels import background_kernel

    scene = surroundings.scene
    rows, columns = scene.region_shape
    masked = scene.mask.size > 0
    photons = slot.device("background", scene.region_shape, np.float64)
    numbers = slot.upload("surroundings", scene.numbers)
    mask = slot.upload("mask of surroundings", scene.mask) if masked else slot.keep("no mask", _NO_MASK)
    terms = background.terms(scene, surroundings.bodies)
    for number, term in enumerate(terms):
        arrays = {
            "sources": term.sources, "knots": term.points.stol, "F": term.points.F, "slopes": term.points.slopes,
            "table": term.table if term.table.size else _NO_TABLE,
        }  # fmt: skip
        sources, knots, values, slopes, table = (
            slot.upload(f"{name} of term {number}", array) for name, array in arrays.items()
        )
        samples = scene.oversample**2 * scene.layers * len(term.sources)
        for launch in plan(rows, columns, samples, launcher.gpu.fill, lambda: launcher.steps_per_launch("background")):
            if launch.first > 0:  # a pixel is never cut
                continue
            launcher.launch(
                background_kernel(), launch.rows * columns, slot.stream, numbers, int(masked), mask, sources, term.kind,
                knots, values, slopes, table, term.cells, term.scale, launch.first_row, launch.rows,
                number == 0, number == len(terms) - 1, photons, image,
            )  # fmt: skip


_NO_TABLE = np.zeros((1, 2, 2))


def read_out(
    launcher: Launcher, slot: Slot, mean: Any, first_pixel: int, steps: Steps, spread: SeparableSpread | None
) -> PanelRead:
    """Read out a panel.

    Parameters
    ----------
    launcher : Launcher
    slot : Slot
    mean : device array (n_slow, n_fast) float32 [photons]
    first_pixel : int
        Number of the panel's first pixel.
    steps : Steps
    spread : SeparableSpread or None
    """
    from . import chain_kernels as kernels

    shape, size = mean.shape, mean.shape[0] * mean.shape[1]
    stream, first = slot.stream, np.uint64(first_pixel)
    photons = slot.device("photons counted", (size,), np.float64)
    totals = None
    expected = mean
    if spread is not None and steps.spread_first:
        launcher.launch(kernels.widen_kernel(), size, stream, mean, photons)
        spread_out, totals = _spread(launcher, slot, photons, shape[1], spread)
        expected = slot.device("expected", shape, np.float32)
        launcher.launch(kernels.narrow_kernel(), size, stream, spread_out, expected)
    launcher.launch(
        kernels.count_kernel(), size, stream, expected, first, steps.photon_noise, steps.factor, steps.flicker,
        steps.calibration, steps.calibration_seed, steps.dead, steps.seed, steps.image, photons,
    )  # fmt: skip
    counted = launcher.fold(slot, "photons", photons)
    seen = photons
    if spread is not None and not steps.spread_first:
        seen, totals = _spread(launcher, slot, photons, shape[1], spread)
    flags = [slot.device(name, (size,), np.float64) for name in ("overloads", "below")]
    pixels = slot.device(f"pixels {steps.dtype}", shape, steps.dtype)
    launcher.launch(
        kernels.read_kernel(), size, stream, seen, expected, steps.most, first, steps.gain, steps.offset,
        steps.readout, steps.dark, steps.top, steps.seed, steps.image, pixels, *flags,
    )  # fmt: skip
    overloads, below = (
        launcher.fold(slot, name, values) for name, values in zip(("overloads", "below"), flags, strict=True)
    )
    out = slot.pinned(f"pixels {steps.dtype}", shape, steps.dtype)
    pixels.copy_to_host(out, stream=stream)
    stream.synchronize()
    return PanelRead(
        out.copy(),
        float(np.sum(counted)),
        int(np.sum(overloads)),
        int(np.sum(below)),
        None if totals is None else (float(np.sum(totals[0])), float(np.sum(totals[1]))),
    )


def _spread(
    launcher: Launcher, slot: Slot, source: Any, columns: int, spread: SeparableSpread
) -> tuple[Any, tuple[NDArray[np.float64], NDArray[np.float64]]]:
    """Spread a flat image; return the result, and sums of the image before and after."""
    from . import chain_kernels as kernels

    size, stream = source.shape[0], slot.stream
    before = launcher.fold(slot, "before the spread", source)
    partial = slot.device("least partial", (launcher.kernels.PARTIAL_SUMS,), np.float64)
    launcher.launch(kernels.least_kernel(), partial.shape[0], stream, source, partial)
    least: NDArray[np.float64] = slot.pinned("least", partial.shape, np.float64)
    partial.copy_to_host(least, stream=stream)
    stream.synchronize()
    # What rounding leaves of nothing is not negative.
    limit = -math.inf if float(np.min(least)) < 0.0 else 0.0
    along, out = (slot.device(name, (size,), np.float64) for name in ("spread along fast", "spread"))
    parts = len(spread.along_fast)
    for number in range(parts):
        fast = slot.upload(f"part {number} along fast", spread.along_fast[number])
        slow = slot.upload(f"part {number} along slow", spread.along_slow[number])
        launcher.launch(kernels.along_fast_kernel(), size, stream, source, columns, fast, along)
        launcher.launch(
            kernels.along_slow_kernel(), size, stream, along, columns, slow, number == 0,
            limit if number == parts - 1 else -math.inf, out,
        )  # fmt: skip
    return out, (before, launcher.fold(slot, "after the spread", out))
