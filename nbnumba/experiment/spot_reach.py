"""How far from its middle a spot can be left out of a pixel."""

from __future__ import annotations

import math
from typing import NamedTuple

from ..constants import R_E_SQUARED, TOPHAT_RADIUS_SQUARED
from ..crystal.spot_shape import GAUSSIAN, SpotShape
from ..detector.model import Panel
from ..detector.resolution import curved_angle
from ..geometry.vectors import dot
from ..parameters.choices import Semantics
from .model import Experiment

NOTHING = 1e-47  # photons; the smallest number that float32 holds is 1.4e-45
FAINTEST = 1e-12  # of the brightest pixel there could be; beside a real one, float32 shows 6e-8 at the least


class SpotReach(NamedTuple):
    """Where spots may end.

    Attributes
    ----------
    stretch : float
        The radius of a spot times this is sqrt(2 exponent), or sqrt(fudge) times the radius of a top hat.
    brightness : float
        Natural logarithm of the photons that all samples of a pixel would amount to at the most, were each in the
        middle of a spot of F = 1, over the photons that may be left out of a pixel.
    squared_radius : float
        A sample that is not below it is left out.
    """

    stretch: float
    brightness: float
    squared_radius: float


def spot_reach(experiment: Experiment, panel: Panel, spot: SpotShape, largest_F: float, reflections: int) -> SpotReach:
    """Work out where the spots on a panel may end.

    Parameters
    ----------
    experiment : Experiment
    panel : Panel
    spot : SpotShape
    largest_F : float
        The largest magnitude of a structure factor.
    reflections : int
        Number of those that are not 0.

    Notes
    -----
    A pixel is r_e^2 fluence times the sum over layers of the mean of F^2 height^2 exp(-2 exponent) omega capture polar
    over all other samples, whose weights are 1 on average. Of the last three factors the largest values are taken.
    Samples are left out where that, were all samples like them, is below what may be left out of the pixel: whichever
    they are, together they stay below it.

    In closed form a spot does not end where another reflection is the nearer one. By default it ends where float32
    could not show it beside the brightest spot.
    """
    crystal, sampling = experiment.crystal, experiment.sampling
    fudge, gaussian = crystal.fudge, crystal.shape in GAUSSIAN
    stretch = math.sqrt(2.0 * fudge / spot.width) if gaussian else math.sqrt(max(0.0, fudge))
    fluence = experiment.fluence * experiment.share
    if not (fluence > 0.0 and largest_F > 0.0):
        return SpotReach(stretch, -math.inf, 0.0)
    factors = _largest_factors(experiment, panel)
    # Of logarithms, since products of what the options allow overflow.
    terms = (R_E_SQUARED, fluence, panel.sensor.layers, factors)
    brightness = sum(map(math.log, terms)) + 2.0 * math.log(spot.height)
    left_out = math.log(sampling.spot_cutoff or NOTHING)
    if experiment.closed_form is not None:
        if sampling.spot_cutoff == 0.0 and math.isfinite(brightness):
            left_out = max(left_out, brightness + 2.0 * math.log(largest_F) + math.log(FAINTEST))
        brightness += math.log(max(1, reflections))  # a pixel sees any number of spots
    brightness -= left_out
    brightest = brightness + 2.0 * math.log(largest_F)
    if fudge <= 0.0:
        return SpotReach(stretch, brightness, math.inf)
    if brightest <= 0.0:
        return SpotReach(stretch, brightness, 0.0)
    if not gaussian:
        return SpotReach(stretch, brightness, TOPHAT_RADIUS_SQUARED / fudge * (1.0 + 1e-9))
    return SpotReach(stretch, brightness, min(brightest / 2.0, spot.limit) * spot.width / fudge)


def _largest_factors(experiment: Experiment, panel: Panel) -> float:
    """Upper bound of solid angle times capture times polarization over a panel; infinite where there is none."""
    detector, beam = experiment.detector, experiment.beam
    depth = panel.sensor.layers * panel.sensor.layer_step
    if detector.curved:
        nearest = abs(panel.distance)
        # As C has it, the sensor of a bent detector faces as that of the flat one does.
        tilt = math.acos(min(1.0, max(-1.0, dot(beam.direction, panel.normal))))
        front = experiment.semantics is Semantics.EXACT or curved_angle(panel, beam.direction) + tilt < math.pi / 2.0
    else:
        along = dot(panel.origin, panel.normal)
        nearest = max(0.0, min(abs(along), abs(along + depth))) if along * (along + depth) > 0.0 else 0.0
        front = along > 0.0
    if nearest == 0.0 or (panel.sensor.thickness != 0.0 and not front):  # from behind, C's capture grows with the depth
        return math.inf
    area = 1.0 if detector.point_pixel else panel.pixel_sizes[0] * panel.pixel_sizes[1]
    oblique = 1.0 if detector.point_pixel else max(1.0, abs(panel.close_distance) / nearest)
    polar = 1.0 if beam.nopolar else max(1.0, (1.0 + abs(beam.polarization)) / 2.0)
    return area / nearest**2 * oblique * polar
