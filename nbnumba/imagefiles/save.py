"""Images as files, in the format of the name's ending."""

from __future__ import annotations

import itertools
import math
import numbers
import os
from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from ..crystal.model import Crystal
from ..errors import InputError
from ..experiment.geometry import Geometry
from ..experiment.ground_truth import GroundTruth
from ..io.opening import label
from ..parameters.choices import Semantics
from . import registry
from .headers import note_phi_bias
from .records import ImageRecord, SaveOptions
from .smv import style_of


def save(
    path: str | os.PathLike[str],
    pixels: NDArray[Any],
    geometry: Geometry,
    crystal: Crystal | None,
    truth: GroundTruth,
    options: SaveOptions,
) -> None:
    """Write an image in the format of the name's ending.

    Parameters
    ----------
    path : path
    pixels : (n_slow, n_fast) or (n_panels, n_slow, n_fast) array [photons/pixel]
    geometry : Geometry
    crystal : Crystal or None
    truth : GroundTruth
    options : SaveOptions
        From `checked_options`.

    Raises
    ------
    InputError
        For an unknown ending, or a detector that the format cannot hold.
    FileError
        The file cannot be written, or the disk is full.
    """
    name = os.fspath(path)
    if registry.by_ending(name) in (registry.SMV, registry.CBF, registry.NXMX):
        note_phi_bias(geometry.goniometer)
    write_images(registry.by_ending(name), name, [ImageRecord(pixels, geometry, crystal, truth)], 1, options)


def write_images(
    form: registry.ImageFormat, path: str, images: Iterable[ImageRecord], count: int, options: SaveOptions
) -> None:
    """Write images in a format, whatever the ending of the name.

    Parameters
    ----------
    form : ImageFormat
    path : str
    images : iterable of ImageRecord
        Of one detector.
    count : int
        How many there are.
    options : SaveOptions

    Raises
    ------
    InputError
        The format holds one image, or one panel, and there are more.
    FileError
        The file cannot be written, or the disk is full.
    """
    place = label(options.option, path)
    if count != 1 and not form.many_images:
        raise InputError(f"{place}: holds one image, and there are {count}; an .h5 file holds them all")
    waiting = iter(images)
    first = next(waiting)
    panels = len(first.geometry.detector.panels)
    if panels > 1 and not form.many_panels:
        raise InputError(f"{place}: holds one panel, the detector has {panels}; write an .h5 file")
    if not (form.many_panels or first.geometry.detector.panels[0].is_square):
        raise InputError(f"{place}: its header holds one edge of a pixel, and these are oblong; write an .h5 file")
    form.write(path, itertools.chain([first], waiting), count, options)


def checked_options(
    path: str | os.PathLike[str],
    semantics: Semantics,
    *,
    dtype: DTypeLike | None = None,
    noise: bool = False,
    adc: float = 0.0,
    scale: float = 1.0,
    rings: bool = False,
    annotate: bool = False,
) -> SaveOptions:
    """Return how an image is written; what its format has no use for is refused.

    Parameters
    ----------
    path : path
    semantics : Semantics
        Decides the style of SMV headers.
    dtype : {"float32", "int32", "uint16"}, optional
    noise : bool
        Whether noise was drawn.
    adc, scale : float
    rings, annotate : bool

    Raises
    ------
    InputError
    """
    name = os.fspath(path)
    named = None if dtype is None else _dtype_name(name, dtype)
    for key, value in (("adc", adc), ("scale", scale)):
        if not isinstance(value, numbers.Real) or not math.isfinite(value) or (key == "scale" and value <= 0.0):
            allowed = "a number" if key == "adc" else "a number greater than 0"
            raise InputError(f"{key}: {value!r} is not possible; allowed: {allowed}")
    form = registry.by_ending(name)
    if named is not None and named not in form.dtypes:
        raise InputError(f"{name}: dtype {named!r} is not possible; allowed: {', '.join(form.dtypes) or 'none'}")
    asked = {"noise": noise, "adc": adc != 0.0, "scale": scale != 1.0, "rings": rings, "annotate": annotate}
    for option, is_asked in asked.items():
        if is_asked and option not in form.options:
            word = "noise_seed" if option == "noise" else option
            others = registry.names(other for other in registry.WRITTEN if option in other.options)
            raise InputError(f"{name}: {word} has no effect on {form.endings[0]}; it goes with {others}")
    return SaveOptions(
        dtype=named or next(iter(form.dtypes), "float32"),
        adc=adc,
        scale=scale,
        rings=rings,
        annotate=annotate,
        smv_header=style_of(semantics),
    )


def _dtype_name(path: str, dtype: DTypeLike) -> str:
    try:
        return np.dtype(dtype).name
    except TypeError:
        raise InputError(f"{path}: dtype {dtype!r} is unknown; allowed: float32, int32, uint16") from None
