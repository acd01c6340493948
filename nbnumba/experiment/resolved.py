"""An experiment, the settings it came from, and what was chosen in between."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..beam.model import Beam, SourceGrid
from ..beam.spectrum import Spectrum
from ..crystal.model import Crystal
from ..detector.model import Detector
from ..detector.placement import Axes
from ..parameters.settings import FactorSettings, Settings
from .model import Experiment

if TYPE_CHECKING:
    from ..structure_factors.by_energy import EnergyFactors
    from ..structure_factors.table import ReflectionTable


@dataclass(frozen=True, eq=False)
class Choices:
    """What was worked out for the report alone.

    Attributes
    ----------
    clipping_warnings, reflection_lines : tuple of str
        Lines of C's report.
    interpolate_chosen, oversample_chosen : bool
        Whether the program chose, not the user.
    recommended_oversample : int
    reciprocal_pixel_size : float [m]
    roi_as_set : (fast first, last, slow first, last)
        Before it was clipped to the detector.
    grid : SourceGrid
    """

    clipping_warnings: tuple[str, ...]
    reflection_lines: tuple[str, ...]
    interpolate_chosen: bool
    oversample_chosen: bool
    recommended_oversample: int
    reciprocal_pixel_size: float
    roi_as_set: tuple[int, int, int, int]
    grid: SourceGrid


@dataclass(frozen=True, eq=False)
class Parts:
    """What was built of some settings before the parts were put together; serves other settings that agree in a part.

    Attributes
    ----------
    axes : Axes
    spectrum : Spectrum or None
    beam : Beam
        Of sampled sources.
    grid : SourceGrid
    crystal : Crystal
        Of sampled domains, without reflections.
    turning : bool
        Whether the crystal was built to be drawn at spindle angles other than 0.
    detector : Detector
        Without mask.
    """

    axes: Axes
    spectrum: Spectrum | None
    beam: Beam
    grid: SourceGrid
    crystal: Crystal
    turning: bool
    detector: Detector


@dataclass(frozen=True, eq=False)
class Resolved:
    """An experiment with its provenance.

    Attributes
    ----------
    experiment : Experiment
    settings : Settings
        As the user gave them, with what files said of the crystal.
    choices : Choices
    parts : Parts
    by_energy : EnergyFactors or None
        What the structure factors of its channels are made of, where they depend on the energy.
    further_factors : tuple of FactorSettings
        Where those of the crystals after the first came from.
    further_energies : tuple of EnergyFactors or None
        What theirs are made of, where those depend on the energy and are not those of the first.
    """

    experiment: Experiment
    settings: Settings
    choices: Choices
    parts: Parts
    by_energy: EnergyFactors | None = None
    further_factors: tuple[FactorSettings, ...] = ()
    further_energies: tuple[EnergyFactors | None, ...] = ()

    def further(self, number: int) -> tuple[ReflectionTable | None, EnergyFactors | None]:
        """Return the structure factors of one of the crystals after the first, and what they are made of."""
        return self.experiment.crystals[1 + number].reflections, self.further_energies[number]

    def agrees(self, settings: Settings, *parts: str) -> bool:
        """Tell whether other settings say the same of some parts."""
        for part in ("semantics", *parts):
            ours, theirs = getattr(self.settings, part), getattr(settings, part)
            if ours is not theirs and ours != theirs:
                return False
        return True
