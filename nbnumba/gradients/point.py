"""An experiment at some values of its parameters, and how each parameter changes it."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from ..background.material import Material
from ..crystal.lattice import cell_of_vectors, upright_reciprocal
from ..crystal.model import Crystal
from ..crystal.spot_shape import BY_MATRIX, GAUSSIAN
from ..detector.model import Detector, Panel
from ..detector.placement import final_center
from ..errors import InputError
from ..experiment.model import Experiment
from ..geometry.vectors import Array, dot, rotate_xyz
from ..parameters.choices import Pivot, Shape

_SAME = 1e-6  # relative difference of lengths, and of angles from a special one, that are meant to be the same


@dataclass(frozen=True, eq=False)
class Point:
    """An experiment, and what multiplies or adds to its photons.

    Attributes
    ----------
    experiment : Experiment
    scale : float
        Of the crystal's photons.
    background : float
        Of the photons of materials around the crystal.
    offset : float [photons/pixel]
        Added to every pixel.
    """

    experiment: Experiment
    scale: float = 1.0
    background: float = 1.0
    offset: float = 0.0

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
    """

    components: Callable[[Experiment], list[Component]]
    change: Change
    kind: str


def with_axes(crystal: Crystal, real_space: Array) -> Crystal:
    """Return a crystal with other axes a, b, c, rows [m].

    Its reciprocal axes change along, so that they stay what they were to the real ones: under the semantics of C these
    are not quite those of a triclinic cell.
    """
    strain = real_space @ np.linalg.inv(crystal.real_space)
    reciprocal: Array = np.asarray(np.linalg.inv(strain).T @ crystal.reciprocal_A, dtype=np.float64)
    lengths, angles = cell_of_vectors(real_space * 1e10)
    star_lengths, star_angles = cell_of_vectors(reciprocal)
    return dataclasses.replace(
        crystal,
        real_space=real_space,
        reciprocal_A=reciprocal,
        lengths_A=lengths,
        angles=angles,
        reciprocal_lengths_A=star_lengths,
        reciprocal_angles=star_angles,
        volume_A3=crystal.volume_A3 * abs(float(np.linalg.det(strain))),
    )


def _rotation(angles_deg: Sequence[float]) -> Array:
    """Matrix that turns column vectors about x, then y, then z, (3, 3)."""
    x, y, z = (math.radians(angle) for angle in angles_deg)
    return np.array([rotate_xyz(row, x, y, z) for row in np.eye(3)]).T


def _misset(experiment: Experiment) -> list[Component]:
    angles = experiment.crystal.misset or (0.0, 0.0, 0.0)
    return [
        Component(f"misset_{axis}", "deg", math.degrees(angle), 0.01, 0.03)
        for axis, angle in zip("xyz", angles, strict=True)
    ]


def _set_misset(point: Point, base: Experiment, values: Sequence[float]) -> Point:
    crystal = point.experiment.crystal
    before = _rotation([math.degrees(angle) for angle in base.crystal.misset or (0.0, 0.0, 0.0)])
    turn = _rotation(values) @ before.T
    x, y, z = (math.radians(value) for value in values)
    # Of a crystal whose angles are not known they stay so: its axes are turned as they stand.
    misset = (x, y, z) if crystal.misset is not None else None
    turned = with_axes(crystal, crystal.real_space @ turn.T)
    return point.with_parts(crystals=(dataclasses.replace(turned, misset=misset),))


def _cell(experiment: Experiment) -> list[Component]:
    """Free constants of the cell: lengths that are the same stay the same, angles of 90 and 120 degrees stay."""
    lengths, angles = experiment.crystal.lengths_A, np.degrees(experiment.crystal.angles)
    found = [
        Component(f"cell_{name}", "Angstrom", float(lengths[i]), 0.01, 1e-3 * float(lengths[i]), 1.0)
        for i, name in enumerate("abc")
        if i == _first_like(lengths, i)
    ]
    equal = abs(angles[1] / angles[0] - 1.0) < _SAME and abs(angles[2] / angles[0] - 1.0) < _SAME
    rhombohedral = len(found) == 1 and equal
    for i, name in enumerate(("alpha", "beta", "gamma")):
        special = min(abs(float(angles[i]) - 90.0), abs(float(angles[i]) - 120.0)) < 90.0 * _SAME
        if not special and (i == 0 or not rhombohedral):
            found.append(Component(f"cell_{name}", "deg", float(angles[i]), 0.01, 0.05, 1.0, 179.0))
    return found


def _first_like(lengths: Array, i: int) -> int:
    return next(j for j in range(i + 1) if abs(lengths[j] / lengths[i] - 1.0) < _SAME)


def _all_of_cell(experiment: Experiment) -> list[Component]:
    lengths, angles = experiment.crystal.lengths_A, np.degrees(experiment.crystal.angles)
    return [
        *(
            Component(f"cell_{name}", "Angstrom", float(length), 0.01, 1e-3 * float(length), 1.0)
            for name, length in zip("abc", lengths, strict=True)
        ),
        *(
            Component(f"cell_{name}", "deg", float(angle), 0.01, 0.05, 1.0, 179.0)
            for name, angle in zip(("alpha", "beta", "gamma"), angles, strict=True)
        ),
    ]


def _set_cell(point: Point, base: Experiment, values: Sequence[float]) -> Point:
    """Bring in the free constants of the cell: a* keeps its direction, and b* its plane with a*."""
    before = base.crystal
    lengths, angles = before.lengths_A.copy(), before.angles.copy()
    free = {component.name: value for component, value in zip(_cell(base), values, strict=True)}
    for i in range(3):
        leader = "abc"[_first_like(before.lengths_A, i)]
        lengths[i] *= free[f"cell_{leader}"] / before.lengths_A["abc".index(leader)]
    tied = "cell_alpha" in free and "cell_beta" not in free and "cell_gamma" not in free and len(free) == 2
    for i, name in enumerate(("alpha", "beta", "gamma")):
        value = free.get("cell_alpha" if tied else f"cell_{name}")
        angles[i] = angles[i] if value is None else math.radians(value)
    return _with_cell(point, before, lengths, angles)


def _set_all_of_cell(point: Point, base: Experiment, values: Sequence[float]) -> Point:
    return _with_cell(point, base.crystal, np.array(values[:3]), np.radians(values[3:]))


def _with_cell(point: Point, before: Crystal, lengths: Array, angles: Array) -> Point:
    crystal = point.experiment.crystal
    standing = upright_reciprocal(before.lengths_A, before.angles)
    turn = np.linalg.inv(standing) @ np.linalg.inv(before.real_space * 1e10).T  # rows a*, b*, c*, from upright to ours
    reciprocal = upright_reciprocal(lengths, angles) @ turn
    return point.with_parts(crystals=(with_axes(crystal, np.asarray(np.linalg.inv(reciprocal).T * 1e-10)),))


def _N(experiment: Experiment) -> list[Component]:
    return [
        Component(name, "cells", float(count), 0.05 * float(count), 0.004 * float(count), 1.0)
        for name, count in zip(("Na", "Nb", "Nc"), experiment.crystal.cells, strict=True)
    ]


def _set_N(point: Point, base: Experiment, values: Sequence[float]) -> Point:
    return point.with_crystal(cells=tuple(values))


def _between(experiment: Experiment) -> list[Component]:
    crystal = experiment.crystal
    if crystal.shape not in BY_MATRIX:
        shapes = ", ".join(sorted(BY_MATRIX))
        raise InputError(f"parameters: Nd, Ne, Nf: have no effect with shape {crystal.shape.value}; allowed: {shapes}")
    step = 0.004 * float(min(crystal.cells))
    return [
        Component(name, "cells", float(count), 10.0 * step, step)
        for name, count in zip(("Nd", "Ne", "Nf"), crystal.cells_between, strict=True)
    ]


def _set_between(point: Point, base: Experiment, values: Sequence[float]) -> Point:
    return point.with_crystal(cells_between=tuple(values))


def _mosaic_spread(experiment: Experiment) -> list[Component]:
    spread = math.degrees(experiment.crystal.mosaic_spread)
    if spread == 0.0:
        raise InputError("parameters: mosaic_spread: is 0, where an image has no derivative by it; it must be above 0")
    if experiment.closed_form is None and len(experiment.crystal.mosaic_rotations) < 2:
        raise InputError("parameters: mosaic_spread: there is one mosaic domain, which is not turned; give more")
    return [Component("mosaic_spread", "deg", spread, 0.05 * spread, 0.003 * spread, 1e-6)]


def _set_mosaic_spread(point: Point, base: Experiment, values: Sequence[float]) -> Point:
    factor = math.radians(values[0]) / base.crystal.mosaic_spread
    spread = point.experiment.closed_form
    changed = point.with_crystal(
        mosaic_spread=math.radians(values[0]), mosaic_rotations=scaled_rotations(base.crystal.mosaic_rotations, factor)
    )
    if spread is None:
        return changed
    assert base.closed_form is not None
    mosaicity = base.closed_form.mosaicity * factor**2
    return changed.with_parts(closed_form=dataclasses.replace(spread, mosaicity=mosaicity))


def scaled_rotations(rotations: Array, factor: float) -> Array:
    """Return rotations about the same axes by `factor` times their angles, (n, 3, 3)."""
    skew = 0.5 * (rotations - rotations.transpose(0, 2, 1))
    sines = np.sqrt(np.einsum("nij,nij->n", skew, skew) / 2.0)
    cosines = (np.einsum("nii->n", rotations) - 1.0) / 2.0
    angles = np.arctan2(sines, cosines)
    axes = np.divide(skew, sines[:, None, None], out=np.zeros_like(skew), where=sines[:, None, None] > 0.0)
    sine, cosine = np.sin(factor * angles)[:, None, None], np.cos(factor * angles)[:, None, None]
    return np.asarray(np.eye(3) + sine * axes + (1.0 - cosine) * (axes @ axes))


def _fudge(experiment: Experiment) -> list[Component]:
    if experiment.crystal.shape not in {Shape.ROUND, *GAUSSIAN}:
        raise InputError(f"parameters: fudge: has no derivative with shape {experiment.crystal.shape.value}")
    fudge = experiment.crystal.fudge
    return [Component("fudge", "", fudge, 0.05 * fudge, 0.004 * fudge, 0.0)]


def _set_fudge(point: Point, base: Experiment, values: Sequence[float]) -> Point:
    return point.with_crystal(fudge=values[0])


def _phi(experiment: Experiment) -> list[Component]:
    return [Component("phi", "deg", math.degrees(experiment.goniometer.phi), 0.01, 0.03)]


def _set_phi(point: Point, base: Experiment, values: Sequence[float]) -> Point:
    return point.with_parts(goniometer=dataclasses.replace(base.goniometer, phi=math.radians(values[0])))


def _bandwidth(experiment: Experiment) -> list[Component]:
    spread = experiment.closed_form
    if spread is None or spread.bandwidth == 0.0:
        raise InputError("parameters: bandwidth: there is none in closed form; give a dispersion and spread continuous")
    value = 100.0 * spread.bandwidth
    return [Component("bandwidth", "percent", value, 0.05 * value, 0.004 * value, 0.0)]


def _set_bandwidth(point: Point, base: Experiment, values: Sequence[float]) -> Point:
    assert base.closed_form is not None
    spread = dataclasses.replace(point.experiment.closed_form or base.closed_form, bandwidth=values[0] / 100.0)
    return point.with_parts(closed_form=spread)


def _B_factor(experiment: Experiment) -> list[Component]:
    return [Component("B_factor", "Angstrom^2", experiment.crystal.B_factor, 1.0, 0.05)]


def _set_B_factor(point: Point, base: Experiment, values: Sequence[float]) -> Point:
    # A table that is weakened by no more than rounding has the same size as one that is.
    return point.with_crystal(B_factor=values[0] or 1e-300)


def _moved(detector: Detector, beam: Array, shift: Array) -> Detector:
    """Return a detector all of whose panels are moved [m]."""
    panels = tuple(moved_panel(panel, panel.origin + shift, beam) for panel in detector.panels)
    center = final_center(detector.center, panels[0], beam)
    return dataclasses.replace(detector, panels=panels, center=center)


def moved_panel(panel: Panel, origin: Array, beam: Array) -> Panel:
    """Return a panel whose corner lies elsewhere [m]."""
    close = dot(origin, panel.normal)
    return dataclasses.replace(
        panel, origin=origin, close_distance=close, distance=close / (panel.close_distance / panel.distance)
    )


def _distance(experiment: Experiment) -> list[Component]:
    distance = experiment.detector.panels[0].distance * 1e3
    return [Component("distance", "mm", distance, 0.05, 2e-3 * abs(distance))]


def _set_distance(point: Point, base: Experiment, values: Sequence[float]) -> Point:
    """Move the detector: along the beam, or along its normal where the foot of the perpendicular is what stays."""
    detector, beam, first = point.experiment.detector, base.beam.direction, base.detector.panels[0]
    way = values[0] * 1e-3 - first.distance
    if detector.pivot is Pivot.SAMPLE and len(detector.panels) == 1:
        shift = way * (first.close_distance / first.distance) * first.normal
    else:
        shift = way * beam
    return point.with_parts(detector=_moved(detector, beam, shift))


def _beam_center(experiment: Experiment) -> list[Component]:
    center, size = experiment.detector.center, experiment.detector.panels[0].pixel_sizes
    return [
        Component(f"beam_center_{name}", "mm", 1e3 * value, 10.0 * edge, 20.0 * edge)
        for name, value, edge in zip(("fast", "slow"), (center.Fbeam, center.Sbeam), size, strict=True)
    ]


def _set_beam_center(point: Point, base: Experiment, values: Sequence[float]) -> Point:
    center, first = base.detector.center, base.detector.panels[0]
    shift = -(values[0] * 1e-3 - center.Fbeam) * first.fast - (values[1] * 1e-3 - center.Sbeam) * first.slow
    return point.with_parts(detector=_moved(point.experiment.detector, base.beam.direction, shift))


def _detector_rotation(experiment: Experiment) -> list[Component]:
    return [Component(f"detector_rotation_{axis}", "deg", 0.0, 0.05, 0.1) for axis in "xyz"]


def _set_detector_rotation(point: Point, base: Experiment, values: Sequence[float]) -> Point:
    """Turn the detector about the laboratory's x, then y, then z, where the beam meets its first panel."""
    detector, beam = point.experiment.detector, base.beam.direction
    turn = _rotation(values)
    pivot = detector.panels[0].distance * beam
    panels = []
    for panel in detector.panels:
        origin, normal = pivot + turn @ (panel.origin - pivot), turn @ panel.normal
        close = dot(origin, normal)
        panels.append(
            dataclasses.replace(
                panel,
                origin=origin,
                fast=turn @ panel.fast,
                slow=turn @ panel.slow,
                normal=normal,
                close_distance=close,
                distance=close / dot(beam, normal),
            )
        )
    center = final_center(detector.center, panels[0], beam)
    return point.with_parts(detector=dataclasses.replace(detector, panels=tuple(panels), center=center))


def _wavelength(experiment: Experiment) -> list[Component]:
    value = experiment.beam.wavelength * 1e10
    return [Component("wavelength", "Angstrom", value, 1e-4 * value, 1e-3 * value, 1e-4)]


def _set_wavelength(point: Point, base: Experiment, values: Sequence[float]) -> Point:
    factor = values[0] * 1e-10 / base.beam.wavelength
    sources = dataclasses.replace(base.beam.sources, wavelengths=base.beam.sources.wavelengths * factor)
    beam = dataclasses.replace(point.experiment.beam, wavelength=base.beam.wavelength * factor, sources=sources)
    return point.with_parts(beam=beam)


def _polarization(experiment: Experiment) -> list[Component]:
    return [Component("polarization", "", experiment.beam.polarization, 0.01, 0.01, -1.0, 1.0)]


def _set_polarization(point: Point, base: Experiment, values: Sequence[float]) -> Point:
    return point.with_parts(beam=dataclasses.replace(point.experiment.beam, polarization=values[0]))


def _of_photons(name: str, unit: str, value: float, scale: float) -> Parameter:
    def components(experiment: Experiment) -> list[Component]:
        if name == "background" and not any(isinstance(part, Material) for part in experiment.background):
            raise InputError(
                "parameters: background: the experiment has no material around the crystal; offset adds to every pixel"
            )
        return [Component(name, unit, value, scale, scale, -math.inf if name == "offset" else 0.0)]

    def change(point: Point, base: Experiment, values: Sequence[float]) -> Point:
        return dataclasses.replace(point, **{name: values[0]})  # type: ignore[arg-type]

    return Parameter(components, change, "photons")


# In the order in which they are brought in.
PARAMETERS = {
    "cell": Parameter(_cell, _set_cell, "crystal"),
    "whole_cell": Parameter(_all_of_cell, _set_all_of_cell, "crystal"),
    "misset": Parameter(_misset, _set_misset, "crystal"),
    "phi": Parameter(_phi, _set_phi, "crystal"),
    "N": Parameter(_N, _set_N, "spot"),
    "N_between": Parameter(_between, _set_between, "spot"),
    "fudge": Parameter(_fudge, _set_fudge, "spot"),
    "mosaic_spread": Parameter(_mosaic_spread, _set_mosaic_spread, "crystal"),
    "bandwidth": Parameter(_bandwidth, _set_bandwidth, "crystal"),
    "B_factor": Parameter(_B_factor, _set_B_factor, "factors"),
    "distance": Parameter(_distance, _set_distance, "place"),
    "beam_center": Parameter(_beam_center, _set_beam_center, "place"),
    "detector_rotation": Parameter(_detector_rotation, _set_detector_rotation, "place"),
    "wavelength": Parameter(_wavelength, _set_wavelength, "beam"),
    "polarization": Parameter(_polarization, _set_polarization, "polarization"),
    "scale": _of_photons("scale", "", 1.0, 0.05),
    "background": _of_photons("background", "", 1.0, 0.05),
    "offset": _of_photons("offset", "photons/pixel", 0.0, 0.1),
}
