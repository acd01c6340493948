"""Which pixels are rendered: region of interest and mask."""

from __future__ import annotations

from dataclasses import replace

from ..detector.model import Detector
from ..errors import InputError, called
from ..geometry.panel import PanelGeometry
from ..io import mask_file
from ..io.contents import content_of
from ..parameters.settings import Settings


def region_of_interest(
    settings: Settings, panel: PanelGeometry
) -> tuple[tuple[int, int, int, int], tuple[int, int, int, int]]:
    """Return -roi as C reports it, and clipped to the detector.

    Returns
    -------
    as_set, clipped : (fast first, fast last, slow first, slow last)
        Bounds are inclusive.

    Raises
    ------
    InputError
        When the region holds no pixel.
    """
    defaults = (0, panel.n_fast, 0, panel.n_slow)
    f0, f1, s0, s1 = (
        default if bound is None or bound < 0 else bound
        for bound, default in zip(settings.sampling.roi, defaults, strict=True)
    )
    clipped = (f0, min(f1, panel.n_fast - 1), s0, min(s1, panel.n_slow - 1))
    if clipped[0] > clipped[1] or clipped[2] > clipped[3]:
        raise InputError(
            f"{called('roi')}: {f0} {f1} {s0} {s1} holds no pixel; allowed are 0 to {panel.n_fast - 1} (fast) "
            f"and 0 to {panel.n_slow - 1} (slow), the smaller bound first"
        )
    return (f0, f1, s0, s1), clipped


def with_mask(settings: Settings, detector: Detector) -> Detector:
    """Read -mask for all panels."""
    if settings.detector.mask_file is None:
        return detector
    mask = content_of(mask_file.read, settings.detector.mask_file, called("mask"))
    for panel in detector.panels:
        if mask.shape != (panel.n_slow, panel.n_fast):
            raise InputError(
                f"{called('mask')} {settings.detector.mask_file}: the mask has {mask.shape[1]} x {mask.shape[0]} "
                "pixels, "
                f"the detector {panel.n_fast} x {panel.n_slow} (fast x slow); the two must be the same"
            )
    return replace(detector, panels=tuple(replace(panel, mask=mask) for panel in detector.panels))
