"""The experiment to be rendered: crystals, beam, detector, goniometer and sampling, all worked out.

Frozen records in SI units, without defaults that depend on one another: `nbnumba.experiment.resolve` fills them in.
Vectors are float64 arrays of shape (3,) in the laboratory frame, whose origin is the sample. What is not known is None.
"""

from __future__ import annotations

import copy
import functools
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Self

import numpy as np
from numpy.typing import NDArray

from ..background.material import Material
from ..background.water import Water
from ..beam.model import Beam
from ..crystal.continuous import ContinuousSpread
from ..crystal.model import Crystal
from ..crystal.mosaic import random_table_after
from ..detector.model import Detector
from ..errors import InputError
from ..geometry.vectors import rotate_about
from ..parameters.choices import ComputeOptions, PhiSampling, Semantics
from ..readout.model import Readout
from ..util.digest import digest

if TYPE_CHECKING:
    from ..structure_factors.table import ReflectionTable

Array = NDArray[np.float64]


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
    """

    spindle: Array
    phi: float
    osc: float
    step: float
    steps: int
    sampling: PhiSampling = PhiSampling.EDGE

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
class Sampling:
    """How finely, and which pixels.

    Attributes
    ----------
    oversample : int
        Sub-pixels along an edge.
    oversample_thick, oversample_polar, oversample_omega : bool
        Whether capture, polarization and solid angle are worked out for every sample.
    interpolate : bool
        Whether structure factors are interpolated where there is a table.
    dmin : float [m]
        Samples of finer spacing are left out; 0: none.
    roi : (fast first, fast last, slow first, slow last)
        Inclusive, inside the panel.
    spot_cutoff : float [photons]
        What may be left out of a pixel in all; 0: what float32 cannot hold.
    panel : int or None
        The panel that `roi` is of, which alone is rendered; None: of several panels all are rendered whole.
    """

    oversample: int
    oversample_thick: bool
    oversample_polar: bool
    oversample_omega: bool
    interpolate: bool
    dmin: float
    roi: tuple[int, int, int, int]
    spot_cutoff: float = 0.0
    panel: int | None = None


@dataclass(frozen=True, eq=False)
class Geometry:
    """Beam, detector and goniometer: what is known of the making of any image."""

    beam: Beam
    detector: Detector
    goniometer: Goniometer


@dataclass(frozen=True, eq=False)
class ExperimentRecord(Geometry):
    """Everything that an image depends on.

    Two are equal where all of it is. `dataclasses.replace` makes another one; the result has no `command`, since none
    is known to draw it.

    Attributes
    ----------
    crystals : tuple of Crystal
    sampling : Sampling
    background : tuple of Water and Material
        Materials around the crystal.
    readout : Readout or None
        What the detector does to the photons, where it does more than count them.
    semantics : Semantics
    closed_form : ContinuousSpread or None
        Mosaicity, bandwidth and divergence of spots in closed form; None: they are sampled by domains and sources.
    compute : ComputeOptions
        What the user wants it rendered by.
    share : float
        Part of the fluence that meets the crystals; below 1 in a pass (`nbnumba.experiment.passes`).
    command : tuple of str
        Words that draw it; empty where there are none.
    """

    crystals: tuple[Crystal, ...]
    sampling: Sampling
    background: tuple[Water | Material, ...] = ()
    readout: Readout | None = None
    semantics: Semantics = Semantics.EXACT
    closed_form: ContinuousSpread | None = None
    compute: ComputeOptions = field(default_factory=ComputeOptions)
    share: float = 1.0
    command: tuple[str, ...] = field(default=(), init=False)

    @functools.cached_property
    def _content(self) -> bytes:
        return digest(self, without=("compute", "command"))

    def __eq__(self, other: object) -> bool:
        """Tell whether all that the image depends on is equal; what renders it, and how, does not count."""
        if not isinstance(other, ExperimentRecord):
            return NotImplemented
        return self is other or self._content == other._content

    def __hash__(self) -> int:
        return hash(self._content)

    def drawn_by(self, command: tuple[str, ...]) -> Self:
        """Return this experiment with the words that draw it."""
        drawn = copy.copy(self)
        object.__setattr__(drawn, "command", command)
        return drawn

    @property
    def crystal(self) -> Crystal:
        """The crystal, the first where there are several.

        Raises
        ------
        InputError
            There is none.
        """
        if not self.crystals:
            raise InputError("crystals: there are none; at least one is needed")
        return self.crystals[0]

    @property
    def reflections(self) -> ReflectionTable | None:
        """Structure factors of the crystal."""
        return self.crystal.reflections

    @property
    def default_F(self) -> float:
        """Structure factor of the reflections that the crystal's table lacks [electrons]."""
        return self.crystal.default_F

    @property
    def interpolate(self) -> bool:
        """Whether structure factors are interpolated."""
        return self.sampling.interpolate and self.reflections is not None

    @property
    def fluence(self) -> float:
        """Fluence of the beam [photons/m^2].

        Raises
        ------
        InputError
            It is not known.
        """
        if self.beam.fluence is None:
            raise InputError("fluence: is not known; it must be given for an image to be drawn")
        return self.beam.fluence

    @property
    def water_size(self) -> float:
        """Edge of the cube of water around the crystal [m]; 0: none."""
        return sum(material.size for material in self.background if isinstance(material, Water))

    @property
    def weights(self) -> Array:
        """Weight of every source in this image, (n,); one of weight 0 is left out of the sum and of the steps."""
        return self.beam.sources.normalized_weights

    @property
    def steps(self) -> int:
        """Samples that the pixel's sum is divided by: all but the layers of the sensor, which add up.

        Of several crystals those of all, though each is divided by its own.
        """
        orientations = self.goniometer.steps * sum(len(crystal.mosaic_rotations) for crystal in self.crystals)
        return int(np.count_nonzero(self.weights > 0.0)) * orientations * self.sampling.oversample**2

    @property
    def random_table(self) -> tuple[int, ...]:
        """Random table of C's generator, as the orientation and the mosaic domains of the crystals leave it."""
        return random_table_after(self.crystals, self.semantics)
