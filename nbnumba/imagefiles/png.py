"""Pictures of an experiment's images."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ..beam.model import Beam
from ..detector.assembly import assembled
from ..detector.model import Detector
from ..detector.resolution import beam_place, spacing
from ..errors import InputError
from ..io import png
from ..io.opening import label
from ..io.png_marks import Annotations, Rings, SpacingMap, inverse_spacing
from .records import ImageRecord, SaveOptions


def write(path: str, images: Iterator[ImageRecord], count: int, options: SaveOptions) -> None:
    """Write a picture of an image; of several panels each where it stands, with the gaps in a color.

    Raises
    ------
    InputError
        Rings or annotations are wanted on a curved detector.
    FileError
        The file cannot be written.
    """
    image = next(images)
    detector, beam = image.geometry.detector, image.geometry.beam
    if detector.curved and (options.rings or options.annotate):
        what = "annotations" if options.annotate else "rings"
        raise InputError(f"{label(options.option, path)}: no {what} are drawn on a curved detector")
    rings: Rings | None = None
    notes = None
    unit = "photons" if not image.name else "value"
    flat = np.asarray(image.pixels, dtype=np.float32)
    if len(detector.panels) > 1:
        together = assembled(flat, detector, beam)
        if options.rings or options.annotate:
            rings = _spacing_map(detector, beam, together.pitch)
        if options.annotate:
            notes = Annotations(unit, together.pitch * 1e3, together.beam)
        png.write_png(path, together.photons, rings, together.gaps, notes)
        return
    panel = detector.panels[0]
    if options.rings or options.annotate:
        rings = spacing(panel, beam)
    if options.annotate:
        notes = Annotations(unit, panel.pixel_sizes[0] * 1e3, beam_place(panel, beam))
    png.write_png(path, flat, rings, notes=notes)


def _spacing_map(detector: Detector, beam: Beam, pitch: float) -> SpacingMap:
    """Return the resolution of the panels, each where it stands in the picture."""
    shape = tuple(max(getattr(panel, name) for panel in detector.panels) for name in ("n_slow", "n_fast"))
    inverse, slope = (np.zeros((len(detector.panels), *shape), dtype=np.float32) for _ in range(2))
    for number, panel in enumerate(detector.panels):
        size = panel.n_slow, panel.n_fast
        part = inverse_spacing(size, size, spacing(panel, beam))
        steps = [
            np.gradient(part, axis=axis) / edge if part.shape[axis] > 1 else np.zeros(size)
            for axis, edge in zip((0, 1), panel.pixel_sizes[::-1], strict=True)
        ]
        inverse[number, : size[0], : size[1]] = part
        slope[number, : size[0], : size[1]] = pitch * np.hypot(*steps)
    return SpacingMap(*(assembled(each, detector, beam).photons.astype(np.float64) for each in (inverse, slope)))
