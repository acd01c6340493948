"""A vector of parameters: names, values, units, scales, and the experiment at any values."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike

from ..errors import InputError
from ..experiment.model import Experiment
from ..geometry.vectors import Array
from ..parameters.choices import Shape
from .model import Component, Point
from .point import PARAMETERS

_TOPHATS = (Shape.TOPHAT, Shape.TOPHAT_ABC)
_WITHOUT_OFFSETS = ("factors", "photons", "polarization")  # kinds that leave every spot where and what it is


@dataclass(frozen=True, eq=False)
class Parameters:
    """Parameters of an experiment, as a vector.

    Attributes
    ----------
    experiment : Experiment
        Whose values they have, unless they start elsewhere.
    groups : tuple of str
        As they were asked for.
    """

    experiment: Experiment
    groups: tuple[str, ...]
    components: tuple[Component, ...]
    counts: tuple[int, ...]  # components of each group

    @property
    def names(self) -> tuple[str, ...]:
        """Name of every number."""
        return tuple(component.name for component in self.components)

    @property
    def units(self) -> tuple[str, ...]:
        """Unit of every number; empty for what has none."""
        return tuple(component.unit for component in self.components)

    @property
    def values(self) -> Array:
        """The numbers, as the experiment has them, (n,)."""
        return np.array([component.value for component in self.components])

    @property
    def scales(self) -> Array:
        """Changes by which an image changes visibly, (n,)."""
        return np.array([component.scale for component in self.components])

    @property
    def kinds(self) -> tuple[str, ...]:
        """What each number changes, see `point.Parameter`."""
        return tuple(
            PARAMETERS[group].kind for group, count in zip(self.groups, self.counts, strict=True) for _ in range(count)
        )

    def starting_at(self, values: ArrayLike) -> Parameters:
        """Return the same parameters with other values."""
        numbers = np.asarray(values, dtype=np.float64)
        self.point(numbers)
        pairs = zip(self.components, numbers.tolist(), strict=True)
        return replace(self, components=tuple(component._replace(value=value) for component, value in pairs))

    def __len__(self) -> int:
        return len(self.components)

    def __repr__(self) -> str:
        shown = ", ".join(f"{c.name} {c.value:g}{' ' + c.unit if c.unit else ''}" for c in self.components)
        return f"<Parameters: {shown}>"

    def point(self, values: ArrayLike | None = None) -> Point:
        """Return the experiment at some values, with what multiplies its photons; at its own by default.

        Raises
        ------
        InputError
            For a number of values that is not that of the parameters, or values that are not finite.
        """
        numbers = self.values if values is None else np.asarray(values, dtype=np.float64)
        if numbers.shape != (len(self),):
            raise InputError(f"parameters: values of the shape {numbers.shape}; {len(self)} numbers are needed")
        if not np.all(np.isfinite(numbers)):
            raise InputError("parameters: every value must be a finite number")
        point, at = Point(self.experiment), 0
        own = [c.value for name in self.groups for c in PARAMETERS[name].components(self.experiment)]
        for group, count in zip(self.groups, self.counts, strict=True):
            part = numbers[at : at + count]
            if group in ("B_factor", "scale", "background", "offset") or not np.array_equal(part, own[at : at + count]):
                point = PARAMETERS[group].change(point, self.experiment, part.tolist())
            at += count
        return point


def parameters_of(experiment: Experiment, names: Sequence[str]) -> Parameters:
    """Return parameters of an experiment.

    Raises
    ------
    InputError
        For an unknown name, the same name twice, or one that an image has no derivative by.
    """
    if len(experiment.crystals) != 1:
        raise InputError(f"parameters: there are {len(experiment.crystals)} crystals; one is needed here")
    if not names:
        raise InputError(f"parameters: there are none; allowed: {', '.join(PARAMETERS)}")
    for name in names:
        if name not in PARAMETERS:
            raise InputError(f"parameters: {name!r} is unknown; allowed: {', '.join(PARAMETERS)}")
    if len(set(names)) < len(names):
        raise InputError(f"parameters: {', '.join(names)}: each may be named once")
    if "cell" in names and "whole_cell" in names:
        raise InputError("parameters: cell and whole_cell are the same; one may be named")
    groups = tuple(name for name in PARAMETERS if name in names)
    for name in groups:
        _check(experiment, name)
    found = [PARAMETERS[name].components(experiment) for name in groups]
    return Parameters(
        experiment,
        groups,
        tuple(component for components in found for component in components),
        tuple(len(components) for components in found),
    )


def _check(experiment: Experiment, name: str) -> None:
    """Refuse what an image has no derivative by."""
    kind, shape = PARAMETERS[name].kind, experiment.crystal.shape
    if shape in _TOPHATS and kind not in _WITHOUT_OFFSETS:
        raise InputError(
            f"parameters: {name}: with shape {shape.value} pixels jump and have no derivative by it; allowed: "
            + ", ".join(known for known, parameter in PARAMETERS.items() if parameter.kind in _WITHOUT_OFFSETS)
        )
    if kind == "place" and experiment.detector.curved:
        raise InputError(f"parameters: {name}: a curved detector has no derivative by it here; give a flat one")
