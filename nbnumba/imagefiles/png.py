"""Pictures of an experiment's images."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ..detector.assembly import assembled
from ..detector.resolution import spacing
from ..errors import InputError
from ..io import png
from ..io.opening import label
from .records import ImageRecord, SaveOptions


def write(path: str, images: Iterator[ImageRecord], count: int, options: SaveOptions) -> None:
    """Write a picture of an image; of several panels each where it stands, with the gaps in a color.

    Raises
    ------
    InputError
        Rings are wanted on a curved detector, or on several panels.
    FileError
        The file cannot be written.
    """
    image = next(images)
    detector = image.geometry.detector
    if options.rings and (len(detector.panels) > 1 or detector.curved):
        raise InputError(
            f"{label(options.option, path)}: no rings are drawn on a curved detector, nor on several panels"
        )
    flat = np.asarray(image.pixels, dtype=np.float32)
    if len(detector.panels) > 1:
        together = assembled(flat, detector, image.geometry.beam)
        png.write_png(path, together.photons, gaps=together.gaps)
        return
    png.write_png(path, flat, spacing(detector.panels[0], image.geometry.beam) if options.rings else None)
