"""How the scenes of an experiment change with its parameters.

All that a kernel reads is worked out at four values of each parameter, and differences of fourth order are taken: the
steps (`Component.step`) are such that they are good to some 1e-11. What depends on a pixel is differentiated by the
kernels, in closed form.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ..background.material import Material
from ..crystal.spot_shape import SpotShape, number_matrix, spot_shape
from ..errors import InputError
from ..experiment.model import Experiment
from ..experiment.passes import split_into_passes
from ..experiment.scene import SHAPES, build_passes, orientations_of, sources_of
from ..geometry.vectors import Array
from ..kernels.gradient.tangents import FORM, Tangents, no_tangents
from ..kernels.scene import GAUSS, RECORD, ROUND, SQUARE, TOPHAT, Scene
from .parameters import Parameters
from .point import Point

# Numbers of a scene that an image depends on smoothly; what makes the form of spots is in the form.
_PLACES = ("origin", "fast", "slow", "normal", "close_distance", "layer_step")
_OTHERS = ("mu", "polar_axis", "kahn")
_SPREADS = ("mosaicity", "bandwidth", "divergence")
WEIGHTS = ((-2, 1.0 / 12.0), (-1, -8.0 / 12.0), (1, 8.0 / 12.0), (2, -1.0 / 12.0))

SPOTS = ("crystal", "spot", "factors")  # kinds that materials around the crystal do not depend on
Scenes = list[list[Scene]]  # passes, and panels of each
Inputs = dict[str, Array]  # what a kernel reads of one scene, as far as it may change


def form_of(scene: Scene, scale: float) -> Array:
    """How the lattice factor of a scene depends on the offset from a reflection, (FORM,); see `Tangents`."""
    N = scene.numbers["N"][0]
    spot = SpotShape(scene.triangle, scene.spot_scale, scene.spot_height, scene.spot_width, scene.spot_limit)
    form = np.zeros(FORM)
    form[:6], height = _form(scene.shape, N, scene.fudge, spot)
    form[6] = scale * (height if scene.shape in (GAUSS, TOPHAT) else 1.0)
    return form


def _form(shape: int, N: Array, fudge: float, spot: SpotShape) -> tuple[Array, float]:
    """Return the first six numbers of a form, and what intensities are proportional to."""
    form = np.zeros(6)
    a, b, c = float(N[0, 0]), float(N[1, 1]), float(N[2, 2])
    if shape == SQUARE:
        form[:3] = a, b, c
        return form, 1.0
    if shape == ROUND:
        form[0], form[3], form[5] = a * a * fudge, b * b * fudge, c * c * fudge
        return form, (a * b * c) ** 2
    xa, xb, xc, yb, yc, zc = spot.triangle.tolist()
    factor = spot.scale**2 * fudge / (spot.width if shape == GAUSS else 1.0)
    form[:] = xa * xa, xa * xb, xa * xc, xb * xb + yb * yb, xb * xc + yb * yc, xc * xc + yc * yc + zc * zc
    return form * factor, spot.height**2


class Differences:
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
        self.scenes: Scenes = build_passes(self.point.experiment)

    def tangents(self, direction: Array | None = None) -> list[list[Tangents]]:
        """Return the tangents of every scene: by every parameter, or along one direction of them."""
        found = [[no_tangents(scene, form_of(scene, self.point.scale)) for scene in panels] for panels in self.scenes]
        changes = [self._changes(number) for number in range(len(self.parameters))]
        self._check_effects(changes)
        for i, panels in enumerate(self.scenes):
            for j, scene in enumerate(panels):
                own = [change[i][j] for change in changes]
                if direction is not None:
                    own = [_along(own, direction)]
                found[i][j] = _tangents(scene, found[i][j].form, own)
        return found

    def _changes(self, number: int) -> list[list[_Change]]:
        """Return what one parameter changes of every scene, per unit of it."""
        component = self.parameters.components[number]
        name = component.name
        if name == "scale":
            return [[_Change(log_height=1.0 / self.point.scale) for _ in panels] for panels in self.scenes]
        if name in ("background", "offset"):
            return [[_Change() for _ in panels] for panels in self.scenes]
        at = [self._inputs_at(number, steps * component.step) for steps, _ in WEIGHTS]
        weights = [weight / component.step for _, weight in WEIGHTS]
        return [
            [_change(scene, [inputs[i][j] for inputs in at], weights) for j, scene in enumerate(panels)]
            for i, panels in enumerate(self.scenes)
        ]

    def _check_effects(self, changes: Sequence[list[list[_Change]]]) -> None:
        """Refuse parameters that change nothing: a derivative of zero would pass for an answer."""
        materials = any(isinstance(material, Material) for material in self.point.experiment.background)
        for name, kind, change in zip(self.parameters.names, self.parameters.kinds, changes, strict=True):
            there = any(one.there for panels in change for one in panels)
            if not there and kind != "photons" and not (materials and kind not in SPOTS):
                raise InputError(f"parameters: {name}: has no effect on this image")

    def _inputs_at(self, number: int, step: float) -> list[list[Inputs]]:
        """Return what the kernels read of every scene where one parameter is another."""
        experiment = self.point_at(number, step).experiment
        kind = self.parameters.kinds[number]
        # The B factor weakens a table by the cell and the wavelength, and a table of default_F ends where these say.
        weakened = any(crystal.B_factor != 0.0 for crystal in experiment.crystals)
        if kind in _PARTLY and not weakened:
            return [_partly(part.experiment, kind) for part in split_into_passes(experiment)]
        return [
            [_inputs(scene, own) for scene, own in zip(panels, mine, strict=True)]
            for panels, mine in zip(build_passes(experiment), self.scenes, strict=True)
        ]

    def point_at(self, number: int, step: float) -> Point:
        """Return the point at which one parameter is another."""
        values = self.values.copy()
        values[number] += step
        return self.parameters.point(values)


_PARTLY = ("crystal", "spot", "place", "beam")  # kinds of which it is known what they change


def _partly(experiment: Experiment, kind: str) -> list[Inputs]:
    """What parameters of one kind may change of the scenes of a pass: much less work than scenes."""
    if kind == "beam":
        return [{"sources": sources_of(experiment)}] * len(experiment.detector.panels)
    if kind == "place":
        return [
            {
                "origin": panel.origin,
                "fast": panel.fast,
                "slow": panel.slow,
                "normal": panel.normal,
                "close_distance": np.float64(panel.close_distance),  # type: ignore[dict-item]
            }
            for panel in experiment.detector.panels
        ]
    crystal, spread = experiment.crystal, experiment.closed_form
    form, height = _form(SHAPES[crystal.shape], number_matrix(crystal), crystal.fudge, spot_shape(crystal))
    inputs = {
        "orientations": orientations_of(experiment),
        "form": form,
        "log_height": np.log(height),
    }
    if spread is not None:
        inputs |= {
            "mosaicity": spread.mosaicity,
            "bandwidth": np.float64(spread.bandwidth),
            "divergence": spread.divergence,
        }
    return [inputs] * len(experiment.detector.panels)


def _inputs(scene: Scene, base: Scene) -> Inputs:
    """All that may change of a scene; of its table the part that another scene has."""
    N = scene.numbers["N"][0]
    spot = SpotShape(scene.triangle, scene.spot_scale, scene.spot_height, scene.spot_width, scene.spot_limit)
    form, height = _form(scene.shape, N, scene.fudge, spot)
    inputs: Inputs = {name: scene.numbers[name][0] for name in (*_PLACES, *_OTHERS, *_SPREADS)}
    inputs |= {"sources": scene.sources, "orientations": scene.orientations, "form": form, "log_height": np.log(height)}
    if scene.flat is not base.flat:
        inputs["table"] = _as_in(base, scene)
    return inputs


class _Change:
    """Derivatives of one scene by one parameter."""

    def __init__(self, log_height: float = 0.0) -> None:
        self.numbers: dict[str, Array] = {}
        self.sources: Array | None = None
        self.orientations: Array | None = None
        self.form: Array = np.zeros(6)
        self.log_height = log_height
        self.table: Array | None = None

    @property
    def there(self) -> bool:
        """Whether anything changes."""
        arrays = (self.sources, self.orientations, self.table)
        numbers = bool(self.numbers) or self.log_height != 0.0 or bool(np.any(self.form != 0.0))
        return numbers or any(array is not None for array in arrays)


def _change(scene: Scene, others: Sequence[Inputs], weights: Sequence[float]) -> _Change:
    """Take the differences between what kernels read at some values of a parameter."""
    change = _Change()
    without: list[str] = [] if scene.polarized else ["polar_axis", "kahn"]
    without += [] if scene.sensor else ["layer_step", "mu"]
    for name in others[0]:
        values = [other[name] for other in others]
        if name in without or all(np.array_equal(values[0], value) for value in values[1:]):
            continue
        found = np.asarray(sum(w * value for w, value in zip(weights, values, strict=True)))
        if name == "log_height":
            change.log_height = float(found)
        elif name in ("sources", "orientations", "form", "table"):
            setattr(change, name, found)
        else:
            change.numbers[name] = found
    return change


def _as_in(scene: Scene, other: Scene) -> Array:
    """The table of another scene for the indices that one has, flat; what it lacks has the value of its border."""
    if other.flat.shape == scene.flat.shape and _minima(other) == _minima(scene):
        return other.flat
    theirs = other.table
    shifts = [own - their for own, their in zip(_minima(scene), _minima(other), strict=True)]
    places = [
        np.clip(np.arange(size) + shift, 0, limit - 1)
        for size, shift, limit in zip(scene.table.shape, shifts, theirs.shape, strict=True)
    ]
    return np.asarray(theirs[np.ix_(*places)].reshape(-1))


def _minima(scene: Scene) -> tuple[int, int, int]:
    return scene.h_min, scene.k_min, scene.l_min


def _along(changes: Sequence[_Change], direction: Array) -> _Change:
    """Return the change along a direction."""

    def total(parts: Sequence[tuple[float, Array | None]]) -> Array | None:
        there = [share * part for share, part in parts if part is not None and share != 0.0]
        return np.asarray(sum(there)) if there else None

    pairs = [(float(share), change) for share, change in zip(direction, changes, strict=True)]
    result = _Change(sum(share * change.log_height for share, change in pairs))
    for name in {name for change in changes for name in change.numbers}:
        found = total([(share, change.numbers.get(name)) for share, change in pairs])
        if found is not None:
            result.numbers[name] = found
    result.sources = total([(share, change.sources) for share, change in pairs])
    result.orientations = total([(share, change.orientations) for share, change in pairs])
    result.form = np.asarray(sum(share * change.form for share, change in pairs))
    result.table = total([(share, change.table) for share, change in pairs])
    return result


def _tangents(scene: Scene, form: Array, changes: Sequence[_Change]) -> Tangents:
    """Put the changes of a scene into the arrays that a kernel reads."""
    count = len(changes)
    numbers: NDArray[np.void] = np.zeros(count, scene.numbers.dtype)
    for name in RECORD.names or ():
        numbers[name] = np.zeros((), RECORD[name])
    sources, forms = np.zeros((count, *scene.sources.shape)), np.zeros((count, FORM))
    strains = np.zeros((count, len(scene.orientations), 9))
    moving = np.zeros(count, dtype=np.bool_)
    together, apart = moving.copy(), moving.copy()
    tables: list[Array] = []
    table_of = np.full(count, -1, dtype=np.int64)
    axes = scene.orientations.reshape(-1, 3, 3)
    inverse = np.linalg.inv(axes)
    for i, change in enumerate(changes):
        for name, value in change.numbers.items():
            numbers[name][i] = value
            moving[i] |= name in (*_PLACES, *_OTHERS)
        if change.sources is not None:
            sources[i], moving[i] = change.sources, True
        if change.orientations is not None:
            strains[i] = (change.orientations.reshape(-1, 3, 3) @ inverse).reshape(-1, 9)
            spread = np.abs(strains[i] - strains[i, 0]).max()
            apart[i] = spread > 1e-9 * np.abs(strains[i]).max()
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
