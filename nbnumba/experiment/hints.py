"""Images in which no program will find what was meant: too dim, or full of fringes."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from ..detector.resolution import beam_place
from ..errors import called
from ..geometry.vectors import length
from ..parameters.choices import Shape
from .model import Experiment

FEW = 3.0  # photons in the brightest pixel, below which noise hides a spot
FIRST_FRINGE = 0.047  # of the peak: the first side maximum of (sin x / x)²
_SEEN = 5.0  # photons of a fringe that spot finders take for a spot
_APART = 2.0  # pixels between fringes that are seen as several
_BEFORE_FIRST = 0.7  # of the way from the direct beam to the first reflection; the forward peak ends there


def hints(experiment: Experiment, image: NDArray[np.float32]) -> Iterator[str]:
    """Yield what is likely to surprise who looks for the spots of an image.

    Parameters
    ----------
    experiment : Experiment
    image : (n_slow, n_fast) or (panels, n_slow, n_fast) [photons]
        Expected, without noise.
    """
    if not any(crystal.weight for crystal in experiment.crystals):
        return
    brightest = _brightest(experiment, image)
    if brightest < FEW:
        yield (
            f"the brightest pixel expects {brightest:.2g} photons, so that noise hides the spots; a larger "
            f"{called('fluence')} or {called('N')} makes them brighter"
        )
        return
    fringes = fringes_of(experiment, brightest)
    if fringes is not None:
        yield f"{fringes}, will be found as spots; {called('shape')} gauss has none"


def fringes_of(experiment: Experiment, brightest: float) -> str | None:
    """Say what fringes will be found as spots, from the photons of the brightest pixel; None where none will."""
    apart = _fringes_apart(experiment)
    if apart is None or apart < _APART or FIRST_FRINGE * brightest < _SEEN:
        return None
    return (
        f"fringes of the {experiment.crystal.shape.value} crystal, {apart:.0f} pixels apart and of up to "
        f"{FIRST_FRINGE * brightest:.0f} photons"
    )


def _brightest(experiment: Experiment, image: NDArray[np.float32]) -> float:
    """Return the most photons of a pixel away from the direct beam."""
    panels = image.reshape(-1, *image.shape[-2:])
    most = 0.0
    for panel, part in zip(experiment.detector.panels, panels, strict=True):
        pixels = np.nan_to_num(part[: panel.n_slow, : panel.n_fast], nan=0.0)
        place = None if experiment.detector.curved else beam_place(panel, experiment.beam)
        if place is not None:
            longest = max(length(axis) for crystal in experiment.crystals for axis in crystal.real_space)
            # Angles are small there.
            radius = _BEFORE_FIRST * experiment.beam.wavelength / longest * abs(panel.distance)
            slow, fast = (
                (np.arange(size) + 0.5 - at) * edge
                for size, at, edge in zip(pixels.shape, place, reversed(panel.pixel_sizes), strict=True)
            )
            pixels = np.where(np.hypot(slow[:, np.newaxis], fast) > radius, pixels, np.float32(0.0))
        most = max(most, float(pixels.max(initial=0.0)))
    return most


def _fringes_apart(experiment: Experiment) -> float | None:
    """Return how many pixels lie between the fringes of the shortest edge; None where they are blurred, or none."""
    crystal, panel = experiment.crystal, experiment.detector.panels[0]
    if crystal.shape is not Shape.SQUARE:
        return None
    edges = [length(axis) * cells for axis, cells in zip(crystal.real_space, crystal.cells, strict=True) if cells > 2]
    if not edges:
        return None
    angle = experiment.beam.wavelength / min(edges)
    directions = experiment.beam.sources.directions
    divergence = float(np.max(np.linalg.norm(directions - directions[0], axis=1)))
    if max(2.0 * crystal.mosaic_spread, divergence, abs(experiment.goniometer.osc)) > angle:
        return None
    return angle * abs(panel.distance) / max(panel.pixel_sizes)
