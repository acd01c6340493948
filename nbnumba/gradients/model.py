"""What can be differentiated by: a point among experiments, a parameter, and its components."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from ..experiment.model import Experiment


@dataclass(frozen=True, eq=False)
class Point:
    """An experiment, and what multiplies or adds to its photons.

    Attributes
    ----------
    experiment : Experiment
    scales : tuple of float
        Of the photons of each crystal; empty: all 1.
    background : float
        Of the photons of materials around the crystal.
    offset : float [photons/pixel]
        Added to every pixel.
    """

    experiment: Experiment
    scales: tuple[float, ...] = ()
    background: float = 1.0
    offset: float = 0.0

    def scale_of(self, crystal: int) -> float:
        """What multiplies the photons of a crystal."""
        return self.scales[crystal] if self.scales else 1.0

    def with_crystal(self, **changes: object) -> Point:
        """Return the same with another crystal."""
        crystal = dataclasses.replace(self.experiment.crystal, **changes)  # type: ignore[arg-type]
        return self.with_parts(crystals=(crystal,))

    def with_parts(self, **parts: object) -> Point:
        """Return the same with other parts of the experiment."""
        experiment = dataclasses.replace(self.experiment, **parts)  # type: ignore[arg-type]
        return dataclasses.replace(self, experiment=experiment)


class Component(NamedTuple):
    """One number of a parameter.

    Attributes
    ----------
    name, unit : str
    value : float
        As the experiment has it.
    scale : float
        A change by which an image changes visibly.
    step : float
        A change whose fourth-order differences are good to 1e-10.
    low, high : float
        Between these it makes sense.
    """

    name: str
    unit: str
    value: float
    scale: float
    step: float
    low: float = -math.inf
    high: float = math.inf


# Brings the values of a parameter's components into an experiment; `base` is the one that the values of the
# components were taken from.
Change = Callable[[Point, Experiment, Sequence[float]], Point]


class Parameter(NamedTuple):
    """What can be differentiated by.

    Attributes
    ----------
    components : callable
        Returns those that an experiment has.
    change : callable
    kind : str
        "crystal", "spot", "place", "beam", "factors" or "photons": what it changes.
    of_crystal : bool
        Whether each crystal has its own.
    """

    components: Callable[[Experiment], list[Component]]
    change: Change
    kind: str
    of_crystal: bool = False


def view(experiment: Experiment, crystal: int) -> Experiment:
    """The experiment as one of its crystals sees it: the only one."""
    if len(experiment.crystals) == 1:
        return experiment
    return dataclasses.replace(experiment, crystals=(experiment.crystals[crystal],))
