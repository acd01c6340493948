"""An experiment at some values of its parameters, and how each parameter changes it."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence

import numpy as np

from ..background.material import Material
from ..beam.model import beam_turns as turns_of_beam
from ..crystal.spot_shape import BY_MATRIX, GAUSSIAN
from ..detector.model import Detector, Panel
from ..detector.placement import final_center
from ..errors import InputError, called
from ..experiment.model import Experiment
from ..geometry.vectors import Array, dot, rotate_xyz
from ..parameters.choices import Pivot, Shape
from ..readout.psf import WIDEST
from ..readout.psf_slopes import DIFFERENTIABLE
from .cell import all_constants, free_constants, set_all_constants, set_free_constants, with_axes
from .model import Component, Parameter, Point


def rotation(angles_deg: Sequence[float]) -> Array:
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
    before = rotation([math.degrees(angle) for angle in base.crystal.misset or (0.0, 0.0, 0.0)])
    turn = rotation(values) @ before.T
    x, y, z = (math.radians(value) for value in values)
    # Of a crystal whose angles are not known they stay so: its axes are turned as they stand.
    misset = (x, y, z) if crystal.misset is not None else None
    turned = with_axes(crystal, crystal.real_space @ turn.T)
    return point.with_parts(crystals=(dataclasses.replace(turned, misset=misset),))


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
    crystal = base.crystal
    changed = point.with_crystal(
        mosaic_spread=math.radians(values[0]),
        mosaic_rotations=scaled_rotations(crystal.mosaic_rotations, factor),
        mosaicity=None if crystal.mosaicity is None else crystal.mosaicity * factor**2,
    )
    if spread is None:
        return changed
    assert base.closed_form is not None
    mosaicity = base.closed_form.mosaicity * factor**2
    return changed.with_parts(closed_form=dataclasses.replace(spread, mosaicity=mosaicity))


def rotation_vectors(rotations: Array) -> Array:
    """Return the axes of rotations, as long as their angles, (n, 3) [rad]."""
    skew = 0.5 * (rotations - rotations.transpose(0, 2, 1))
    axes = np.stack([skew[:, 2, 1], skew[:, 0, 2], skew[:, 1, 0]], axis=1)
    sines = np.linalg.norm(axes, axis=1)
    angles = np.arctan2(sines, (np.einsum("nii->n", rotations) - 1.0) / 2.0)
    return np.asarray(axes * np.divide(angles, sines, out=np.ones_like(sines), where=sines > 0.0)[:, None])


def scaled_rotations(rotations: Array, factor: float) -> Array:
    """Return rotations about the same axes by `factor` times their angles, (n, 3, 3)."""
    vectors = rotation_vectors(rotations)
    angles = np.linalg.norm(vectors, axis=1)
    x, y, z = np.divide(vectors, angles[:, None], out=np.zeros_like(vectors), where=angles[:, None] > 0.0).T
    axes = np.zeros_like(rotations)
    axes[:, 2, 1], axes[:, 0, 2], axes[:, 1, 0] = x, y, z
    axes -= axes.transpose(0, 2, 1)
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


def _divergence(experiment: Experiment) -> list[Component]:
    spread = experiment.closed_form
    if spread is None or not np.any(spread.divergence):
        raise InputError(
            "parameters: divergence: there is none in closed form; give a divergence and spread continuous"
        )
    value = 1e3 * math.sqrt(0.5 * float(np.trace(spread.divergence)))
    return [Component("divergence", "mrad", value, 0.05 * value, 0.004 * value, 0.0)]


def _set_divergence(point: Point, base: Experiment, values: Sequence[float]) -> Point:
    assert base.closed_form is not None
    squared = 1e-6 * values[0] ** 2 / (0.5 * float(np.trace(base.closed_form.divergence)))
    divergence = base.closed_form.divergence * squared
    spread = dataclasses.replace(point.experiment.closed_form or base.closed_form, divergence=divergence)
    return point.with_parts(closed_form=spread)


def _B_factor(experiment: Experiment) -> list[Component]:
    return [Component("B_factor", "Angstrom^2", experiment.crystal.B_factor, 1.0, 0.05)]


def _set_B_factor(point: Point, base: Experiment, values: Sequence[float]) -> Point:
    # A table that is weakened by no more than rounding has the same size as one that is.
    return point.with_crystal(B_factor=values[0] or 1e-300)


def _moved(detector: Detector, beam: Array, shift: Array) -> Detector:
    """Return a detector all of whose panels are moved [m]."""
    panels = tuple(_moved_panel(panel, panel.origin + shift, beam) for panel in detector.panels)
    center = final_center(detector.center, panels[0], beam)
    return dataclasses.replace(detector, panels=panels, center=center)


def _moved_panel(panel: Panel, origin: Array, beam: Array) -> Panel:
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
    beam = base.beam.direction
    way = values[0] * 1e-3 - base.detector.panels[0].distance
    shift = way * way_of_distance(base.detector, beam)
    return point.with_parts(detector=_moved(point.experiment.detector, beam, shift))


def way_of_distance(detector: Detector, beam: Array) -> Array:
    """By what a detector moves where its distance grows by 1, (3,)."""
    first = detector.panels[0]
    if detector.placement.pivot is Pivot.SAMPLE and len(detector.panels) == 1:
        return np.asarray((first.close_distance / first.distance) * first.normal)
    return beam


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


def beam_spot(panel: Panel, beam: Array) -> Array:
    """Where the beam meets the plane of a panel, (3,) [m]."""
    return dot(panel.origin, panel.normal) / dot(beam, panel.normal) * beam


def _set_detector_rotation(point: Point, base: Experiment, values: Sequence[float]) -> Point:
    """Turn the detector about the laboratory's x, then y, then z, where the beam meets its first panel."""
    detector, beam = point.experiment.detector, base.beam.direction
    turn = rotation(values)
    pivot = beam_spot(detector.panels[0], beam)
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


def _beam_direction(experiment: Experiment) -> list[Component]:
    if experiment.detector.curved:
        raise InputError("parameters: beam_direction: a curved detector has no derivative by it here; give a flat one")
    return [Component(f"beam_direction_{name}", "mrad", 0.0, 0.1, 0.3) for name in ("fast", "slow")]


def beam_turns(experiment: Experiment, values: Sequence[float]) -> tuple[Array, Array]:
    """Rotation of a beam that is turned towards fast, then slow, and the axes about which it turns on, (2, 3)."""
    panel = experiment.detector.panels[0]
    first, second = 1e-3 * values[0], 1e-3 * values[1]
    return turns_of_beam(experiment.beam.direction, (panel.fast, panel.slow), (first, second))


def _set_beam_direction(point: Point, base: Experiment, values: Sequence[float]) -> Point:
    """Turn the beam, with its sources and its polarization; crystal and detector stay."""
    turn, beam = beam_turns(base, values)[0], point.experiment.beam
    spread = point.experiment.closed_form
    if spread is not None:
        spread = dataclasses.replace(spread, divergence=turn @ spread.divergence @ turn.T)
    return point.with_parts(beam=beam.turned(turn), closed_form=spread)


def _polarization(experiment: Experiment) -> list[Component]:
    return [Component("polarization", "", experiment.beam.polarization, 0.01, 0.01, -1.0, 1.0)]


def _set_polarization(point: Point, base: Experiment, values: Sequence[float]) -> Point:
    return point.with_parts(beam=dataclasses.replace(point.experiment.beam, polarization=values[0]))


def _scale(experiment: Experiment) -> list[Component]:
    return [Component("scale", "", 1.0, 0.05, 0.05, 0.0)]


def _set_scale(point: Point, base: Experiment, values: Sequence[float]) -> Point:
    return dataclasses.replace(point, scales=(values[0],))


def _psf_fwhm(experiment: Experiment) -> list[Component]:
    spread = None if experiment.readout is None else experiment.readout.spread
    if spread is None:
        raise InputError(f"parameters: psf_fwhm: the experiment has no point spread; {called('psf')} gives one")
    if spread.kind not in DIFFERENTIABLE:
        raise InputError(
            f"parameters: psf_fwhm: a point spread {spread.kind} has no derivative by its width here; allowed: "
            + ", ".join(DIFFERENTIABLE)
        )
    pixel_um = experiment.detector.panels[0].pixel_sizes[0] * 1e6
    value = spread.fwhm * pixel_um
    return [Component("psf_fwhm", "um", value, 0.05 * value, 0.01 * value, 1e-3 * pixel_um, WIDEST * pixel_um)]


def _set_psf_fwhm(point: Point, base: Experiment, values: Sequence[float]) -> Point:
    readout = base.readout
    assert readout is not None
    assert readout.spread is not None
    fwhm = values[0] * 1e-6 / base.detector.panels[0].pixel_sizes[0]
    spread = dataclasses.replace(readout.spread, fwhm=fwhm)
    return point.with_parts(readout=dataclasses.replace(readout, spread=spread))


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
    "cell": Parameter(free_constants, set_free_constants, "crystal", of_crystal=True),
    "whole_cell": Parameter(all_constants, set_all_constants, "crystal", of_crystal=True),
    "misset": Parameter(_misset, _set_misset, "crystal", of_crystal=True),
    "phi": Parameter(_phi, _set_phi, "crystal"),
    "N": Parameter(_N, _set_N, "spot", of_crystal=True),
    "N_between": Parameter(_between, _set_between, "spot", of_crystal=True),
    "fudge": Parameter(_fudge, _set_fudge, "spot", of_crystal=True),
    "mosaic_spread": Parameter(_mosaic_spread, _set_mosaic_spread, "crystal", of_crystal=True),
    "bandwidth": Parameter(_bandwidth, _set_bandwidth, "crystal"),
    "divergence": Parameter(_divergence, _set_divergence, "crystal"),
    "B_factor": Parameter(_B_factor, _set_B_factor, "factors", of_crystal=True),
    "distance": Parameter(_distance, _set_distance, "place"),
    "beam_center": Parameter(_beam_center, _set_beam_center, "place"),
    "detector_rotation": Parameter(_detector_rotation, _set_detector_rotation, "place"),
    "wavelength": Parameter(_wavelength, _set_wavelength, "beam"),
    "beam_direction": Parameter(_beam_direction, _set_beam_direction, "beam"),
    "polarization": Parameter(_polarization, _set_polarization, "polarization"),
    "psf_fwhm": Parameter(_psf_fwhm, _set_psf_fwhm, "photons"),
    "scale": Parameter(_scale, _set_scale, "photons", of_crystal=True),
    "background": _of_photons("background", "", 1.0, 0.05),
    "offset": _of_photons("offset", "photons/pixel", 0.0, 0.1),
}
