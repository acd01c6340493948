"""A detector's readout: from expected photons to the numbers in a file, step by step in physical order."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
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

    def truth(self) -> dict[str, Any]:
        """Return every parameter and what was drawn, for the ground truth of a file."""
        known = {key: value for key, value in asdict(self.readout).items() if value is not None}
        drawn = {
            name: getattr(self, name) for name in ("photons", "overloads", "below", "brightness", "beyond", "left")
        }
        return known | drawn | {"saturation": self.readout.top}


def read_out(
    mean: NDArray[np.float32], readout: Readout, seed: int, image_number: int = 0, threads: int = 1
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

    Notes
    -----
    Flicker, point spread (where each photon is seen once), sensitivities and dead time, photon noise, point spread (of
    a phosphor), gain, offset, dark current and readout noise, rounding, and pixels that do not work. Random numbers
    depend on seed, image number, purpose and pixel alone; panels are counted on.
    """
    from ..kernels.readout import chain

    panels = np.ascontiguousarray(mean, dtype=np.float32)
    panels = panels.reshape((-1, *panels.shape[-2:]))
    key, number = np.uint64(seed & (2**64 - 1)), np.uint64(image_number & (2**64 - 1))
    factor = chain.flicker_factor(readout.flicker, key, number) if readout.flicker > 0.0 else 1.0
    dead = readout.dead_time / readout.exposure
    pixels = np.empty(panels.shape, dtype=readout.dtype)
    photons = left = beyond = 0.0
    overloads = below = 0
    for index, panel in enumerate(panels):
        first = np.uint64(index * panel.size)
        expected = panel
        if readout.spread is not None and readout.spread_first:
            spread = psf.apply(panel, readout.spread, threads)
            expected, beyond, left = spread.image.astype(np.float32), spread.beyond, left + spread.left
        counted: NDArray[Any] = np.empty(panel.shape, dtype=np.float64)
        fixed = (readout.photon_noise, factor, readout.calibration, np.uint64(readout.calibration_seed & (2**64 - 1)))

        def count(
            start: int, expected: Any = expected, counted: Any = counted, first: Any = first, fixed: Any = fixed
        ) -> float:
            end = min(start + _ROWS, expected.shape[0]) - 1
            return float(chain.count_rows(expected, counted, first, start, end, *fixed, dead, key, number))

        photons += sum(_in_threads(count, panel.shape[0], threads))
        if readout.spread is not None and not readout.spread_first:
            spread = psf.apply(counted, readout.spread, threads)
            counted, beyond, left = spread.image, spread.beyond, left + spread.left

        def convert(start: int, counted: Any = counted, index: int = index, first: Any = first) -> tuple[int, int]:
            end = min(start + _ROWS, counted.shape[0]) - 1
            scale = (readout.gain, readout.offset, readout.readout, readout.dark, float(readout.top))
            above, under = chain.read_rows(counted, pixels[index], first, start, end, *scale, key, number)
            return int(above), int(under)

        for above, under in _in_threads(convert, panel.shape[0], threads):
            overloads, below = overloads + above, below + under
        if readout.rate_limit is not None:
            most = np.float32(readout.rate_limit * readout.exposure / factor) if factor > 0.0 else np.inf
            too_many = (expected > most) & (pixels[index] != readout.top)
            pixels[index][too_many] = readout.top
            overloads += int(np.count_nonzero(too_many))
    bad = _spoil(pixels, readout)
    shape = np.shape(mean)
    bad = None if bad is None else bad.reshape(shape)
    whole = pixels.reshape(shape)
    return DetectorImage(whole, bad, photons, overloads, below, float(factor), beyond, left, readout)


def bad_pixels(size: int, readout: Readout) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the places of dead and of hot pixels among `size`, the same for every image.

    Raises
    ------
    InputError
        When there are more of them than pixels.
    """
    wanted = readout.dead_pixels + readout.hot_pixels
    if wanted > size:
        raise InputError(f"dead_pixels and hot_pixels are {wanted} together; the detector has {size} pixels")
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
