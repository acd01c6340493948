"""How finely a rotation must be sampled: from the width of the rocking curves."""

from __future__ import annotations

import math

import numpy as np

from ..constants import TOPHAT_RADIUS_SQUARED
from ..crystal.model import Crystal
from ..crystal.spot_shape import TOPHATS, spot_shape, steepest
from ..detector.resolution import finest_spacing
from ..parameters.choices import Shape
from .model import Experiment

MOST_STEPS = 1000
_STEPS_PER_WIDTH = 1.2  # leaves about 1 % of the spots' sum against many steps
_SINC_SQUARED = 0.886  # full width at half maximum of (sin(pi N h) / sin(pi h))^2, times N
_STEPS_PER_TOPHAT = 6.0  # whose curves have edges
_GAUSS = 2.0 * math.sqrt(2.0 * math.log(2.0))  # of a standard deviation


def rocking_width(experiment: Experiment) -> float:
    """Return the full width at half maximum of the narrowest rocking curves [rad].

    Notes
    -----
    A reflection at the edge of the detector that lies across the spindle: the width of its spot, over its length.
    Domains and sources do not widen it: each has a curve of its own, which the steps must not miss. Mosaicity,
    divergence and bandwidth in closed form do, in quadrature.
    """
    beam = experiment.beam
    spacing = max(finest_spacing(experiment.detector, beam), experiment.sampling.dmin)
    own = min(map(_spot_width, experiment.crystals)) * spacing
    spread = experiment.closed_form
    if spread is None:
        return own
    sine = min(1.0, beam.wavelength / (2.0 * spacing))
    tangent = sine / math.sqrt(max(1e-6, 1.0 - sine * sine))
    mosaicity = float(np.min(np.linalg.eigvalsh(spread.mosaicity)))
    divergence = float(np.max(np.linalg.eigvalsh(spread.divergence)))
    variance = max(mosaicity, 0.0) + max(divergence, 0.0) + (spread.bandwidth * tangent) ** 2
    return math.sqrt(own * own + _GAUSS**2 * variance)


def _spot_width(crystal: Crystal) -> float:
    """Return the full width at half maximum of a spot, along the direction in which it is narrowest [1/m]."""
    fudge = math.sqrt(max(crystal.fudge, 1e-6))
    if crystal.shape in (Shape.SQUARE, Shape.ROUND):
        own = 1.0 if crystal.shape is Shape.SQUARE else fudge
        return _SINC_SQUARED / (float(np.max(crystal.size_m)) * own)
    spot = spot_shape(crystal)
    half = math.sqrt(TOPHAT_RADIUS_SQUARED) if crystal.shape in TOPHATS else math.sqrt(0.5 * math.log(2.0) * spot.width)
    return 2.0 * half / (steepest(crystal) * fudge)


def needed_phi_steps(experiment: Experiment, osc: float) -> tuple[int, float]:
    """Return how many phi steps of a range [rad] sample the rocking curves, and their width [rad].

    There are at most `MOST_STEPS`.
    """
    width = rocking_width(experiment)
    each = _STEPS_PER_TOPHAT if experiment.crystals[0].shape in TOPHATS else _STEPS_PER_WIDTH
    return max(1, min(MOST_STEPS, math.ceil(each * abs(osc) / width))), width
