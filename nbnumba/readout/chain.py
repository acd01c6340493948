"""A detector's readout: from expected photons to the numbers in a file, step by step in physical order."""

from __future__ import annotations

import math
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import DeviceError, InputError, called
from ..kernels.readout.steps import PanelRead, Steps
from ..util.messages import logger
from . import psf
from .model import Readout

_ROWS = 64  # of a task


@dataclass(frozen=True, eq=False)
class DetectorImage:
    """What a detector wrote, and the truth about it.

    Attributes
    ----------
    pixels : array of a whole-number type, of the shape of the expected image
    bad : bool array or None
        Pixels that are dead or hot.
    photons : float
        Photons counted, before the point spread.
    overloads, below : int
        Pixels above the saturation value, and below 0.
    brightness : float
        Factor of this image's flicker.
    beyond : float
        Fraction of a photon's light that lies beyond the kernel of the point spread.
    left : float
        Photons that the point spread moved out of the image.
    """

    pixels: NDArray[Any]
    bad: NDArray[np.bool_] | None
    photons: float
    overloads: int
    below: int
    brightness: float
    beyond: float
    left: float
    readout: Readout = field(default_factory=Readout)

    @property
    def spread_line(self) -> str:
        """What a report says of the point spread."""
        spread = self.readout.spread
        if spread is not None and spread.kind == "charge":
            return f"charge sharing: a photon is counted {1.0 - self.beyond:.4g} times on average"
        return (
            f"point spread: {self.beyond * 100:.3g} % of the light lies beyond its kernel, "
            f"{self.left:.0f} photons left the image"
        )

    def truth(self) -> dict[str, Any]:
        """Return every parameter and what was drawn, for the ground truth of a file."""
        known = {key: value for key, value in asdict(self.readout).items() if value is not None}
        drawn = {
            name: getattr(self, name) for name in ("photons", "overloads", "below", "brightness", "beyond", "left")
        }
        return known | drawn | {"saturation": self.readout.top}


def read_out(
    mean: NDArray[np.float32],
    readout: Readout,
    seed: int,
    image_number: int = 0,
    threads: int = 1,
    device: int | None = None,
) -> DetectorImage:
    """Read out an image.

    Parameters
    ----------
    mean : (n_slow, n_fast) or (panels, n_slow, n_fast) float32 [photons]
        Expected photons.
    readout : Readout
    seed, image_number : int
        Whole numbers of up to 64 bits. Images of one series differ in the number.
    threads : int
    device : int, optional
        GPU that does it, where an image that it has rendered still is. The processor by default, and where it fails.

    Notes
    -----
    Flicker, point spread (where each photon is seen once), sensitivities and dead time, photon noise, point spread (of
    a phosphor), gain, offset, dark current and readout noise, rounding, and pixels that do not work. Random numbers
    depend on seed, image number, purpose and pixel alone; panels are counted on.
    """
    panels = np.ascontiguousarray(mean, dtype=np.float32)
    panels = panels.reshape((-1, *panels.shape[-2:]))
    steps = _steps(readout, seed, image_number)
    pixels = np.empty(panels.shape, dtype=readout.dtype)
    photons = left = beyond = 0.0
    overloads = below = 0
    for index, panel in enumerate(panels):
        found, kept = _read_panel(panel, index * panel.size, steps, readout.spread, threads, device)
        pixels[index] = found.pixels
        photons, overloads, below = photons + found.photons, overloads + found.overloads, below + found.below
        if found.spread is not None:
            before, after = found.spread
            beyond, left = 1.0 - kept, left + max(0.0, before * kept - after)
    bad = _spoil(pixels, readout)
    shape = np.shape(mean)
    bad = None if bad is None else bad.reshape(shape)
    whole = pixels.reshape(shape)
    return DetectorImage(whole, bad, photons, overloads, below, steps.factor, beyond, left, readout)


def _steps(readout: Readout, seed: int, image_number: int) -> Steps:
    """Return the numbers that an image is read out with."""
    from ..kernels.readout import chain

    key, number = np.uint64(seed & (2**64 - 1)), np.uint64(image_number & (2**64 - 1))
    factor = float(chain.flicker_factor(readout.flicker, key, number)) if readout.flicker > 0.0 else 1.0
    limited = readout.rate_limit is not None and factor > 0.0
    return Steps(
        seed=key,
        image=number,
        photon_noise=readout.photon_noise,
        factor=factor,
        flicker=readout.flicker_pixels,
        calibration=readout.calibration,
        calibration_seed=np.uint64(readout.calibration_seed & (2**64 - 1)),
        dead=readout.dead_time / readout.exposure,
        gain=readout.gain,
        offset=readout.offset,
        readout=readout.readout,
        dark=readout.dark,
        top=float(readout.top),
        most=float(np.float32((readout.rate_limit or 0.0) * readout.exposure / factor)) if limited else math.inf,
        dtype=readout.dtype,
        spread_first=readout.spread_first or (readout.spread is not None and readout.spread.kind == "charge"),
    )


def _read_panel(
    mean: NDArray[np.float32],
    first_pixel: int,
    steps: Steps,
    spread: psf.PointSpread | None,
    threads: int,
    device: int | None,
) -> tuple[PanelRead, float]:
    """Read out a panel; return the part of the light that the kernel of the spread holds, too."""
    from .. import kernels

    if device is not None:
        parts, kept = (None, 1.0) if spread is None else psf.separable(spread, max(mean.shape))
        try:
            return kernels.read_out(mean, first_pixel, steps, parts, device), kept
        except DeviceError as error:
            logger.warning(f"read out by the processor, as the GPU cannot be used: {error}")
    return _read_on_processor(mean, first_pixel, steps, spread, threads)


def _read_on_processor(
    mean: NDArray[np.float32], first_pixel: int, steps: Steps, spread: psf.PointSpread | None, threads: int
) -> tuple[PanelRead, float]:
    """Read out a panel on all threads of the processor; see `_read_panel`."""
    from ..kernels.readout import chain

    first, rows = np.uint64(first_pixel), mean.shape[0]
    expected, kept = mean, 1.0
    sums: tuple[float, float] | None = None
    if spread is not None and steps.spread_first:
        blurred = psf.apply(mean, spread, threads)
        expected, kept, sums = blurred.image.astype(np.float32), 1.0 - blurred.beyond, blurred.sums
    counted: NDArray[Any] = np.empty(mean.shape, dtype=np.float64)
    calibration = (steps.calibration, steps.calibration_seed)

    def count(start: int) -> float:
        block = (start, min(start + _ROWS, rows) - 1)
        numbers = (steps.photon_noise, steps.factor, steps.flicker, *calibration, steps.dead, steps.seed, steps.image)
        return float(chain.count_rows(expected, counted, first, *block, *numbers))

    photons = sum(_in_threads(count, rows, threads))
    seen = counted
    if spread is not None and not steps.spread_first:
        blurred = psf.apply(counted, spread, threads)
        seen, kept, sums = blurred.image, 1.0 - blurred.beyond, blurred.sums
    pixels = np.empty(mean.shape, dtype=steps.dtype)

    def convert(start: int) -> tuple[int, int]:
        block = (start, min(start + _ROWS, rows) - 1)
        scale = (steps.gain, steps.offset, steps.readout, steps.dark, steps.top)
        above, under = chain.read_rows(seen, pixels, first, *block, *scale, steps.seed, steps.image)
        return int(above), int(under)

    overloads = below = 0
    for above, under in _in_threads(convert, rows, threads):
        overloads, below = overloads + above, below + under
    if steps.most < math.inf:
        too_many = (expected > np.float32(steps.most)) & (pixels != steps.top)
        pixels[too_many] = steps.top
        overloads += int(np.count_nonzero(too_many))
    return PanelRead(pixels, photons, overloads, below, sums), kept


def check_bad_pixels(size: int, dead: int, hot: int) -> int:
    """Return how many pixels do not work.

    Raises
    ------
    InputError
        When there are more of them than pixels.
    """
    if dead + hot > size:
        names = f"{called('dead_pixels')} and {called('hot_pixels')}"
        raise InputError(f"{names}: {dead + hot} together; the detector has {size} pixels")
    return dead + hot


def bad_pixels(size: int, readout: Readout) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the places of dead and of hot pixels among `size`, the same for every image.

    Raises
    ------
    InputError
        As `check_bad_pixels`.
    """
    wanted = check_bad_pixels(size, readout.dead_pixels, readout.hot_pixels)
    random = np.random.Generator(np.random.Philox(key=readout.bad_seed & (2**64 - 1)))
    places = random.choice(size, wanted, replace=False, shuffle=True)
    return places[: readout.dead_pixels], places[readout.dead_pixels :]


def _spoil(pixels: NDArray[Any], readout: Readout) -> NDArray[np.bool_] | None:
    """Overwrite the pixels that do not work and return where they are; None where all work."""
    if not (readout.dead_pixels or readout.hot_pixels):
        return None
    dead, hot = bad_pixels(pixels.size, readout)
    flat = pixels.reshape(-1)
    flat[dead], flat[hot] = 0, readout.top
    bad = np.zeros(flat.size, dtype=np.bool_)
    bad[dead] = bad[hot] = True
    return bad


def _in_threads(task: Callable[[int], Any], rows: int, threads: int) -> list[Any]:
    """Return what a task gives for each block of rows; the first block alone, so that compiling happens once."""
    starts = range(0, rows, _ROWS)
    if not starts:
        return []
    results = [task(starts[0])]
    with ThreadPoolExecutor(max_workers=max(1, threads)) as pool:
        results.extend(pool.map(task, starts[1:]))
    return results
