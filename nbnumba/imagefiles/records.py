"""Images as they go into files and come out of them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..crystal.model import Crystal
from ..errors import InputError
from ..experiment.geometry import Geometry
from ..experiment.ground_truth import GroundTruth, partial_truth
from ..readout.digitize import Pixels, to_dtype
from ..util.messages import logger
from ..util.text import counted


@dataclass(frozen=True, eq=False)
class ImageRecord:
    """An image with all that a file says of it.

    Attributes
    ----------
    pixels : (n_slow, n_fast) or (n_panels, n_slow, n_fast) array [photons/pixel]
        Of any type of number, without offset.
    geometry : Geometry
    crystal : Crystal or None
    truth : GroundTruth
    name : str
        Of the file that it comes from, for messages; empty for an image that was rendered.
    offset : float or None
        What the file added to the pixels; None where the format has none.
    """

    pixels: NDArray[Any]
    geometry: Geometry
    crystal: Crystal | None
    truth: GroundTruth
    name: str = ""
    offset: float | None = None


@dataclass(frozen=True)
class SaveOptions:
    """How images are written; what a format has no use for does not count.

    Attributes
    ----------
    option : str
        That named the file, for messages.
    dtype : str
        Of the pixels of an NXmx file.
    adc, scale : float
        An SMV pixel is photons * scale + adc.
    smv_header : {"c", "dials", "adxv"}
        A style of `nbnumba.io.smv.header`.
    rings : bool
        Resolution rings on a picture.
    annotate : bool
        Rings, direct beam, scale bar and gray values on a picture.
    saturation : int or None
        The largest number that the pixels have; None: what the format leaves free.
    moment : datetime or None
        When the image was made, for headers that tell it; None: now.
    """

    option: str = ""
    dtype: str = "float32"
    adc: float = 0.0
    scale: float = 1.0
    smv_header: str = "dials"
    rings: bool = False
    annotate: bool = False
    saturation: int | None = None
    moment: datetime | None = None


def image_of_options(
    path: str, pixels: NDArray[Any], geometry: Geometry, crystal: Crystal | None, offset: float | None = None
) -> ImageRecord:
    """Return the image of a file that does not tell how it came about.

    Raises
    ------
    InputError
        It has not the size of the detector.
    """
    panels = geometry.detector.panels
    n_slow, n_fast = max(panel.n_slow for panel in panels), max(panel.n_fast for panel in panels)
    if pixels.shape[-2:] != (n_slow, n_fast):
        raise InputError(
            f"{path}: has {pixels.shape[-1]} x {pixels.shape[-2]} pixels, the detector of the options "
            f"{n_fast} x {n_slow} (fast x slow); the two must be the same"
        )
    return ImageRecord(pixels, geometry, crystal, partial_truth(geometry, crystal), path, offset)


def digitized(image: ImageRecord, dtype: str, path: str) -> Pixels:
    """Return pixels as a file holds them, and tell how many were clipped."""
    pixels, clipped = to_dtype(image.pixels, dtype)
    note_clipped(image, clipped, dtype, path)
    return pixels


def note_clipped(image: ImageRecord, clipped: int, dtype: str, path: str) -> None:
    """Tell how many pixels a file cannot hold as they are."""
    if clipped:
        of = f" of {image.name}" if image.name else ""
        verb = "was" if clipped == 1 else "were"
        logger.warning(f"{path}: {counted(clipped, 'pixel')}{of} beyond what {dtype} holds {verb} clipped")


@dataclass(frozen=True)
class Source:
    """A file to read the pixels of an image from.

    Attributes
    ----------
    path : str
    image : int or None
        Which one of a file of several, counted from 1.
    """

    path: str
    image: int | None = None


@dataclass(frozen=True, eq=False)
class LoadedImage:
    """The pixels of an image as they were read, its panels below one another.

    Attributes
    ----------
    name : str
        What to call it.
    kind : str
        Its format, in words.
    values : (n_slow, n_fast) float64
    left_out : (n_slow, n_fast) bool or None
        Pixels that the file itself declares to hold nothing.
    """

    name: str
    kind: str
    values: NDArray[np.float64]
    left_out: NDArray[np.bool_] | None = None

    @property
    def shape(self) -> tuple[int, int]:
        """(n_slow, n_fast)."""
        n_slow, n_fast = self.values.shape
        return n_slow, n_fast
