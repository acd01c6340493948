"""The detector of `nbnumba noisify`: its size and header; in `exact` by name, and the pixels that are not read."""

from __future__ import annotations

import math
import os
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from ..experiment.readout import hide
from ..io import smv
from ..io.opening import label, opened
from ..parameters.command import CommandLine
from ..parameters.presets import PRESETS
from ..parameters.settings import ReadoutSettings
from ..readout.psf import WIDEST

_SAME_PIXEL = 1e-4  # relative, of pixels in headers, which have few digits
_GAIN, _OFFSET = (1e-9, 1e9), (-1e9, 1e9)
_TOP = {16: 65535, 32: 2147483647}


def take_preset(command: CommandLine, values: dict[str, Any]) -> None:
    """Let the detector that -detector names, if any, set what was not typed.

    What the settings hold they already have from it.
    """
    name = command.settings.readout.detector_preset
    if name is None:
        return
    known = PRESETS[name]
    values["pixels_fast"], values["pixels_slow"] = known.size
    values["pixel_mm"] = known.pixel * 1e3
    values.setdefault("gain", known.gain)
    values.setdefault("bits", 16 if known.saturation <= _TOP[16] else 32)


def take_header(values: dict[str, Any], detector: str | None) -> bytes | None:
    """Return the header that is copied, and take the sizes that it states."""
    if "header" not in values:
        return None
    path = values["header"]
    header = smv.read_header(path, "-header")
    _check_header(detector, header, path)
    with opened(path, "-header") as file:
        block = file.read(header.header_bytes)
    values["pixels_fast"], values["pixels_slow"] = header.n_fast, header.n_slow
    stated = {"pixel_mm": "PIXEL_SIZE", "distance_mm": "DISTANCE", "Xbeam_mm": "BEAM_CENTER_X"}
    for key, keyword in stated.items():
        if not math.isnan(value := header.value_of(keyword)):
            values[key] = value
    if not math.isnan(value := header.value_of("BEAM_CENTER_Y")):
        values["Ybeam_mm"] = values.get("pixel_mm", 0.1) * header.n_slow - value
    return block


def size_of(values: dict[str, Any], path: str) -> tuple[int, int]:
    """Return the pixels along fast and slow: as typed, else the most square pair that the file can have."""
    both = values.get("detpixels")
    n_fast: int | None = values.get("pixels_fast", both)
    n_slow: int | None = values.get("pixels_slow", both)
    if n_fast is not None and n_slow is not None:
        return n_fast, n_slow
    with opened(path, "-floatfile") as file:
        count = os.fstat(file.fileno()).st_size // 4
    if count == 0:
        raise InputError(f"{label('-floatfile', path)}: holds no pixel")
    if n_fast is not None:
        return n_fast, max(1, count // n_fast)
    if n_slow is not None:
        return max(1, count // n_slow), n_slow
    print("WARNING: guessing xy pixel dimensions.")
    fast = math.isqrt(count)
    while count % fast:
        fast -= 1
    if max(fast, count // fast) > 65536:
        raise InputError(f"{label('-floatfile', path)}: -detpixels_x and -detpixels_y must say the size")
    return fast, count // fast


def _check_header(name: str | None, header: smv.SmvHeader, path: str) -> None:
    """Refuse a header of another detector than -detector names.

    Raises
    ------
    InputError
        It states other pixels.
    """
    if name is None:
        return
    known = PRESETS[name]
    if (header.n_fast, header.n_slow) != known.size:
        fast, slow = known.size
        raise InputError(
            f"-header {path}: states {header.n_fast} x {header.n_slow} pixels; -detector {name} has {fast} x {slow}"
        )
    pixel = header.value_of("PIXEL_SIZE")
    if not math.isnan(pixel) and abs(pixel - known.pixel * 1e3) > _SAME_PIXEL * known.pixel * 1e3:
        raise InputError(f"-header {path}: PIXEL_SIZE is {pixel:g}; that of -detector {name} is {known.pixel * 1e3:g}")


def check_numbers(command: CommandLine, gain: float, bits: int) -> None:
    """Refuse numbers that a detector cannot have, or that do not fit into the bits."""
    for option, value, (low, high) in (("-gain", gain, _GAIN), ("-adc", command.output.adc, _OFFSET)):
        if not low <= value <= high:
            raise InputError(f"{option}: {value:g}; with -semantics exact allowed are {low:g} to {high:g}")
    saturation = command.settings.readout.saturation
    if command.gives("saturation") and saturation is not None and saturation > _TOP[bits]:
        raise InputError(f"-saturation: {saturation}; with -bits {bits} allowed are 1 to {_TOP[bits]}")


def check_spread(given: ReadoutSettings, fwhm: float, radius: int) -> None:
    """Refuse a point spread that contradicts itself, or whose width or radius [pixels] is none."""
    if given.psf is None:
        return
    if given.psf.startswith("charge") and given.psf_stage == "counts":
        raise InputError(f"-psf_stage: counts contradicts -psf {given.psf}, which comes before the counts")
    if given.psf != "file" and not 0.0 < fwhm <= WIDEST:
        raise InputError(f"-psf_fwhm: {fwhm:g} pixels; allowed are above 0 to {WIDEST:g}")
    if radius < 0:
        raise InputError(f"-psf_rad: {radius}; with -semantics exact allowed are 0 (automatic) and more")


def readable(
    command: CommandLine, shape: tuple[int, int], pixel: float, beam: tuple[float, float]
) -> NDArray[np.bool_] | None:
    """Return the pixels that are neither in a gap nor behind the beamstop; None where all are read.

    Parameters
    ----------
    command : CommandLine
    shape : (n_slow, n_fast)
    pixel : float [m]
    beam : (fast, slow) [m]
        Where the beam meets the detector, from its corner.

    Raises
    ------
    InputError
        The beamstop covers the whole detector.
    """
    given = command.settings.readout
    if given.detector_preset is None and given.beamstop == 0.0:
        return None
    mask = np.ones(shape, dtype=np.bool_)
    hide(mask, given, (pixel, pixel), beam)
    return mask
