"""The known defects of the C program that an experiment meets."""

from __future__ import annotations

import numpy as np

from ..constants import R_E_SQUARED
from ..detector.placement import resolve_axes, resolve_detector
from ..errors import InputError
from ..parameters.choices import Semantics
from ..util.messages import logger, muted
from .model import ExperimentRecord


def log_defects(experiment: ExperimentRecord) -> None:
    """Say which known defects of the C program change this picture under -semantics c."""
    if experiment.semantics is Semantics.C:
        for row, what in defects_met(experiment):
            logger.warning(f"{row}: {what}; -semantics exact draws it right")


def defects_met(experiment: ExperimentRecord) -> list[tuple[str, str]]:
    """Name the rows of DIFFERENCES.md that this experiment meets, apart from the interpolation latch.

    The latch is known only when the image is rendered.
    """
    settings, sampling, detector = experiment.settings, experiment.sampling, experiment.detector
    angles = experiment.goniometer.angles
    switches = sampling.oversample_thick or sampling.oversample_polar or sampling.oversample_omega
    black = sampling.oversample_thick and detector.thickness == 0.0
    weights = experiment.beam.source.weights
    corner_counts = settings.detector.pix0_vector is not None and not settings.detector.beam_center_given
    elsewhere = _stands_elsewhere(experiment)
    rows = {
        "phi0": (
            bool(np.any(angles == 0.0) and np.any(angles != 0.0)),
            "as C, the phi step at 0 is drawn in the orientation of the step before it",
        ),
        "oversample_*": (
            black or (switches and detector.layers * experiment.steps > 1),
            "as C, -oversample_thick without a sensor captures nothing"
            if black
            else "as C, the -oversample_ factors multiply the running sum and compound",
        ),
        "nopolar": (
            settings.beam.nopolar and sampling.oversample_polar,
            "as C, -oversample_polar undoes -nopolar",
        ),
        "thickness": (
            detector.layers > 1 and detector.mu != 0.0 and not sampling.oversample_thick,
            "as C, the sum over the sensor's layers is scaled by the last layer's capture",
        ),
        "automatic interpolation": (
            experiment.interpolate_chosen
            and experiment.reflections is not None
            and experiment.interpolate != (min(experiment.crystal.cells) <= 2),
            "as C, interpolation is chosen from -N as typed, not from the size of the crystal",
        ),
        "source weights": (
            settings.beam.source_file is not None and bool(np.any(weights != weights[0])),
            "as C, the weights of -sourcefile are not used",
        ),
        "water": (_water_is_off(experiment), "as C, -water is scaled by fluence twice and divided by the steps"),
        "misset random": (settings.crystal.misset_random, "as C, the random orientation is not uniform"),
        "curved detector": (detector.curved, "as C, -curved_det mirrors the picture across a diagonal"),
        "pivot": (
            elsewhere and not corner_counts,
            "as C, -pivot is overridden by the convention or by a later option",
        ),
        "pix0_vector": (
            elsewhere and corner_counts,
            "as C, -pix0_vector does not place the detector",
        ),
    }
    return [(row, what) for row, (met, what) in rows.items() if met]


def _water_is_off(experiment: ExperimentRecord) -> bool:
    """Tell whether the scaling of the spots changes the background of -water.

    It does not where the default fluence, whose product with r_e^2 is 1, meets a sum of one term.
    """
    if experiment.water_size == 0.0:
        return False
    terms = experiment.detector.layers * experiment.steps
    factor = R_E_SQUARED * experiment.beam.fluence
    return terms > 1 or experiment.sampling.dmin > 0.0 or abs(factor - 1.0) > 1e-6


def _stands_elsewhere(experiment: ExperimentRecord) -> bool:
    """Tell whether the other semantics puts the detector in another place."""
    settings = experiment.settings
    if settings.detector.pix0_vector is None and settings.detector.pivot_explicit is None:
        return False
    other = Semantics.EXACT if settings.semantics is Semantics.C else Semantics.C
    try:
        with muted():
            there = resolve_detector(settings.changed(semantics=other), resolve_axes(settings)).panels[0]
    except InputError:
        return True
    here = experiment.detector.panels[0]
    # A beam centre and a foot point that are meant to be one place differ by rounding.
    return bool(np.any(np.abs(here.origin - there.origin) > 1e-6 * here.pixel_size))
