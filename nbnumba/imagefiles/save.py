"""Images as files of other programs, with what is known of their making."""

from __future__ import annotations

import math
import numbers
import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import DTypeLike

from ..detector.resolution import spacing
from ..errors import InputError
from ..experiment.model import ExperimentRecord
from ..parameters.types import C_INT
from ..readout.digitize import to_dtype
from ..readout.poisson import NOISE_RNGS
from ..util.checks import one_of, whole
from ..util.messages import Notify, heard_by, logger

if TYPE_CHECKING:
    from ..experiment.ground_truth import GroundTruth
    from ..render.image import Image

HDF5_ENDINGS = (".h5", ".hdf5", ".nxs")


def save(
    image: Image,
    path: str | os.PathLike[str],
    *,
    dtype: DTypeLike | None = None,
    noise_seed: int | None = None,
    noise_rng: str = "counter",
    adc: float = 0.0,
    scale: float = 1.0,
    rings: bool = False,
    notify: Notify | None = None,
) -> None:
    """Write an image in the format that the name's ending tells.

    Parameters
    ----------
    image : Image
    path : path
        ``.bin``: photons, raw float32. ``.h5``, ``.hdf5``, ``.nxs``: NXmx with geometry and ground truth, and beside it
        a CrystFEL ``.geom`` and an ``XDS.INP``. ``.cbf``: mini-CBF. ``.img``: SMV. ``.png``: a picture.
    dtype : {"float32", "int32", "uint16"}, optional
        Of the pixels of an NXmx file, float32 by default. The others have one each: CBF int32, SMV uint16.
    noise_seed : int, optional
        Draws photon noise first; not for ``.bin`` and ``.png``.
    noise_rng : {"counter", "c"}
        Random numbers counted by pixel, or those of the C program.
    adc, scale : float
        Of SMV alone: the pixel is photons * scale + adc. Noise is not scaled.
    rings : bool
        Of PNG alone: resolution rings.
    notify : callable, optional
        Receives lines about what the format cannot tell, and about clipped pixels.

    Raises
    ------
    InputError
        For an unknown ending, an option that the format has no use for, or a detector that it cannot hold.
    FileError
        The file cannot be written, or the disk is full.
    """
    name = os.fspath(path)
    dtype = None if dtype is None else _dtype(name, dtype)
    noise_seed = None if noise_seed is None else whole("noise_seed", noise_seed, -C_INT, C_INT)
    one_of("noise_rng", noise_rng, NOISE_RNGS)
    _check_scale(adc, scale)
    ending = Path(name).suffix.lower()
    writers: dict[str, Callable[[], None]] = {
        ".bin": lambda: _save_float(image, name),
        ".png": lambda: write_picture(image, name, rings),
        ".img": lambda: _save_smv(image, name, noise_seed, noise_rng, adc, scale),
        ".cbf": lambda: write_cbf(image, name, noise_seed, noise_rng),
        **dict.fromkeys(HDF5_ENDINGS, lambda: write_h5(image, name, dtype or "float32", noise_seed, noise_rng)),
    }
    if ending not in writers:
        raise InputError(f"{name}: the ending {ending!r} names no format; allowed: {', '.join(writers)}")
    _refuse_idle_options(name, ending, dtype, noise_seed, (adc, scale), rings)
    with heard_by(notify):
        writers[ending]()


def _dtype(name: str, dtype: DTypeLike) -> str:
    try:
        return np.dtype(dtype).name
    except TypeError:
        raise InputError(f"{name}: dtype {dtype!r} is unknown; allowed: float32, int32, uint16") from None


def _check_scale(adc: float, scale: float) -> None:
    for number, value in (("adc", adc), ("scale", scale)):
        if not isinstance(value, numbers.Real) or not math.isfinite(value) or (number == "scale" and value <= 0.0):
            allowed = "a number" if number == "adc" else "a number greater than 0"
            raise InputError(f"{number}: {value!r} is not possible; allowed: {allowed}")


def _refuse_idle_options(
    name: str, ending: str, dtype: str | None, noise_seed: int | None, smv: tuple[float, float], rings: bool
) -> None:
    """Refuse what a format has no use for, rather than write something else than was asked for."""
    dtypes = {".bin": ("float32",), ".png": (), ".img": ("uint16",), ".cbf": ("int32",)}
    allowed = dtypes.get(ending, ("float32", "int32", "uint16"))
    if dtype is not None and dtype not in allowed:
        raise InputError(f"{name}: dtype {dtype!r} is not possible; allowed: {', '.join(allowed) or 'none'}")
    if noise_seed is not None and ending in (".bin", ".png"):
        raise InputError(f"{name}: noise_seed has no effect on {ending}; it goes with .img, .cbf and .h5")
    if smv != (0.0, 1.0) and ending != ".img":
        raise InputError(f"{name}: adc and scale have no effect on {ending}; they go with .img")
    if rings and ending != ".png":
        raise InputError(f"{name}: rings have no effect on {ending}; they go with .png")


def write_h5(
    image: Image,
    path: str,
    dtype: str = "float32",
    noise_seed: int | None = None,
    noise_rng: str = "counter",
) -> None:
    """Write one image as NXmx, and the geometry for CrystFEL and XDS beside it; see `save`."""
    from .crystfel_xds import write_geometry_files
    from .nexus import NexusWriter

    photons = image.array if noise_seed is None else image.with_noise(noise_seed, noise_rng)
    pixels, clipped = to_dtype(photons, dtype)
    _note_clipped(path, clipped)
    with NexusWriter(path, image.experiment, 1, dtype) as file:
        file.write(0, pixels, image.experiment, _truth(image, noise_seed, noise_rng))
    write_geometry_files(path, image.experiment, image.experiment.crystal, dtype=dtype)


def write_cbf(
    image: Image,
    path: str,
    noise_seed: int | None = None,
    noise_rng: str = "counter",
) -> None:
    """Write an image as mini-CBF; see `save`."""
    from . import cbf as cbf_output

    refuse_panels(path, image.experiment, "a mini-CBF")
    counts = image.array if noise_seed is None else image.with_noise(noise_seed, noise_rng)
    pixels, clipped = to_dtype(counts, "int32")
    _note_clipped(path, clipped)
    cbf_output.write_cbf(path, pixels, image.experiment, image.experiment.crystal, _truth(image, noise_seed, noise_rng))


def write_picture(image: Image, path: str, rings: bool = False) -> None:
    """Write a PNG; panels stand below one another."""
    from ..io import png as preview

    detector = image.experiment.detector
    if rings and (len(detector.panels) > 1 or detector.curved):
        raise InputError(f"{path}: no rings are drawn on a curved detector, nor on several panels")
    flat = image.array.reshape(-1, image.array.shape[-1])
    preview.write_png(path, flat, spacing(detector.panels[0], image.experiment.beam) if rings else None)


def refuse_panels(path: str, experiment: ExperimentRecord, what: str) -> None:
    """Raise where a format of one panel is asked to hold several."""
    panels = len(experiment.detector.panels)
    if panels > 1:
        raise InputError(f"{path}: {what} holds one panel, and this detector has {panels}; .h5 holds them all")


def _save_float(image: Image, path: str) -> None:
    from ..io import floatfile

    floatfile.write(path, image.array)


def _save_smv(image: Image, path: str, noise_seed: int | None, noise_rng: str, adc: float, scale: float) -> None:
    from ..io import smv
    from ..parameters.command import Output
    from .headers import truth_lines
    from .smv import header_style, smv_fields

    experiment = image.experiment
    refuse_panels(path, experiment, "an SMV image")
    if noise_seed is None:
        pixels = smv.int_values(image.array, scale, adc)
    else:
        pixels = smv.int_values(image.with_noise(noise_seed, noise_rng).astype(np.float32), 1.0, adc)
    style = header_style(experiment.semantics, Output(), experiment.detector, experiment.beam.direction)
    fields = smv_fields(experiment.detector, experiment.beam.wavelength, experiment.goniometer, adc)
    truth = truth_lines(experiment, experiment.crystal, _truth(image, noise_seed, noise_rng))
    smv.write(path, pixels, smv.header(fields, style, truth))


def _truth(image: Image, noise_seed: int | None, noise_rng: str) -> GroundTruth:
    return image.ground_truth(noise_seed, None if noise_seed is None else noise_rng)


def _note_clipped(path: str, clipped: int) -> None:
    if clipped:
        logger.warning(f"{path}: {clipped} pixels beyond what its numbers hold were clipped")
