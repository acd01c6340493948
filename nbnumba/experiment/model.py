"""The experiment to be rendered: crystal, beam, detector, goniometer and sampling, all worked out.

Frozen records in SI units, without defaults that depend on one another: `nbnumba.experiment.resolve` fills them in.
Vectors are float64 arrays of shape (3,) in the laboratory frame, whose origin is the sample.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ..beam.model import Beam
from ..crystal.model import Crystal
from ..detector.model import Detector
from ..parameters.choices import ComputeOptions, Semantics
from ..parameters.settings import Settings

if TYPE_CHECKING:
    from ..structure_factors.table import ReflectionTable

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Goniometer:
    """Rotation of the crystal during the exposure [rad]."""

    spindle: Array
    phi: float
    osc: float
    step: float
    steps: int

    @property
    def angles(self) -> Array:
        """Angle of every phi step, (steps,) [rad]; as C, start + step * i."""
        return self.phi + self.step * np.arange(self.steps, dtype=np.float64)


@dataclass(frozen=True, eq=False)
class Sampling:
    """How finely, and which pixels."""

    oversample: int
    recommended_oversample: int
    reciprocal_pixel_size: float
    oversample_chosen: bool  # by the program
    oversample_thick: bool
    oversample_polar: bool
    oversample_omega: bool
    dmin: float
    roi: tuple[int, int, int, int]  # fast first, last, slow first, last; inclusive, inside the detector
    roi_as_set: tuple[int, int, int, int]  # before clipping; for the report
    mask: NDArray[np.bool_] | None  # True: render


@dataclass(frozen=True, eq=False)
class ExperimentRecord:
    """Everything that a picture depends on."""

    semantics: Semantics
    crystal: Crystal
    beam: Beam
    detector: Detector
    goniometer: Goniometer
    sampling: Sampling
    reflections: ReflectionTable | None
    default_F: float
    interpolate: bool
    interpolate_wanted: bool  # before it was seen that there is no table to interpolate in
    interpolate_chosen: bool  # by the program
    water_size: float  # m
    random_table: tuple[int, ...]  # of C's generator, as the orientation and the mosaic domains left it
    settings: Settings
    clipping_warnings: tuple[str, ...]  # lines of C's report that arise while files are read
    reflection_lines: tuple[str, ...]
    command: tuple[str, ...] = ()  # words that draw it; empty where there are none
    compute: ComputeOptions = field(default_factory=ComputeOptions)  # what the user wants it rendered by

    @property
    def weights(self) -> Array:
        """Weight of every source in this picture, (n,); one of weight 0 is left out of the sum and of the steps."""
        weights = self.beam.source.weights
        # C differs: it never uses the weights of -sourcefile.
        if self.semantics is Semantics.C or self.settings.beam.source_file is None:
            return np.ones(len(weights))
        return np.asarray(weights / np.mean(weights[weights > 0.0]))

    @property
    def steps(self) -> int:
        """Samples that the pixel's sum is divided by: all but the layers of the sensor, which add up."""
        orientations = self.goniometer.steps * len(self.crystal.mosaic_rotations)
        return int(np.count_nonzero(self.weights > 0.0)) * orientations * self.sampling.oversample**2
