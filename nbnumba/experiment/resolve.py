"""From what the user said to what will be rendered: settings -> ExperimentRecord.

All files but headers are read here, and every remaining mistake is found here, before anything is compiled.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from pathlib import Path

import numpy as np

from ..beam.model import Beam
from ..beam.sources import make_source
from ..crystal.build import build_crystal
from ..crystal.model import Crystal
from ..detector.model import Detector
from ..detector.placement import resolve_axes, resolve_detector
from ..detector.resolution import finest_spacing
from ..errors import InputError
from ..kernels.random import park_miller
from ..kernels.scene import NEVER
from ..parameters.choices import Semantics
from ..parameters.files import check_files
from ..parameters.settings import Settings
from ..parameters.steps import MAX_OVERSAMPLE, mosaic_domains, phi_steps
from ..parameters.types import C_INT
from ..structure_factors import load as structure_factors
from ..structure_factors.mtz_cif_columns import Cell
from ..structure_factors.table import Reach, ReflectionTable
from ..util.memory import free_memory, gigabytes
from ..util.messages import logger
from .defects import log_defects
from .model import ExperimentRecord, Goniometer, Sampling
from .regions import pixel_mask, region_of_interest
from .required import has_crystal, lacks_crystal

MAX_ORIENTATIONS = 10_000_000
ORIENTATION_BYTES = 72  # nine float64


def resolve(
    settings: Settings,
    check: Callable[[ExperimentRecord], None] = lambda experiment: None,
    *,
    reflections: ReflectionTable | None = None,
    cache_folder: Path | None = None,
) -> ExperimentRecord:
    """Work out an experiment.

    Parameters
    ----------
    settings : Settings
    check : callable, optional
        Receives the experiment while it lacks its reflections, and raises an error where a command cannot use it:
        their dump is written only by a command that will go on.
    reflections : ReflectionTable, optional
        Structure factors that are in memory; then no file of them is read.
    cache_folder : path, optional
        Where structure factors that were computed from a model are kept.

    Raises
    ------
    InputError
        For values that cannot be rendered, naming the option, the value and what is allowed.
    FileError
        For files that are missing or unreadable.
    """
    lacking = lacks_crystal(settings)
    if lacking is not None:
        raise InputError(lacking)
    check_files(settings)
    if reflections is None:
        structure_factors.check_options(settings)
    if not has_crystal(settings):
        settings = _with_cell_of_file(settings)
    clipping: list[str] = []
    settings, fluence = _fluence_and_sample(settings, clipping.append)
    axes = resolve_axes(settings)
    detector = resolve_detector(settings, axes)
    phi = phi_steps(settings.goniometer.osc, settings.goniometer.phistep, settings.goniometer.phisteps)
    _check_orientations(settings, phi.count)
    random_table = park_miller.new_table()
    crystal = build_crystal(settings, axes, phi.extent > 0.0 or settings.goniometer.phi != 0.0, random_table)
    source = make_source(settings, axes.beam, axes.polar)
    beam = Beam(
        direction=axes.beam,
        polarization_axis=axes.polar,
        wavelength=settings.beam.wavelength,
        polarization=settings.beam.polarization,
        nopolar=settings.beam.nopolar,
        fluence=fluence,
        source=source,
    )
    goniometer = Goniometer(axes.spindle, settings.goniometer.phi, phi.extent, phi.step, phi.count)
    sampling = _sampling(settings, detector, crystal)
    _check_samples(detector, beam, goniometer, crystal, sampling)
    interpolate, chosen = _interpolation(settings, crystal)
    experiment = ExperimentRecord(
        semantics=settings.semantics,
        crystal=crystal,
        beam=beam,
        detector=detector,
        goniometer=goniometer,
        sampling=sampling,
        reflections=None,
        default_F=settings.factors.default_F,
        interpolate=False,
        interpolate_wanted=interpolate,
        interpolate_chosen=chosen,
        water_size=settings.background.water_size,
        random_table=tuple(random_table),
        settings=settings,
        clipping_warnings=tuple(clipping),
        reflection_lines=(),
    )
    check(experiment)
    reflection_lines: list[str] = []
    if reflections is None:
        computed = settings.factors.pdb_file is not None
        reach = Reach(finest_spacing(detector, beam), 3 if interpolate else 1) if computed else None
        reflections = structure_factors.load(settings, reflection_lines.append, reach=reach, cache_folder=cache_folder)
    if reflections is not None and reflections.cell is not None:
        _compare_cells(crystal, reflections.cell)
    experiment = dataclasses.replace(
        experiment,
        reflections=reflections,
        interpolate=interpolate and reflections is not None,
        reflection_lines=tuple(reflection_lines),
    )
    log_defects(experiment)
    return experiment


def _fluence_and_sample(settings: Settings, warn: Callable[[str], None]) -> tuple[Settings, float]:
    """Fluence from flux, and the sample clipped to the beam (nanoBragg.c:1131-1150)."""
    fluence = settings.beam.fluence
    if settings.beam.flux != 0.0 and settings.beam.exposure > 0.0 and settings.beam.beamsize >= 0:
        if settings.beam.beamsize == 0.0:
            raise InputError("-beamsize: 0 mm with -flux makes the fluence infinite; it must be positive")
        fluence = settings.beam.flux * settings.beam.exposure / settings.beam.beamsize / settings.beam.beamsize
    if not math.isfinite(fluence):
        raise InputError(f"-flux, -exposure, -beamsize: the fluence comes out as {fluence:g}; it must be finite")
    # As C: the beam clips y and z, never x.
    if 0.0 <= settings.beam.beamsize < settings.crystal.sample_y:
        warn(
            f"WARNING: clipping sample ({settings.crystal.sample_y:g} m high) with beam ({settings.beam.beamsize:g} m)"
        )
        settings = settings.changed(sample_y=settings.beam.beamsize)
    if 0.0 <= settings.beam.beamsize < settings.crystal.sample_z:
        warn(
            f"WARNING: clipping sample ({settings.crystal.sample_z:g} m wide) with beam ({settings.beam.beamsize:g} m)"
        )
        settings = settings.changed(sample_z=settings.beam.beamsize)
    return settings, fluence


def _with_cell_of_file(settings: Settings) -> Settings:
    """Let the cell that the file of structure factors states serve as -cell."""
    file, cell = structure_factors.cell_of_file(settings)
    numbers = " ".join(f"{value:.6g}" for value in cell)
    logger.warning(f"no crystal is given: -cell {numbers} is taken from {file}, in the orientation of -cell")
    a, b, c, alpha, beta, gamma = cell
    return settings.changed(
        cell_given=True,
        cell_lengths_A=(a, b, c),
        cell_angles=(math.radians(alpha), math.radians(beta), math.radians(gamma)),
    )


def _compare_cells(crystal: Crystal, cell: Cell) -> None:
    """Say when the crystal is not the one that the structure factors belong to."""
    ours = (*crystal.lengths_A, *np.degrees(crystal.angles))
    longer = np.abs(np.array(ours[:3]) / cell[:3] - 1.0).max() > 0.01
    if longer or np.abs(np.array(ours[3:]) - cell[3:]).max() > 1.0:
        crystals, files = (" ".join(f"{value:.6g}" for value in six) for six in (ours, cell))
        logger.warning(f"the crystal has the cell {crystals}, the file of its structure factors {files}")


def _check_orientations(settings: Settings, steps: int) -> None:
    """Refuse more orientations of the crystal than memory holds."""
    domains = mosaic_domains(settings.crystal.mosaic_spread, settings.crystal.mosaic_domains)[1]
    count = steps * domains
    free = free_memory()
    if count > MAX_ORIENTATIONS:
        allowed = f"{MAX_ORIENTATIONS}"
    elif free is not None and ORIENTATION_BYTES * count > free:
        allowed = f"{free // ORIENTATION_BYTES}, for which the {gigabytes(free)} GB of free memory suffice"
    else:
        return
    raise InputError(
        f"-phisteps, -mosaic_domains: {steps} x {domains} make {count} orientations of the crystal; at most {allowed}"
    )


def _check_samples(
    detector: Detector, beam: Beam, goniometer: Goniometer, crystal: Crystal, sampling: Sampling
) -> None:
    """Refuse an image whose samples cannot be counted in 63 bits; it would take millennia anyway."""
    samples = sum(panel.n_fast * panel.n_slow for panel in detector.panels)
    samples *= detector.layers * sampling.oversample**2
    samples *= len(beam.source.weights) * goniometer.steps * len(crystal.mosaic_rotations)
    if samples >= NEVER:
        raise InputError(
            f"-oversample, -detector_thicksteps, sources, -phisteps, -mosaic_domains: all pixels together sum over "
            f"{samples:.3g} samples; at most {NEVER:.3g}"
        )


def _interpolation(settings: Settings, crystal: Crystal) -> tuple[bool, bool]:
    """Decide on tricubic interpolation; the second value tells whether the program chose."""
    if settings.factors.interpolate is not None:
        return settings.factors.interpolate, False
    typed = (settings.crystal.Na, settings.crystal.Nb, settings.crystal.Nc)
    # C differs: it looks at the sizes as typed, before -samplesize sets the real ones.
    sizes = typed if settings.semantics is Semantics.C else crystal.cells
    return min(sizes) <= 2, True


def _sampling(settings: Settings, detector: Detector, crystal: Crystal) -> Sampling:
    """Oversampling, region and mask."""
    panel = detector.panels[0]
    distance = panel.distance
    if settings.detector.panels:
        distance = min(abs(p.distance) for p in detector.panels)  # the nearest decides
    if len(detector.panels) > 1 and settings.sampling.roi != (None, None, None, None):
        raise InputError(f"-roi: contradicts a detector of {len(detector.panels)} panels; a region is of one panel")
    reciprocal_pixel = settings.beam.wavelength * distance / panel.pixel_size
    recommended = _recommended_oversample(float(np.max(crystal.size_m)), reciprocal_pixel)
    chosen = settings.sampling.oversample is None or settings.sampling.oversample <= 0
    if chosen and recommended > MAX_OVERSAMPLE:
        raise InputError(
            f"-oversample: {recommended}-fold would be chosen for this crystal and detector; "
            f"at most {MAX_OVERSAMPLE}, give -oversample"
        )
    oversample = recommended if chosen else int(settings.sampling.oversample or 1)
    roi_as_set, roi = region_of_interest(settings, panel)
    return Sampling(
        oversample=oversample,
        recommended_oversample=recommended,
        reciprocal_pixel_size=reciprocal_pixel,
        oversample_chosen=chosen,
        oversample_thick=settings.sampling.oversample_thick,
        oversample_polar=settings.sampling.oversample_polar,
        oversample_omega=settings.sampling.oversample_omega,
        dmin=settings.sampling.dmin,
        roi=roi,
        roi_as_set=roi_as_set,
        mask=pixel_mask(settings, panel),
    )


def _recommended_oversample(size: float, reciprocal_pixel: float) -> int:
    """Return the sub-pixels along an edge that resolve the fringes of a crystal of some size [m], at most 2^31 - 1."""
    wanted = 3.0 * size / reciprocal_pixel if reciprocal_pixel != 0.0 else math.inf
    # As C: 1 where the pixel's size in reciprocal space comes out negative or undefined.
    return math.ceil(min(wanted, C_INT)) if wanted > 1.0 else 1
