"""The experiment to be rendered: crystal, beam, detector, goniometer and sampling, all worked out.

Frozen records in SI units, without defaults that depend on one another: `nbnumba.experiment.resolve` fills them in.
Vectors are float64 arrays of shape (3,) in the laboratory frame, whose origin is the sample.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..geometry.vectors import length
from ..parameters.settings import Convention, Engine, Pivot, Semantics, Settings, Shape

if TYPE_CHECKING:
    from ..structure_factors.load import ReflectionTable

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Crystal:
    """Unit cell, orientation at phi = 0, size and mosaicity.

    Attributes
    ----------
    real_space : (3, 3) [m]
        Rows a, b, c.
    reciprocal_A : (3, 3) [1/Angstrom]
        Rows a*, b*, c*.
    lengths_A, angles, reciprocal_lengths_A, reciprocal_angles
        Cell constants [Angstrom, rad, 1/Angstrom, rad].
    volume_A3 : float
        Cell volume.
    cells : (Na, Nb, Nc)
        Unit cells along each axis, whole numbers of at least 1.
    misset : (3,) [rad] or None
        Rotation about x, then y, then z that has been applied.
    mosaic_rotations : (domains, 3, 3)
        Rotation of each mosaic domain.
    """

    real_space: Array
    reciprocal_A: Array
    lengths_A: Array
    angles: Array
    reciprocal_lengths_A: Array
    reciprocal_angles: Array
    volume_A3: float
    cells: tuple[int, int, int]
    shape: Shape
    fudge: float
    misset: tuple[float, float, float] | None
    misset_seed: int | None
    mosaic_spread: float
    mosaic_seed: int
    mosaic_rotations: Array

    @property
    def size_m(self) -> Array:
        """Edge lengths of the crystal, (3,) [m]."""
        return np.array([length(v) * n for v, n in zip(self.real_space, self.cells, strict=True)])


@dataclass(frozen=True, eq=False)
class Source:
    """The points and wavelengths that the beam is made of.

    Attributes
    ----------
    positions : (n, 3) [m]
        As given or generated, before normalisation; for the report.
    directions : (n, 3)
        Unit vectors from the sample to each source.
    weights : (n,)
        As given or generated.
    wavelengths : (n,) [m]
    divergences : list of (horizontal, vertical) [rad]
        Of each generated direction.
    dispersed_wavelengths : [m]
        Of the generated spectrum.
    hdivrange, hdivstep, vdivrange, vdivstep : float [rad]
        As completed; 0 without divergence.
    dispersion : float
        Full range, a fraction of the wavelength.
    dispsteps : int
    """

    positions: Array
    directions: Array
    weights: Array
    wavelengths: Array
    divergences: tuple[tuple[float, float], ...]
    dispersed_wavelengths: tuple[float, ...]
    hdivrange: float
    hdivstep: float
    vdivrange: float
    vdivstep: float
    dispersion: float
    dispsteps: int


@dataclass(frozen=True, eq=False)
class Beam:
    """Direction, wavelength, polarisation and fluence of the incident beam."""

    direction: Array
    polarization_axis: Array
    wavelength: float
    polarization: float  # Kahn factor
    nopolar: bool
    fluence: float  # photons/m^2
    source: Source


@dataclass(frozen=True, eq=False)
class Panel:
    """A flat rectangle of pixels.

    Attributes
    ----------
    origin : (3,) [m]
        Outer corner of pixel (0, 0).
    fast, slow, normal : (3,)
        Unit vectors along a row, along a column, and of increasing distance.
    distance, close_distance : float [m]
        From the sample along the beam, and to the closest point of the plane.
    """

    n_slow: int
    n_fast: int
    pixel_size: float
    origin: Array
    fast: Array
    slow: Array
    normal: Array
    distance: float
    close_distance: float

    def position(self, slow: ArrayLike, fast: ArrayLike) -> Array:
        """Return where points of the panel lie, (..., 3) [m].

        Parameters
        ----------
        slow, fast : array_like [pixels]
            From the outer corner of pixel (0, 0): its centre is at (0.5, 0.5).
        """
        along_slow = np.multiply.outer(np.asarray(slow, dtype=np.float64), self.pixel_size * self.slow)
        along_fast = np.multiply.outer(np.asarray(fast, dtype=np.float64), self.pixel_size * self.fast)
        return np.asarray(self.origin + along_slow + along_fast)


@dataclass(frozen=True)
class Center:
    """Where the beam and the foot of the perpendicular meet the detector [m]."""

    Xbeam: float
    Ybeam: float
    Fbeam: float
    Sbeam: float
    Xclose: float
    Yclose: float
    Fclose: float
    Sclose: float


@dataclass(frozen=True)
class BeamCenter(Center):
    """The same in every convention."""

    ORGX: float  # pixels
    ORGY: float
    dials_origin_mm: tuple[float, float, float]


@dataclass(frozen=True, eq=False)
class Detector:
    """The panels, their sensor, and how the user placed them."""

    panels: tuple[Panel, ...]
    center: BeamCenter
    convention: Convention
    pivot: Pivot
    detsize_f: float
    detsize_s: float
    twotheta: float
    odet_generated: bool
    curved: bool
    point_pixel: bool
    thickness: float  # as typed or completed [m]; 0: no sensor. What is simulated is layers * layer_step
    layers: int
    layer_step: float  # m
    mu: float  # 1/m


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
    engine: Engine = field(default_factory=Engine)  # what the user wants it rendered by

    @property
    def weights(self) -> Array:
        """Weight of every source in this picture, (n,); one of weight 0 is left out of the sum and of the steps."""
        weights = self.beam.source.weights
        # C differs: it never uses the weights of -sourcefile.
        if self.semantics is Semantics.C or self.settings.source_file is None:
            return np.ones(len(weights))
        return np.asarray(weights / np.mean(weights[weights > 0.0]))

    @property
    def steps(self) -> int:
        """Samples that the pixel's sum is divided by: all but the layers of the sensor, which add up."""
        orientations = self.goniometer.steps * len(self.crystal.mosaic_rotations)
        return int(np.count_nonzero(self.weights > 0.0)) * orientations * self.sampling.oversample**2
