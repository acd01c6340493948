"""How finely an image is sampled, as the user asked or as the crystal and the detector require."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TypedDict

import numpy as np

from ..beam.model import Beam
from ..crystal.continuous import ContinuousSpread
from ..crystal.model import Crystal
from ..crystal.spot_shape import GAUSSIAN, narrowest_sigma
from ..detector.model import Detector
from ..errors import InputError, called
from ..parameters.choices import Semantics
from ..parameters.settings import Settings
from ..parameters.types import C_INT
from ..util.messages import logger
from .model import Sampling
from .regions import check_panel, chosen_panel, region_of_interest

_MANY, _MOST_CHOSEN = 64, 1000  # sub-pixels along an edge that are chosen with a notice, and at all


class SamplingChoices(TypedDict):
    """Fields of `Choices` about the sampling."""

    interpolate_chosen: bool
    oversample_chosen: bool
    recommended_oversample: int
    reciprocal_pixel_size: float
    roi_as_set: tuple[int, int, int, int]


def build_sampling(
    settings: Settings, detector: Detector, crystals: Sequence[Crystal], beam: Beam, spread: ContinuousSpread | None
) -> tuple[Sampling, SamplingChoices]:
    """Choose oversampling, interpolation and region.

    Parameters
    ----------
    settings : Settings
    detector : Detector
    crystals : sequence of Crystal
    beam : Beam
    spread : ContinuousSpread or None
        How wide spots in closed form are.

    Raises
    ------
    InputError
        For a region of a detector of several panels, or one without pixels; or where more sub-pixels would be chosen
        than there may be.
    """
    panel = detector.panels[0]
    check_panel(settings, len(detector.panels))
    panel_number = None
    of_one = settings.sampling.panel is not None or settings.sampling.roi != (None, None, None, None)
    if len(detector.panels) > 1 and of_one:
        panel_number = chosen_panel(settings, len(detector.panels), called("roi"))
        panel = detector.panels[panel_number]
    reciprocal_pixel = _reciprocal_pixel(settings, detector)
    largest = max(max(one.size_m.tolist()) for one in crystals)
    recommended = _recommended_oversample(largest, reciprocal_pixel)
    chosen = settings.sampling.oversample is None or settings.sampling.oversample <= 0
    # Of spots that are sampled it counts only where the program chooses.
    asked = chosen or spread is not None
    enough = _oversample_of_widths(crystals, beam, spread, reciprocal_pixel, recommended) if asked else recommended
    if spread is not None:
        recommended = enough
    if chosen and recommended > _MOST_CHOSEN:
        raise InputError(
            f"{called('oversample')}: {recommended}-fold would be chosen for this crystal and detector; "
            f"at most {_MOST_CHOSEN}, give {called('oversample')}"
        )
    if chosen and 2 * enough <= recommended:
        logger.warning(
            f"{recommended}-fold oversampling is chosen by the size of the crystal, as for its fringes; its Gaussian "
            f"spots are wide enough for {called('oversample')} {enough}"
        )
    elif chosen and recommended > _MANY:
        logger.warning(
            f"{recommended}-fold oversampling is chosen for this crystal and detector, {recommended**2} samples a "
            f"pixel; {called('oversample')} 1, or another number, can be given"
        )
    roi_as_set, roi = region_of_interest(settings, panel)
    interpolate, interpolate_chosen = _interpolation(settings, crystals[0])
    sampling = Sampling(
        oversample=recommended if chosen else int(settings.sampling.oversample or 1),
        oversample_thick=settings.sampling.oversample_thick,
        oversample_polar=settings.sampling.oversample_polar,
        oversample_omega=settings.sampling.oversample_omega,
        interpolate=interpolate,
        dmin=settings.sampling.dmin,
        roi=roi,
        spot_cutoff=settings.sampling.spot_cutoff,
        panel=panel_number,
    )
    return sampling, {
        "interpolate_chosen": interpolate_chosen,
        "oversample_chosen": chosen,
        "recommended_oversample": recommended,
        "reciprocal_pixel_size": reciprocal_pixel,
        "roi_as_set": roi_as_set,
    }


def _reciprocal_pixel(settings: Settings, detector: Detector) -> float:
    """Return what a pixel covers in reciprocal space [m], by its longer edge."""
    if not settings.detector.panels:
        panel = detector.panels[0]
        return settings.beam.wavelength * panel.distance / max(panel.pixel_sizes)
    # The nearest panel and the coarsest pixels decide.
    return min(settings.beam.wavelength * abs(panel.distance) / max(panel.pixel_sizes) for panel in detector.panels)


def _interpolation(settings: Settings, crystal: Crystal) -> tuple[bool, bool]:
    """Decide on tricubic interpolation; the second value tells whether the program chose."""
    if settings.factors.interpolate is not None:
        return settings.factors.interpolate, False
    typed = (settings.crystal.Na, settings.crystal.Nb, settings.crystal.Nc)
    # C differs: it looks at the sizes as typed, before -samplesize sets the real ones.
    sizes = typed if settings.semantics is Semantics.C else crystal.cells
    return min(sizes) <= 2, True


def _recommended_oversample(size: float, reciprocal_pixel: float) -> int:
    """Return the sub-pixels along an edge that resolve the fringes of a crystal of some size [m], at most 2^31 - 1."""
    wanted = 3.0 * size / reciprocal_pixel if reciprocal_pixel != 0.0 else math.inf
    # As C: 1 where the pixel's size in reciprocal space comes out negative or undefined.
    return math.ceil(min(wanted, C_INT)) if wanted > 1.0 else 1


def _oversample_of_widths(
    crystals: Sequence[Crystal], beam: Beam, spread: ContinuousSpread | None, reciprocal_pixel: float, fringes: int
) -> int:
    """Return the sub-pixels along an edge that are no wider than the narrowest Gaussian spots' standard deviation.

    At most `fringes`, which is what the fringes of the crystals would take, and for other shapes exactly that.

    Notes
    -----
    In closed form, spots widen with |q|: mosaicity across q, the bandwidth along it, divergence across the beam. The
    narrowest are those of the lowest order, whose q lies across the beam.
    """
    if fringes == 1 or not all(crystal.shape in GAUSSIAN and crystal.fudge > 0.0 for crystal in crystals):
        return fringes
    narrowest = math.inf
    for crystal in crystals:
        variance = narrowest_sigma(crystal) ** 2
        if spread is not None:
            squared = 1.0 / float(np.max(np.sum(crystal.real_space**2, axis=1)))
            mosaicity = float(np.linalg.eigvalsh(spread.mosaicity)[0])
            divergence = float(np.linalg.eigvalsh(spread.divergence)[1])
            variance += min(max(mosaicity, 0.0), spread.bandwidth**2) * squared
            variance += max(divergence, 0.0) / beam.wavelength**2
        narrowest = min(narrowest, variance)
    wanted = 1.0 / (math.sqrt(narrowest) * reciprocal_pixel) if narrowest * reciprocal_pixel > 0.0 else math.inf
    return max(1, min(fringes, math.ceil(min(wanted, C_INT))))
