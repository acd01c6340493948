"""Beam, detector and goniometer: what is known of any image.

Vectors are float64 arrays of shape (3,) in the laboratory frame, whose origin is the sample. What is not known is None.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..beam.model import Beam
from ..detector.model import Detector
from ..geometry.mounting import NO_MOUNTING, Mounting
from ..geometry.vectors import Array, rotate_about
from ..parameters.choices import PhiSampling


@dataclass(frozen=True, eq=False)
class Goniometer:
    """Rotation of the crystal during the exposure [rad].

    Attributes
    ----------
    spindle : (3,)
    phi, osc : float
        Start and range.
    step : float
    steps : int
    sampling : PhiSampling
        Where in each step the crystal is drawn.
    mounting : Mounting
        Its other axes, which stand still. `spindle` is as the outer ones leave it, and the crystal's orientation as all
        of them do; only files state them.
    """

    spindle: Array
    phi: float
    osc: float
    step: float
    steps: int
    sampling: PhiSampling = PhiSampling.EDGE
    mounting: Mounting = NO_MOUNTING

    @property
    def turns(self) -> bool:
        """Whether the crystal is drawn at spindle angles other than 0."""
        return self.osc != 0.0 or self.phi != 0.0

    @property
    def angles(self) -> Array:
        """Angle at which the crystal is drawn in every phi step, (steps,) [rad]; as C, start + step * i."""
        within = 0.5 if self.sampling is PhiSampling.MID else 0.0
        return self.phi + self.step * (np.arange(self.steps, dtype=np.float64) + within)

    @property
    def sweeps(self) -> bool:
        """Whether the phi steps differ from one another, or one of them covers a range."""
        return self.step != 0.0

    @property
    def bias(self) -> float:
        """How far the middle of the range lies beyond the mean of the angles that are drawn [rad]."""
        return self.phi + 0.5 * self.osc - float(np.mean(self.angles)) if self.osc != 0.0 else 0.0

    def turn(self, angle: float) -> Array:
        """Return the rotation by an angle about the spindle, (3, 3)."""
        return np.array([rotate_about(axis, self.spindle, angle) for axis in np.eye(3)]).T


@dataclass(frozen=True, eq=False)
class Geometry:
    """Beam, detector and goniometer: what is known of the making of any image."""

    beam: Beam
    detector: Detector
    goniometer: Goniometer
