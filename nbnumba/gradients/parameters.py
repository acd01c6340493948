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
from .model import Change, Component, Point, view
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
        Names that were asked for; of several crystals each has its own.
    crystals : tuple of int or None
        Which crystal each group is of; None: of all.
    """

    experiment: Experiment
    groups: tuple[str, ...]
    components: tuple[Component, ...]
    counts: tuple[int, ...]  # components of each group
    crystals: tuple[int | None, ...]

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
        base = self.experiment
        point = Point(base, scales=(1.0,) * len(base.crystals))
        own = self.parts(np.array([c.value for group in self._fresh for c in group]))
        for group, crystal, part, before in zip(self.groups, self.crystals, self.parts(numbers), own, strict=True):
            if group not in ("B_factor", "scale", "background", "offset") and np.array_equal(part, before):
                continue
            change = PARAMETERS[group].change
            if crystal is None:
                point = change(point, base, part.tolist())
            else:
                point = _with_one(point, crystal, change, view(base, crystal), part.tolist())
        return point

    @property
    def _fresh(self) -> list[list[Component]]:
        """Components of the groups, as the experiment has them."""
        return [
            PARAMETERS[group].components(view(self.experiment, crystal or 0))
            for group, crystal in zip(self.groups, self.crystals, strict=True)
        ]

    def parts(self, values: Array) -> list[Array]:
        """Values by group."""
        return np.split(values, np.cumsum(self.counts)[:-1])


def _with_one(point: Point, number: int, change: Change, base: Experiment, values: Sequence[float]) -> Point:
    """Return a point with one of its crystals changed."""
    alone = replace(point, experiment=view(point.experiment, number), scales=(point.scale_of(number),))
    changed = change(alone, base, values)
    if len(point.experiment.crystals) == 1:
        return changed
    crystals, scales = list(point.experiment.crystals), list(point.scales)
    crystals[number], scales[number] = changed.experiment.crystal, changed.scale_of(0)
    return replace(point.with_parts(crystals=tuple(crystals)), scales=tuple(scales))


def parameters_of(experiment: Experiment, names: Sequence[str]) -> Parameters:
    """Return parameters of an experiment.

    Raises
    ------
    InputError
        For an unknown name, the same name twice, or one that an image has no derivative by.
    """
    if not experiment.crystals:
        raise InputError("parameters: crystals: there are none; at least one is needed")
    if not names:
        raise InputError(f"parameters: there are none; allowed: {', '.join(PARAMETERS)}")
    for name in names:
        if name not in PARAMETERS:
            raise InputError(f"parameters: {name!r} is unknown; allowed: {', '.join(PARAMETERS)}")
    if len(set(names)) < len(names):
        raise InputError(f"parameters: {', '.join(names)}: each may be named once")
    if "cell" in names and "whole_cell" in names:
        raise InputError("parameters: cell and whole_cell are the same; one may be named")
    count = len(experiment.crystals)
    found: list[tuple[str, int | None, list[Component]]] = []
    for name in (name for name in PARAMETERS if name in names):
        for number in range(count if PARAMETERS[name].of_crystal else 1):
            one = view(experiment, number)
            _check(one, name)
            components = PARAMETERS[name].components(one)
            if PARAMETERS[name].of_crystal and count > 1:
                components = [component._replace(name=f"{component.name}_{number + 1}") for component in components]
            found.append((name, number if PARAMETERS[name].of_crystal else None, components))
    groups, crystals, parts = zip(*found, strict=True)
    return Parameters(
        experiment,
        groups,
        tuple(component for components in parts for component in components),
        tuple(len(components) for components in parts),
        crystals,
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
