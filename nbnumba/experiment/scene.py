"""The Scene: the flat arrays and numbers that a kernel reads.

Everything that does not depend on the pixel is worked out here, once. The two semantics differ only in what
stands in a Scene: the kernels do not know which of them they draw.
"""

from __future__ import annotations

import math

import numpy as np

from ..background.water import water_photons_per_steradian
from ..constants import GAUSS_WIDTH, R_E_SQUARED, TOPHAT_RADIUS_SQUARED
from ..detector.model import Panel
from ..geometry.vectors import Array, cross, dot, rotate_about
from ..kernels.scene import CURVED, CURVED_AS_C, FLAT, GAUSS, NEVER, ROUND, SQUARE, TOPHAT, Scene
from ..parameters.choices import Semantics, Shape
from .model import ExperimentRecord

SHAPES = {Shape.SQUARE: SQUARE, Shape.ROUND: ROUND, Shape.GAUSS: GAUSS, Shape.TOPHAT: TOPHAT}


def build_scene(experiment: ExperimentRecord, panel_index: int = 0) -> Scene:
    """Flatten an experiment for the kernels."""
    panel = experiment.detector.panels[panel_index]
    detector, sampling, beam = experiment.detector, experiment.sampling, experiment.beam
    exact = experiment.semantics is Semantics.EXACT
    table, minima = _padded_table(experiment)
    orientations = _orientations(experiment)
    sources = _sources(experiment)
    switches = sampling.oversample_thick or sampling.oversample_polar or sampling.oversample_omega
    weigh_layers = exact and detector.thickness != 0.0
    water = water_photons_per_steradian(experiment.water_size, beam.fluence)
    mask = sampling.mask
    # A region of interest goes with a detector of one panel.
    region = sampling.roi if len(detector.panels) == 1 else (0, panel.n_fast - 1, 0, panel.n_slow - 1)
    bend_fast, bend_slow = _bend_signs(experiment, panel)
    return Scene(
        n_slow=panel.n_slow,
        n_fast=panel.n_fast,
        slow_first=region[2],
        slow_last=region[3],
        fast_first=region[0],
        fast_last=region[1],
        mask=np.zeros((0, 0), dtype=np.uint8) if mask is None else mask.astype(np.uint8),
        oversample=sampling.oversample,
        pixel_size=panel.pixel_size,
        origin=panel.origin,
        fast=panel.fast,
        slow=panel.slow,
        normal=panel.normal,
        beam=beam.direction,
        distance=panel.distance,
        close_distance=panel.close_distance,
        beam_fast=detector.center.Fbeam,
        beam_slow=detector.center.Sbeam,
        bend_fast=bend_fast,
        bend_slow=bend_slow,
        surface=(CURVED if exact else CURVED_AS_C) if detector.curved else FLAT,
        point_pixel=detector.point_pixel,
        layers=detector.layers,
        layer_step=detector.layer_step,
        mu=detector.mu,
        # C differs: with -oversample_thick it computes a capture, of 0, for a sensor that is not there.
        sensor=detector.thickness != 0.0 or (sampling.oversample_thick and not exact),
        sources=sources,
        polar_axis=beam.polarization_axis,
        kahn=beam.polarization,
        # C differs: -oversample_polar undoes -nopolar.
        polarized=not beam.nopolar or (sampling.oversample_polar and not exact),
        orientations=orientations,
        domains=len(experiment.crystal.mosaic_rotations),
        Na=float(experiment.crystal.cells[0]),
        Nb=float(experiment.crystal.cells[1]),
        Nc=float(experiment.crystal.cells[2]),
        shape=SHAPES[experiment.crystal.shape],
        fudge=experiment.crystal.fudge,
        triangle=_triangle(experiment.crystal.reciprocal_A),
        reach=_reach(experiment, panel, table, len(sources) * len(orientations)),
        table=table,
        h_min=minima[0],
        k_min=minima[1],
        l_min=minima[2],
        interpolate=experiment.interpolate,
        latching=not exact,
        latch=NEVER,
        dmin=max(0.0, sampling.dmin),
        oversample_thick=sampling.oversample_thick,
        oversample_polar=sampling.oversample_polar,
        oversample_omega=sampling.oversample_omega,
        compound=switches and not exact,
        weigh_layers=weigh_layers,
        plain=not (switches or weigh_layers or sampling.dmin > 0.0 or bool(np.any(sources[:, 4] != 1.0))),
        photons=R_E_SQUARED * beam.fluence / experiment.steps,
        # C differs: it puts the water into the sum, where fluence and steps scale it once more.
        water_start=0.0 if exact else water,
        water_end=water if exact else 0.0,
        skip_empty=exact or experiment.water_size == 0.0,
    )


def _padded_table(experiment: ExperimentRecord) -> tuple[Array, tuple[int, int, int]]:
    """Return the reflections with their border of default_F; an index clipped to the border needs no test."""
    reflections = experiment.reflections
    if reflections is None:
        return np.full((2, 2, 2), experiment.default_F), (0, 0, 0)
    return reflections.bordered_by(experiment.default_F), (reflections.h_min, reflections.k_min, reflections.l_min)


def _orientations(experiment: ExperimentRecord) -> Array:
    """Real-space vectors of every phi step and, innermost, mosaic domain, (n, 9) [m].

    Under the semantics of C a step at exactly phi = 0 reuses the orientation of the step before it, the last
    step's when it comes first: C leaves the rotated vectors as they are there (nanoBragg.c:2780-2795).
    """
    gonio = experiment.goniometer
    cell = experiment.crystal.real_space
    angles = gonio.angles
    turned = np.array(
        [[rotate_about(v, gonio.spindle, float(phi)) if phi != 0.0 else v for v in cell] for phi in angles]
    )
    if experiment.semantics is Semantics.C and np.any(angles != 0.0):
        for i in np.flatnonzero(angles == 0.0):
            turned[i] = turned[i - 1]
    rotations = experiment.crystal.mosaic_rotations
    everything = np.einsum("dij,pvj->pdvi", rotations, turned)
    return np.ascontiguousarray(everything.reshape(-1, 9))


def _sources(experiment: ExperimentRecord) -> Array:
    """Incident direction, 1/wavelength and weight of every source, (n, 5).

    A source of weight 0 is left out: it would lend the pixels its polarisation.
    """
    source, weights = experiment.beam.source, experiment.weights
    sources = np.column_stack([-source.directions, 1.0 / source.wavelengths, weights])
    return sources[weights > 0.0]


def _triangle(reciprocal_A: Array) -> Array:
    """Turn a*, b*, c* so that three of their nine coordinates vanish, (6,) [1/Angstrom]."""
    upper = np.linalg.qr(reciprocal_A.T).R
    return np.asarray(upper[np.triu_indices(3)])


def _reach(experiment: ExperimentRecord, panel: Panel, table: Array, orientations: int) -> float:
    """Squared radius beyond which a Gaussian or top-hat spot leaves no trace in a float32 image.

    All samples of a pixel together must stay below 1e-47 photons; the smallest float32 is 1.4e-45.
    """
    crystal, sampling = experiment.crystal, experiment.sampling
    if crystal.fudge == 0.0:
        return math.inf
    if crystal.shape is Shape.TOPHAT:
        return TOPHAT_RADIUS_SQUARED / crystal.fudge * (1.0 + 1e-9)
    nearest = min(abs(panel.close_distance), abs(panel.distance))
    pixel = 1.0 if experiment.detector.point_pixel else panel.pixel_size  # solid angle <= (pixel/nearest)^2
    largest_F = max(float(table.max()), -float(table.min()))
    fluence = experiment.beam.fluence
    if not (fluence > 0.0 and largest_F > 0.0):
        return 0.0
    if nearest == 0.0:
        return math.inf
    # Of logarithms, since products of what the options allow overflow.
    amplitude = [pixel, largest_F, *crystal.cells, sampling.oversample]
    terms = [R_E_SQUARED, fluence, orientations, len(experiment.beam.source.weights), experiment.detector.layers]
    brightest = 2.0 * (sum(map(math.log, amplitude)) - math.log(nearest)) + sum(map(math.log, terms))
    exponent = max(0.0, (brightest - math.log(1e-47)) / 2.0)
    return exponent * GAUSS_WIDTH / crystal.fudge


def _bend_signs(experiment: ExperimentRecord, panel: Panel) -> tuple[float, float]:
    """Sense of the two turns of a curved detector that goes over into the flat one near the beam."""
    beam = experiment.beam.direction
    along_fast = dot(cross(panel.slow, beam), panel.fast)
    along_slow = dot(cross(panel.fast, beam), panel.slow)
    return math.copysign(1.0, along_fast), math.copysign(1.0, along_slow)
