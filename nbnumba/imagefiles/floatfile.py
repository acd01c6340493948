"""Raw float images, which hold nothing but pixels."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from ..experiment.geometry_only import build_geometry
from ..io import floatfile
from ..io.opening import label
from ..parameters.command import CommandLine
from ..util.messages import logger
from . import registry
from .records import ImageRecord, SaveOptions, image_of_options


def write(path: str, images: Iterator[ImageRecord], count: int, options: SaveOptions) -> None:
    """Write the pixels of an image, its panels one below the other."""
    floatfile.write(path, next(images).pixels)


def read(path: str, typed: CommandLine, geometry: bool = True) -> Iterator[ImageRecord]:
    """Read an image that the options of a command line describe; of several panels each is as large as the largest."""
    known, crystal = build_geometry(typed.settings)
    panels = known.detector.panels
    n_slow, n_fast = max(panel.n_slow for panel in panels), max(panel.n_fast for panel in panels)
    pixels = read_pixels(path, (len(panels) * n_slow, n_fast))
    if len(panels) > 1:
        pixels = pixels.reshape(len(panels), n_slow, n_fast)
    yield image_of_options(path, pixels, known, crystal)


def read_pixels(path: str, shape: tuple[int, int], option: str = "") -> NDArray[np.float32]:
    """Read the pixels of a raw float image; a file of another format is called by its name.

    Parameters
    ----------
    path : str
    shape : (n_slow, n_fast)
    option : str
        What messages begin with.

    Raises
    ------
    FileError
        The file is missing or cannot be read.
    InputError
        It is of another format, or not of the size that the shape wants.
    """
    start = registry.beginning(path, option)
    form = registry.recognized(start)
    if form is not None:
        raise InputError(f"{label(option, path)}: is {form.name}; a raw float image is needed")
    try:
        pixels = floatfile.read(path, shape, option)
    except InputError:
        if registry.looks_like_text(start):
            raise InputError(f"{label(option, path)}: is a text file; a raw float image is needed") from None
        raise
    not_finite = floatfile.not_finite(pixels)
    if not_finite is not None:
        logger.warning(f"{label(option, path)}: {not_finite}")
    return pixels
