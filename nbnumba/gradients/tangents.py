"""The tangents of the scenes of an experiment: what the kernels read of how they change with its parameters."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ..background.material import Material
from ..crystal.spot_shape import SpotShape
from ..errors import InputError
from ..experiment.passes import split_into_passes
from ..experiment.scene import build_scenes
from ..geometry.vectors import Array
from ..kernels.gradient.tangents import FORM, Tangents
from ..kernels.scene import GAUSS, TOPHAT, Scene
from .chain import CHAINS, Place, spot_form
from .change import Change, along
from .model import Point, view
from .parameters import Parameters

# Numbers of a scene that move its pixels or their factors.
_MOVING = frozenset({"origin", "fast", "slow", "normal", "close_distance", "layer_step", "mu", "polar_axis", "kahn"})
WEIGHTS = ((-2, 1.0 / 12.0), (-1, -8.0 / 12.0), (1, 8.0 / 12.0), (2, -1.0 / 12.0))  # differences of fourth order

SPOTS = ("crystal", "spot", "factors")  # kinds that materials around the crystal do not depend on
Scenes = list[list[Scene]]  # passes, and panels of each


def form_of(scene: Scene, scale: float) -> Array:
    """How the lattice factor of a scene depends on the offset from a reflection, (FORM,); see `Tangents`."""
    N = scene.numbers["N"][0]
    spot = SpotShape(scene.triangle, scene.spot_scale, scene.spot_height, scene.spot_width, scene.spot_limit)
    form = np.zeros(FORM)
    form[:6], height = spot_form(scene.shape, N, scene.fudge, spot)
    form[6] = scale * (height if scene.shape in (GAUSS, TOPHAT) else 1.0)
    return form


class Slopes:
    """Scenes of an experiment with their tangents, for some parameters.

    Parameters
    ----------
    parameters : Parameters
    values : (n,)
        At which they are taken.
    """

    def __init__(self, parameters: Parameters, values: Array) -> None:
        self.parameters, self.values = parameters, values
        self.point = parameters.point(values)
        self._parts = split_into_passes(self.point.experiment)
        self.scenes: Scenes = [build_scenes(part.experiment) for part in self._parts]

    def form(self, number: int, scene: Scene) -> Array:
        """The form of a scene of some pass, (FORM,)."""
        return form_of(scene, self.point.scale_of(self._parts[number].crystal))

    def tangents(self, direction: Array | None = None) -> list[list[Tangents]]:
        """Return the tangents of every scene: by every parameter, or along one direction of them."""
        changes = self._changes()
        self._check_effects(changes)
        found: list[list[Tangents]] = []
        for i, panels in enumerate(self.scenes):
            found.append([])
            for j, scene in enumerate(panels):
                own = [change[i][j] for change in changes]
                if direction is not None:
                    own = [along(own, direction)]
                found[i].append(_tangents(scene, self.form(i, scene), own))
        return found

    def _changes(self) -> list[list[list[Change]]]:
        """Return what each parameter changes, per unit of it, of every scene of every pass."""
        parameters, by_pass = self.parameters, []
        values = [part.tolist() for part in parameters.parts(self.values)]
        for part, scenes in zip(self._parts, self.scenes, strict=True):
            own = [crystal in (None, part.crystal) for crystal in parameters.crystals]
            known = dict(itertools.compress(zip(parameters.groups, values, strict=True), own))
            place = Place(self.point, view(parameters.experiment, part.crystal), part, scenes, known)
            changes: list[list[Change]] = []
            for group, count, has in zip(parameters.groups, parameters.counts, own, strict=True):
                changes += CHAINS[group](place) if has else [[Change()] * len(scenes) for _ in range(count)]
            by_pass.append(changes)
        return [list(of_one) for of_one in zip(*by_pass, strict=True)]

    def _check_effects(self, changes: Sequence[list[list[Change]]]) -> None:
        """Refuse parameters that change nothing: a derivative of zero would pass for an answer."""
        materials = any(isinstance(material, Material) for material in self.point.experiment.background)
        for name, kind, change in zip(self.parameters.names, self.parameters.kinds, changes, strict=True):
            there = any(one.there for panels in change for one in panels)
            if not there and kind != "photons" and not (materials and kind not in SPOTS):
                raise InputError(f"parameters: {name}: has no effect on this image")

    def point_at(self, number: int, step: float) -> Point:
        """Return the point at which one parameter is another."""
        values = self.values.copy()
        values[number] += step
        return self.parameters.point(values)


def _tangents(scene: Scene, form: Array, changes: Sequence[Change]) -> Tangents:
    """Put the changes of a scene into the arrays that a kernel reads."""
    count = len(changes)
    numbers: NDArray[np.void] = np.zeros(count, scene.numbers.dtype)
    sources, forms = np.zeros((count, *scene.sources.shape)), np.zeros((count, FORM))
    strains = np.zeros((count, len(scene.orientations), 9))
    moving = np.zeros(count, dtype=np.bool_)
    together, apart = moving.copy(), moving.copy()
    tables: list[Array] = []
    table_of = np.full(count, -1, dtype=np.int64)
    for i, change in enumerate(changes):
        for name, value in change.numbers.items():
            numbers[name][i] = value
            moving[i] |= name in _MOVING
        if change.sources is not None:
            sources[i], moving[i] = change.sources, True
        if change.strain is not None:
            strains[i] = change.strain
            apart[i] = len(change.strain) > 1 and bool(
                np.abs(change.strain - change.strain[0]).max() > 1e-9 * np.abs(change.strain).max()
            )
            together[i] = not apart[i]
        forms[i, :6], forms[i, 6] = change.form, change.log_height
        if change.table is not None:
            table_of[i] = len(tables)
            tables.append(change.table)
    return Tangents(
        form=form,
        numbers=numbers,
        sources=sources,
        strains=strains,
        forms=forms,
        tables=np.array(tables) if tables else np.zeros((0, 1)),
        table_of=table_of,
        moving=moving,
        strained=together,
        strained_apart=apart,
    )
