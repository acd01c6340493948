"""The known defects of the C program that an experiment meets."""

from __future__ import annotations

import numpy as np

from ..constants import R_E_SQUARED
from ..crystal.lattice import C_draws_another_cell, complete_cell
from ..detector.model import Detector
from ..detector.placement import resolve_axes, resolve_detector
from ..errors import InputError, called
from ..parameters.choices import Semantics
from ..parameters.settings import Settings
from ..util.messages import logger, muted
from .model import Experiment
from .resolved import Resolved


def log_defects(resolved: Resolved) -> None:
    """Log which known defects of the C program change this image under -semantics c."""
    if resolved.experiment.semantics is Semantics.C:
        for row, what in defects_met(resolved):
            logger.warning(f"{row}: {what}; {called('semantics')} exact draws it right")


def defects_met(resolved: Resolved) -> list[tuple[str, str]]:
    """Name the rows of DIFFERENCES.md that this experiment meets, apart from the interpolation latch.

    The latch is known only when the image is rendered.
    """
    experiment, settings = resolved.experiment, resolved.settings
    sampling, sensors = experiment.sampling, [panel.sensor for panel in experiment.detector.panels]
    layers = max(sensor.layers for sensor in sensors)
    angles = experiment.goniometer.angles
    switches = sampling.oversample_thick or sampling.oversample_polar or sampling.oversample_omega
    black = sampling.oversample_thick and any(sensor.thickness == 0.0 for sensor in sensors)
    weights = resolved.choices.grid.weights
    corner_counts = settings.detector.pix0_vector is not None and not settings.detector.beam_center_given
    elsewhere = _stands_elsewhere(settings, experiment.detector)
    rows = {
        "cell": (_has_another_cell(settings), f"as C, {called('cell')} draws other angles than the ones given"),
        "osc": ((settings.goniometer.osc or 0.0) < 0.0, f"as C, a negative {called('osc_deg')} counts as not given"),
        "phi0": (
            bool(np.any(angles == 0.0) and np.any(angles != 0.0)),
            "as C, the phi step at 0 is drawn in the orientation of the step before it",
        ),
        "oversample_*": (
            black or (switches and layers * experiment.steps > 1),
            f"as C, {called('oversample_thick')} without a sensor captures nothing"
            if black
            else "as C, the -oversample_ factors multiply the running sum and compound",
        ),
        "nopolar": (
            settings.beam.nopolar and sampling.oversample_polar,
            f"as C, {called('oversample_polar')} undoes {called('polarized')}",
        ),
        "thickness": (
            any(sensor.layers > 1 and sensor.mu != 0.0 for sensor in sensors) and not sampling.oversample_thick,
            "as C, the sum over the sensor's layers is scaled by the last layer's capture",
        ),
        "automatic interpolation": (
            resolved.choices.interpolate_chosen
            and experiment.reflections is not None
            and experiment.interpolate != (min(experiment.crystal.cells) <= 2),
            f"as C, interpolation is chosen from {called('N')} as typed, not from the size of the crystal",
        ),
        "source weights": (
            settings.beam.source_file is not None and bool(np.any(weights != weights[0])),
            f"as C, the weights of {called('sources')} are not used",
        ),
        "water": (
            _water_is_off(experiment),
            f"as C, {called('water_um')} is scaled by fluence twice and divided by the steps",
        ),
        "misset random": (settings.crystal.misset_random, "as C, the random orientation is not uniform"),
        "curved detector": (
            experiment.detector.curved,
            f"as C, {called('curved')} mirrors the image across a diagonal",
        ),
        "pivot": (
            elsewhere and not corner_counts,
            f"as C, {called('pivot')} is overridden by the convention or by a later option",
        ),
        "pix0_vector": (
            elsewhere and corner_counts,
            f"as C, {called('pix0_vector')} does not place the detector",
        ),
    }
    return [(row, what) for row, (met, what) in rows.items() if met]


def _has_another_cell(settings: Settings) -> bool:
    """Tell whether the crystal of -cell comes out with other angles."""
    crystal = settings.crystal
    if crystal.reciprocal_A is not None or crystal.matrix_file is not None:
        return False
    return C_draws_another_cell(*complete_cell(crystal.cell_lengths_A, crystal.cell_angles))


def _water_is_off(experiment: Experiment) -> bool:
    """Tell whether the scaling of the spots changes the background of -water.

    It does not where the default fluence, whose product with r_e^2 is 1, meets a sum of one term.
    """
    if experiment.water_size == 0.0:
        return False
    terms = max(panel.sensor.layers for panel in experiment.detector.panels) * experiment.steps
    factor = R_E_SQUARED * experiment.fluence
    return terms > 1 or experiment.sampling.dmin > 0.0 or abs(factor - 1.0) > 1e-6


def _stands_elsewhere(settings: Settings, detector: Detector) -> bool:
    """Tell whether the other semantics puts the detector in another place."""
    if settings.detector.pix0_vector is None and settings.detector.pivot_explicit is None:
        return False
    other = Semantics.EXACT if settings.semantics is Semantics.C else Semantics.C
    try:
        with muted():
            there = resolve_detector(settings.changed(semantics=other), resolve_axes(settings)).panels[0]
    except InputError:
        return True
    here = detector.panels[0]
    # A beam center and a foot point that are meant to be one place differ by rounding.
    return bool(np.any(np.abs(here.origin - there.origin) > 1e-6 * min(here.pixel_sizes)))
