"""The experiment of an image whose crystal may be unknown: geometry for files, not for rendering."""

from __future__ import annotations

import dataclasses
import math

import numpy as np

from ..beam.model import Beam
from ..beam.sources import make_source
from ..crystal.model import Crystal
from ..detector.placement import resolve_axes, resolve_detector
from ..geometry.vectors import Array
from ..kernels.random import park_miller
from ..parameters.settings import Settings
from ..parameters.steps import phi_steps
from ..version import __version__
from .ground_truth import GroundTruth, ground_truth
from .model import ExperimentRecord, Goniometer, Sampling
from .required import has_crystal
from .resolve import resolve


def bare_experiment(settings: Settings) -> ExperimentRecord:
    """Work out beam, detector and goniometer, and the crystal where the settings know one.

    Parameters
    ----------
    settings : Settings
        Structure factors and sampling do not count.

    Returns
    -------
    ExperimentRecord
        Of a crystal that the settings do not know, vectors and cell are NaN.

    Raises
    ------
    InputError, FileError
        As `nbnumba.experiment.resolve.resolve`.
    """
    settings = settings.changed(
        hkl_file=None,
        hkl_column=None,
        hkl_dmin=0.0,
        pdb_file=None,
        dump_file=None,
        default_F=1.0,
        interpolate=False,
        oversample=1,
        roi=(None, None, None, None),
        mask_file=None,
    )
    if has_crystal(settings):
        return resolve(settings)
    axes = resolve_axes(settings)
    detector = resolve_detector(settings, axes)
    phi = phi_steps(settings.goniometer.osc, settings.goniometer.phistep, settings.goniometer.phisteps)
    panel = detector.panels[0]
    whole = (0, panel.n_fast - 1, 0, panel.n_slow - 1)
    return ExperimentRecord(
        semantics=settings.semantics,
        crystal=unknown_crystal(settings),
        beam=Beam(
            direction=axes.beam,
            polarization_axis=axes.polar,
            wavelength=settings.beam.wavelength,
            polarization=settings.beam.polarization,
            nopolar=settings.beam.nopolar,
            fluence=math.nan,
            source=make_source(settings, axes.beam, axes.polar),
        ),
        detector=detector,
        goniometer=Goniometer(axes.spindle, settings.goniometer.phi, phi.extent, phi.step, phi.count),
        sampling=Sampling(
            oversample=1,
            recommended_oversample=1,
            reciprocal_pixel_size=settings.beam.wavelength * panel.distance / panel.pixel_size,
            oversample_chosen=False,
            oversample_thick=False,
            oversample_polar=False,
            oversample_omega=False,
            dmin=0.0,
            roi=whole,
            roi_as_set=whole,
            mask=None,
        ),
        reflections=None,
        default_F=0.0,
        interpolate=False,
        interpolate_wanted=False,
        interpolate_chosen=False,
        water_size=0.0,
        random_table=tuple(park_miller.new_table()),
        settings=settings,
        clipping_warnings=(),
        reflection_lines=(),
    )


def unknown_crystal(settings: Settings, real_space: Array | None = None) -> Crystal:
    """Return a crystal of which no more than a, b and c are known, (3, 3) [m], or not even these."""
    none = np.full(3, np.nan)
    if real_space is None:
        real_space = np.full((3, 3), np.nan)
    return Crystal(
        real_space=real_space,
        reciprocal_A=np.asarray(np.linalg.inv(real_space * 1e10).T, dtype=np.float64),
        lengths_A=none,
        angles=none,
        reciprocal_lengths_A=none,
        reciprocal_angles=none,
        volume_A3=math.nan,
        cells=(1, 1, 1),
        shape=settings.crystal.shape,
        fudge=1.0,
        misset=None,
        misset_seed=None,
        mosaic_spread=0.0,
        mosaic_seed=settings.crystal.mosaic_seed,
        mosaic_rotations=np.eye(3)[np.newaxis],
    )


def bare_truth(experiment: ExperimentRecord) -> GroundTruth:
    """Return what is known of an image that nobody tells the origin of; NaN, 0 and empty texts are unknown."""
    if np.all(np.isfinite(experiment.crystal.real_space)):
        truth = ground_truth(experiment, backend="", precision="")
        given = experiment.settings.beam.flux > 0.0 or experiment.settings.beam.fluence != Settings().beam.fluence
        return truth if given else dataclasses.replace(truth, fluence=math.nan)
    unknown = np.full((3, 3), np.nan)
    goniometer = experiment.goniometer
    return GroundTruth(
        command="",
        version=__version__,
        semantics="",
        backend="",
        precision="",
        A_matrix=unknown,
        A_matrix_imgcif=unknown,
        U_matrix=unknown,
        cell=np.full(6, np.nan),
        cells=(0, 0, 0),
        shape="",
        mosaic_spread_deg=math.nan,
        mosaic_domains=0,
        mosaic_seed=0,
        misset_seed=None,
        fluence=math.nan,
        wavelength=experiment.beam.wavelength,
        distance=experiment.detector.panels[0].distance,
        phi_deg=math.degrees(goniometer.phi),
        osc_deg=math.degrees(goniometer.osc),
    )
