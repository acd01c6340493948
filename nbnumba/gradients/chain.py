"""How what the kernels read changes with each parameter, in closed form.

A turn or a strain of a crystal changes its axes a, b, c, in whatever orientation, by S (a, b, c) with a matrix S;
panels move; sources and tables of structure factors change. What depends on a pixel is left to the kernels.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from ..crystal.ensembles import CRYSTAL_FIXED
from ..crystal.lattice import upright_reciprocal
from ..crystal.model import Crystal
from ..crystal.spot_shape import SpotShape, number_matrix, spot_shape
from ..detector.model import Panel
from ..experiment.model import Experiment
from ..experiment.passes import Pass
from ..experiment.scene import SHAPES
from ..geometry.vectors import Array
from ..kernels.scene import GAUSS, ROUND, SQUARE, Scene
from ..parameters.choices import Shape
from .cell import all_constants, cell_at, constants_by, free_constants
from .change import Change
from .model import Component, Point
from .point import beam_spot, beam_turns, rotation, rotation_vectors, way_of_distance

_DEGREE = math.pi / 180.0


class Place(NamedTuple):
    """A pass of an experiment at some values of the parameters, and where they started.

    Attributes
    ----------
    point : Point
    base : Experiment
        The one that the values of the parameters were taken from, with the crystal of the pass alone.
    part : Pass
    scenes : list of Scene
        Of the panels.
    values : dict
        From the names of the parameters' groups, of those that the crystal has, to the values of their components.
    """

    point: Point
    base: Experiment
    part: Pass
    scenes: list[Scene]
    values: dict[str, list[float]]

    @property
    def crystal(self) -> Crystal:
        """The crystal of the pass."""
        return self.part.experiment.crystal


# Of each component of a group, the changes of every panel.
Chain = Callable[[Place], list[list[Change]]]


def spot_form(shape: int, N: Array, fudge: float, spot: SpotShape) -> tuple[Array, float]:
    """Return the first six numbers of a form (see `Tangents`), and what intensities are proportional to."""
    form = np.zeros(6)
    a, b, c = float(N[0, 0]), float(N[1, 1]), float(N[2, 2])
    if shape == SQUARE:
        form[:3] = a, b, c
        return form, 1.0
    if shape == ROUND:
        form[0], form[3], form[5] = a * a * fudge, b * b * fudge, c * c * fudge
        return form, (a * b * c) ** 2
    return _upper(_metric(spot)) * (_factor(shape, spot) * fudge), spot.height**2


def _upper(matrix: Array) -> Array:
    """The upper triangle of a symmetric matrix, row by row, (6,)."""
    return np.array([matrix[0, 0], matrix[0, 1], matrix[0, 2], matrix[1, 1], matrix[1, 2], matrix[2, 2]])


def _metric(spot: SpotShape) -> Array:
    """R^T R of a compact spot, (3, 3)."""
    xa, xb, xc, yb, yc, zc = spot.triangle.tolist()
    triangle = np.array([[xa, xb, xc], [0.0, yb, yc], [0.0, 0.0, zc]])
    return np.asarray(triangle.T @ triangle)


def _factor(shape: int, spot: SpotShape) -> float:
    return spot.scale**2 / (spot.width if shape == GAUSS else 1.0)


def _everywhere(place: Place, changes: Sequence[Change]) -> list[list[Change]]:
    """Changes that all panels have in common."""
    return [[change] * len(place.scenes) for change in changes]


def _strained(place: Place, S: Array) -> Change:
    """Change by which the axes of the crystal become S (a, b, c) more than they were, and its spots with them."""
    crystal, stretches = place.crystal, place.crystal.domain_stretches
    change = Change(strain=S.reshape(1, 9))
    if stretches is not None:
        # Each domain has axes of its own: diag(s) (a, b, c).
        own = stretches[:, :, None] * S / stretches[:, None, :]
        change.strain = np.tile(own.reshape(-1, 9), (place.part.experiment.goniometer.steps, 1))
    if crystal.shape in (Shape.GAUSS, Shape.GAUSS_STAR):
        spot = spot_shape(crystal)
        metric = _metric(spot)
        moved = -S.T @ metric
        moved += moved.T
        if crystal.shape is Shape.GAUSS_STAR:
            moved += 2.0 / 3.0 * np.trace(S) * metric
        change.form = _upper(moved) * (_factor(GAUSS, spot) * crystal.fudge)
    if crystal.B_factor != 0.0:
        change.table = _weakened(place, -S.T)
    return change


def _weakened(place: Place, way: Array | None = None) -> Array:
    """Change of the table with the B factor, or with reciprocal axes that become `way` (a*, b*, c*) more, (cells,)."""
    scene, crystal = place.scenes[0], place.crystal
    reciprocal = np.linalg.inv(crystal.real_space * 1e10).T
    metric = reciprocal @ reciprocal.T
    if way is not None:
        metric = way @ metric + metric @ way.T
    # The border holds zeros, whatever index it is taken for.
    h, k, l = (
        np.arange(low - 1.0, low - 1.0 + size)
        for low, size in zip((scene.h_min, scene.k_min, scene.l_min), scene.table.shape, strict=True)
    )
    h, k, l = h[:, None, None], k[None, :, None], l[None, None, :]
    squared = metric[0, 0] * h * h + metric[1, 1] * k * k + metric[2, 2] * l * l
    squared = squared + 2.0 * (metric[0, 1] * h * k + metric[0, 2] * h * l + metric[1, 2] * k * l)
    rate = -0.25 if way is None else -0.25 * crystal.B_factor
    return np.asarray((rate * squared * scene.table).reshape(-1))


def _turned(place: Place, axis: Array) -> Array:
    """Strain of a crystal whose axes turn about a vector."""
    axes = place.crystal.real_space
    return np.asarray(np.cross(axis, axes) @ np.linalg.inv(axes))


def _turned_apart(place: Place, vectors: Array) -> Array:
    """Strains of the orientations as they turn about vectors of their own, (n, 9)."""
    axes = place.scenes[0].orientations.reshape(-1, 3, 3)
    turned = np.cross(np.broadcast_to(vectors[:, None, :], axes.shape), axes)
    return np.asarray((turned @ np.linalg.inv(axes)).reshape(-1, 9))


def _axes_of_turns(values: Sequence[float]) -> Array:
    """About which vectors a turn about x, then y, then z goes on with each of its angles, (3, 3)."""
    _, y, z = values
    return np.array([rotation((0.0, y, z))[:, 0], rotation((0.0, 0.0, z))[:, 1], [0.0, 0.0, 1.0]])


def _misset(place: Place) -> list[list[Change]]:
    axes = _axes_of_turns(place.values["misset"]) * _DEGREE
    return _everywhere(place, [_strained(place, _turned(place, axis)) for axis in axes])


def _cell(place: Place) -> list[list[Change]]:
    return _of_cell(place, free_constants(place.base), place.values["cell"])


def _whole_cell(place: Place) -> list[list[Change]]:
    return _of_cell(place, all_constants(place.base), place.values["whole_cell"])


def _of_cell(place: Place, components: Sequence[Component], values: Sequence[float]) -> list[list[Change]]:
    """Change of the axes with lengths and angles of the cell.

    Notes
    -----
    The reciprocal axes U are the triangular root of the inverse of the metric G of a, b, c: U^-1 dU is the lower
    triangle of -U^T dG U, with half its diagonal.
    """
    lengths, angles = cell_at(place.base, components, values)
    U = upright_reciprocal(lengths, angles)
    inverse = np.linalg.inv(U)
    found = []
    for slope in constants_by(place.base, components):
        core = -U.T @ _metric_slope(lengths, angles, slope[:3], slope[3:]) @ U
        triangle = np.tril(core, -1) + np.diag(0.5 * np.diagonal(core))
        found.append(_strained(place, -(U @ triangle @ inverse).T))
    return _everywhere(place, found)


def _metric_slope(lengths: Array, angles: Array, d_lengths: Array, d_angles: Array) -> Array:
    """Change of the products of a, b, c with one another, (3, 3)."""
    change = np.zeros((3, 3))
    for i, (j, k) in enumerate(((1, 2), (0, 2), (0, 1))):
        product = (d_lengths[j] * lengths[k] + lengths[j] * d_lengths[k]) * math.cos(angles[i])
        change[j, k] = change[k, j] = product - lengths[j] * lengths[k] * math.sin(angles[i]) * d_angles[i]
        change[i, i] = 2.0 * lengths[i] * d_lengths[i]
    return change


def _phi(place: Place) -> list[list[Change]]:
    gonio, crystal = place.part.experiment.goniometer, place.crystal
    rotations = crystal.mosaic_rotations
    if crystal.mosaic_model in CRYSTAL_FIXED:
        rotations = np.broadcast_to(np.eye(3), rotations.shape)
    axes = np.tile(rotations @ gonio.spindle, (gonio.steps, 1))
    return _everywhere(place, [Change(strain=_turned_apart(place, axes * _DEGREE))])


def _mosaic_spread(place: Place) -> list[list[Change]]:
    crystal, experiment = place.crystal, place.part.experiment
    value = math.degrees(crystal.mosaic_spread)
    if experiment.closed_form is not None:
        # Variances go with the square of the spread.
        return _everywhere(place, [Change(numbers={"mosaicity": experiment.closed_form.mosaicity * (2.0 / value)})])
    vectors, gonio = rotation_vectors(crystal.mosaic_rotations) / value, experiment.goniometer
    if crystal.mosaic_model in CRYSTAL_FIXED:
        of_all = np.concatenate([vectors @ gonio.turn(float(angle)).T for angle in gonio.angles])
    else:
        of_all = np.tile(vectors, (gonio.steps, 1))
    return _everywhere(place, [Change(strain=_turned_apart(place, of_all))])


def _N(place: Place) -> list[list[Change]]:
    crystal = place.crystal
    shape, cells, fudge = SHAPES[crystal.shape], np.array(crystal.cells, dtype=np.float64), crystal.fudge
    if shape == SQUARE:
        return _everywhere(place, [Change(form=row) for row in np.eye(6)[:3]])
    if shape == ROUND:
        slots = (0, 3, 5)
        changes = [
            Change(form=2.0 * n * fudge * np.eye(6)[slot], log_height=2.0 / n)
            for slot, n in zip(slots, cells.tolist(), strict=True)
        ]
        return _everywhere(place, changes)
    if crystal.shape is Shape.GAUSS:
        form, _ = spot_form(shape, number_matrix(crystal), fudge, spot_shape(crystal))
        return _everywhere(place, [Change(form=2.0 / n * form, log_height=2.0 / n) for n in cells.tolist()])
    return _by_matrix(place, [np.diag(row) for row in np.eye(3)])


def _N_between(place: Place) -> list[list[Change]]:
    steps = np.zeros((3, 3, 3))
    for step, (i, j) in zip(steps, ((0, 1), (1, 2), (0, 2)), strict=True):
        step[i, j] = step[j, i] = 1.0
    return _by_matrix(place, list(steps))


def _by_matrix(place: Place, steps: Sequence[Array]) -> list[list[Change]]:
    """Changes with the matrix N of a shape that has one."""
    crystal = place.crystal
    N, spot = number_matrix(crystal), spot_shape(crystal)
    factor, inverse = _factor(GAUSS, spot) * crystal.fudge, np.linalg.inv(N)
    changes = []
    for E in steps:
        log_height = 2.0 * float(np.trace(inverse @ E))
        moved = N @ E + E @ N
        if crystal.shape is Shape.GAUSS_STAR:
            moved = log_height / 3.0 * _metric(spot)
        changes.append(Change(form=_upper(moved) * factor, log_height=log_height))
    return _everywhere(place, changes)


def _fudge(place: Place) -> list[list[Change]]:
    crystal = place.crystal
    form, _ = spot_form(SHAPES[crystal.shape], number_matrix(crystal), 1.0, spot_shape(crystal))
    return _everywhere(place, [Change(form=form)])


def _bandwidth(place: Place) -> list[list[Change]]:
    return _everywhere(place, [Change(numbers={"bandwidth": np.array(0.01)})])


def _divergence(place: Place) -> list[list[Change]]:
    spread = place.part.experiment.closed_form
    assert spread is not None
    # Variances go with the square.
    rate = 2.0 / place.values["divergence"][0]
    return _everywhere(place, [Change(numbers={"divergence": spread.divergence * rate})])


def _beam_direction(place: Place) -> list[list[Change]]:
    experiment, sources = place.part.experiment, place.scenes[0].sources
    changes = []
    for axis in 1e-3 * beam_turns(place.base, place.values["beam_direction"])[1]:
        moved = np.zeros_like(sources)
        moved[:, :3] = np.cross(axis, sources[:, :3])
        numbers = {}
        if place.scenes[0].polarized:
            numbers["polar_axis"] = np.cross(axis, experiment.beam.polarization_axis)
        if experiment.closed_form is not None:
            spun = np.cross(axis, experiment.closed_form.divergence.T).T
            numbers["divergence"] = spun + spun.T
        changes.append(Change(numbers=numbers, sources=moved))
    return _everywhere(place, changes)


def _B_factor(place: Place) -> list[list[Change]]:
    return _everywhere(place, [Change(table=_weakened(place))])


def _moved(panel: Panel, origin: Array, turn: Array) -> Change:
    """Change of a panel whose corner moves by `origin` and whose axes turn about `turn`."""
    fast, slow, normal = (np.cross(turn, axis) for axis in (panel.fast, panel.slow, panel.normal))
    close = origin @ panel.normal + panel.origin @ normal
    numbers = {"origin": origin, "fast": fast, "slow": slow, "normal": normal, "close_distance": np.asarray(close)}
    return Change(numbers={name: value for name, value in numbers.items() if np.any(value != 0.0)})


def _shifted(place: Place, shift: Array) -> list[Change]:
    """Changes of panels that are moved before the detector is turned."""
    base, beam = place.base.detector, place.base.beam.direction
    values = place.values.get("detector_rotation", [0.0, 0.0, 0.0])
    first = base.panels[0]
    pivot = (shift @ first.normal) / (beam @ first.normal) * beam
    moved = pivot + rotation(values) @ (shift - pivot)
    return [_moved(panel, moved, np.zeros(3)) for panel in place.point.experiment.detector.panels]


def _distance(place: Place) -> list[list[Change]]:
    detector, beam = place.base.detector, place.base.beam.direction
    return [_shifted(place, 1e-3 * way_of_distance(detector, beam))]


def _beam_center(place: Place) -> list[list[Change]]:
    first = place.base.detector.panels[0]
    return [_shifted(place, -1e-3 * first.fast), _shifted(place, -1e-3 * first.slow)]


def _detector_rotation(place: Place) -> list[list[Change]]:
    panels, beam = place.point.experiment.detector.panels, place.base.beam.direction
    pivot = beam_spot(panels[0], beam)
    axes = _axes_of_turns(place.values["detector_rotation"]) * _DEGREE
    return [[_moved(panel, np.cross(axis, panel.origin - pivot), axis) for panel in panels] for axis in axes]


def _wavelength(place: Place) -> list[list[Change]]:
    sources = place.scenes[0].sources
    change = np.zeros_like(sources)
    change[:, 3] = -sources[:, 3] / place.values["wavelength"][0]
    return _everywhere(place, [Change(sources=change)])


def _polarization(place: Place) -> list[list[Change]]:
    return _everywhere(place, [Change(numbers={"kahn": np.array(1.0)} if place.scenes[0].polarized else {})])


def _scale(place: Place) -> list[list[Change]]:
    return _everywhere(place, [Change(log_height=1.0 / place.point.scale_of(place.part.crystal))])


def _elsewhere(place: Place) -> list[list[Change]]:
    """Of what adds to the photons of crystals or spreads them, see `Linearization`."""
    return _everywhere(place, [Change()])


CHAINS: dict[str, Chain] = {
    "cell": _cell,
    "whole_cell": _whole_cell,
    "misset": _misset,
    "phi": _phi,
    "N": _N,
    "N_between": _N_between,
    "fudge": _fudge,
    "mosaic_spread": _mosaic_spread,
    "bandwidth": _bandwidth,
    "divergence": _divergence,
    "B_factor": _B_factor,
    "distance": _distance,
    "beam_center": _beam_center,
    "detector_rotation": _detector_rotation,
    "wavelength": _wavelength,
    "beam_direction": _beam_direction,
    "polarization": _polarization,
    "psf_fwhm": _elsewhere,
    "scale": _scale,
    "background": _elsewhere,
    "offset": _elsewhere,
}
