"""From what the user said to what will be rendered: settings -> ExperimentRecord.

All files but headers are read here, and every remaining mistake is found here, before anything is compiled.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..beam.sources import make_source
from ..constants import R_E_SQUARED
from ..crystal import lattice, mosaic
from ..crystal.orientation_files import reciprocal_from_file
from ..detector.placement import Axes, resolve_axes, resolve_detector
from ..detector.resolution import finest_spacing
from ..errors import InputError
from ..geometry.vectors import length
from ..io import smv
from ..kernels.random import park_miller
from ..kernels.scene import NEVER
from ..parameters.files import check_files
from ..parameters.settings import Semantics, Settings, Shape
from ..parameters.steps import MAX_OVERSAMPLE, mosaic_domains, phi_steps
from ..parameters.types import C_INT
from ..readout.poisson import seed_from_time
from ..structure_factors import load as structure_factors
from ..structure_factors.from_model import Reach
from ..structure_factors.mtz_cif_columns import Cell
from ..structure_factors.table import free_memory, gigabytes
from ..util.notices import Notify
from .model import Beam, Crystal, Detector, ExperimentRecord, Goniometer, Panel, Sampling
from .required import has_crystal, lacks_crystal

MAX_ORIENTATIONS = 10_000_000
ORIENTATION_BYTES = 72  # nine float64


def resolve(
    settings: Settings,
    notify: Notify,
    check: Callable[[ExperimentRecord], None] = lambda experiment: None,
    *,
    cache_folder: Path | None = None,
) -> ExperimentRecord:
    """Work out an experiment.

    Parameters
    ----------
    settings : Settings
    notify : callable
        Receives one-line remarks for the user.
    check : callable, optional
        Receives the experiment while it lacks its reflections, and raises an error where a command cannot use it:
        their dump is written only by a command that will go on.
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
    structure_factors.check_options(settings)
    if not has_crystal(settings):
        settings = _with_cell_of_file(settings, notify)
    clipping: list[str] = []
    settings, fluence = _fluence_and_sample(settings, clipping.append)
    axes = resolve_axes(settings)
    detector = resolve_detector(settings, axes, notify)
    phi = phi_steps(settings.osc, settings.phistep, settings.phisteps)
    _check_orientations(settings, phi.count)
    random_table = park_miller.new_table()
    crystal = _crystal(settings, axes, phi.extent > 0.0 or settings.phi != 0.0, random_table, notify)
    source = make_source(settings, axes.beam, axes.polar)
    beam = Beam(
        direction=axes.beam,
        polarization_axis=axes.polar,
        wavelength=settings.wavelength,
        polarization=settings.polarization,
        nopolar=settings.nopolar,
        fluence=fluence,
        source=source,
    )
    goniometer = Goniometer(axes.spindle, settings.phi, phi.extent, phi.step, phi.count)
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
        default_F=settings.default_F,
        interpolate=False,
        interpolate_wanted=interpolate,
        interpolate_chosen=chosen,
        water_size=settings.water_size,
        random_table=tuple(random_table),
        settings=settings,
        clipping_warnings=tuple(clipping),
        reflection_lines=(),
    )
    check(experiment)
    reflection_lines: list[str] = []
    reach = Reach(finest_spacing(detector, beam), 3 if interpolate else 1) if settings.pdb_file is not None else None
    reflections = structure_factors.load(
        settings, notify, reflection_lines.append, reach=reach, cache_folder=cache_folder
    )
    if reflections is not None and reflections.cell is not None:
        _compare_cells(crystal, reflections.cell, notify)
    experiment = dataclasses.replace(
        experiment,
        reflections=reflections,
        interpolate=interpolate and reflections is not None,
        reflection_lines=tuple(reflection_lines),
    )
    _notify_defects(experiment, notify)
    return experiment


def _fluence_and_sample(settings: Settings, warn: Callable[[str], None]) -> tuple[Settings, float]:
    """Fluence from flux, and the sample clipped to the beam (nanoBragg.c:1131-1150)."""
    fluence = settings.fluence
    if settings.flux != 0.0 and settings.exposure > 0.0 and settings.beamsize >= 0:
        if settings.beamsize == 0.0:
            raise InputError("-beamsize: 0 mm with -flux makes the fluence infinite; it must be positive")
        fluence = settings.flux * settings.exposure / settings.beamsize / settings.beamsize
    if not math.isfinite(fluence):
        raise InputError(f"-flux, -exposure, -beamsize: the fluence comes out as {fluence:g}; it must be finite")
    # As C: the beam clips y and z, never x.
    if 0.0 <= settings.beamsize < settings.sample_y:
        warn(f"WARNING: clipping sample ({settings.sample_y:g} m high) with beam ({settings.beamsize:g} m)")
        settings = dataclasses.replace(settings, sample_y=settings.beamsize)
    if 0.0 <= settings.beamsize < settings.sample_z:
        warn(f"WARNING: clipping sample ({settings.sample_z:g} m wide) with beam ({settings.beamsize:g} m)")
        settings = dataclasses.replace(settings, sample_z=settings.beamsize)
    return settings, fluence


def _crystal(settings: Settings, axes: Axes, turning: bool, random_table: list[int], notify: Notify) -> Crystal:
    """Cell, orientation, size and mosaic domains (nanoBragg.c:1785-2090)."""
    cell = None
    if settings.cell_given:
        cell = lattice.complete_cell(settings.cell_lengths_A, settings.cell_angles)
    if settings.reciprocal_A is not None:
        reciprocal = np.array(settings.reciprocal_A)
    elif settings.matrix_file is not None:
        reciprocal = reciprocal_from_file(settings, axes, turning, notify)
    else:
        assert cell is not None
        reciprocal = lattice.reciprocal_from_cell(*cell)
    misset, misset_seed = settings.misset, None
    if settings.misset_random:
        misset_seed = _misset_seed(settings, notify)
        misset = mosaic.random_misset(misset_seed, settings.semantics, random_table)
    if misset is not None:
        reciprocal = lattice.misset(reciprocal, misset)
    made = lattice.lattice_from_reciprocal(reciprocal, cell)
    # As C: the length of the vector in metres decides, to the last bit, whether one more cell fits.
    lengths_m = [length(v * 1e-10) for v in made.real_A]
    sizes = (settings.sample_x, settings.sample_y, settings.sample_z)
    typed = (settings.Na, settings.Nb, settings.Nc)
    cells = tuple(lattice.cells_along(s, m, n) for s, m, n in zip(sizes, lengths_m, typed, strict=True))
    if math.prod(cells) > 10**15:
        raise InputError(f"-N, -samplesize: {cells[0]} x {cells[1]} x {cells[2]} unit cells; at most 1e15 in all")
    if settings.fudge < 0.0 and settings.shape in (Shape.ROUND, Shape.GAUSS):
        raise InputError(f"-fudge: {settings.fudge:g} makes a spot without bounds; it must be 0 or more")
    spread, domains, _ = mosaic_domains(settings.mosaic_spread, settings.mosaic_domains)
    return Crystal(
        real_space=made.real_A * 1e-10,
        reciprocal_A=made.reciprocal_A,
        lengths_A=made.lengths_A,
        angles=made.angles,
        reciprocal_lengths_A=made.reciprocal_lengths_A,
        reciprocal_angles=made.reciprocal_angles,
        volume_A3=made.volume_A3,
        cells=(cells[0], cells[1], cells[2]),
        shape=settings.shape,
        fudge=settings.fudge,
        misset=misset,
        misset_seed=misset_seed,
        mosaic_spread=spread,
        mosaic_seed=settings.mosaic_seed,
        mosaic_rotations=mosaic.mosaic_rotations(spread, domains, settings.mosaic_seed, random_table),
    )


def _with_cell_of_file(settings: Settings, notify: Notify) -> Settings:
    """Let the cell that the file of structure factors states serve as -cell."""
    file, cell = structure_factors.cell_of_file(settings)
    numbers = " ".join(f"{value:.6g}" for value in cell)
    notify(f"no crystal is given: -cell {numbers} is taken from {file}, in the orientation of -cell")
    a, b, c, alpha, beta, gamma = cell
    return dataclasses.replace(
        settings,
        cell_given=True,
        cell_lengths_A=(a, b, c),
        cell_angles=(math.radians(alpha), math.radians(beta), math.radians(gamma)),
    )


def _compare_cells(crystal: Crystal, cell: Cell, notify: Notify) -> None:
    """Say when the crystal is not the one that the structure factors belong to."""
    ours = (*crystal.lengths_A, *np.degrees(crystal.angles))
    longer = np.abs(np.array(ours[:3]) / cell[:3] - 1.0).max() > 0.01
    if longer or np.abs(np.array(ours[3:]) - cell[3:]).max() > 1.0:
        crystals, files = (" ".join(f"{value:.6g}" for value in six) for six in (ours, cell))
        notify(f"the crystal has the cell {crystals}, the file of its structure factors {files}")


def _check_orientations(settings: Settings, steps: int) -> None:
    """Refuse more orientations of the crystal than memory holds."""
    domains = mosaic_domains(settings.mosaic_spread, settings.mosaic_domains)[1]
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


def _misset_seed(settings: Settings, notify: Notify) -> int:
    """Return the seed of the random orientation; one that is drawn from the time goes out as a notice."""
    if settings.misset_seed is not None:
        return settings.misset_seed
    seed = seed_from_time()
    notify(f"-misset random: seed {seed}, from the time; -misset_seed {seed} gives the same orientation again")
    return seed


def _interpolation(settings: Settings, crystal: Crystal) -> tuple[bool, bool]:
    """Decide on tricubic interpolation; the second value tells whether the program chose."""
    if settings.interpolate is not None:
        return settings.interpolate, False
    typed = (settings.Na, settings.Nb, settings.Nc)
    # C differs: it looks at the sizes as typed, before -samplesize sets the real ones.
    sizes = typed if settings.semantics is Semantics.C else crystal.cells
    return min(sizes) <= 2, True


def _sampling(settings: Settings, detector: Detector, crystal: Crystal) -> Sampling:
    """Oversampling, region and mask."""
    panel = detector.panels[0]
    distance = panel.distance
    if settings.panels:
        distance = min(abs(p.distance) for p in detector.panels)  # the nearest decides
    if len(detector.panels) > 1 and settings.roi != (None, None, None, None):
        raise InputError(f"-roi: contradicts a detector of {len(detector.panels)} panels; a region is of one panel")
    reciprocal_pixel = settings.wavelength * distance / panel.pixel_size
    recommended = _recommended_oversample(float(np.max(crystal.size_m)), reciprocal_pixel)
    chosen = settings.oversample is None or settings.oversample <= 0
    if chosen and recommended > MAX_OVERSAMPLE:
        raise InputError(
            f"-oversample: {recommended}-fold would be chosen for this crystal and detector; "
            f"at most {MAX_OVERSAMPLE}, give -oversample"
        )
    oversample = recommended if chosen else int(settings.oversample or 1)
    roi_as_set, roi = region_of_interest(settings, panel)
    return Sampling(
        oversample=oversample,
        recommended_oversample=recommended,
        reciprocal_pixel_size=reciprocal_pixel,
        oversample_chosen=chosen,
        oversample_thick=settings.oversample_thick,
        oversample_polar=settings.oversample_polar,
        oversample_omega=settings.oversample_omega,
        dmin=settings.dmin,
        roi=roi,
        roi_as_set=roi_as_set,
        mask=_mask(settings, panel),
    )


def _recommended_oversample(size: float, reciprocal_pixel: float) -> int:
    """Return the sub-pixels along an edge that resolve the fringes of a crystal of some size [m], at most 2^31 - 1."""
    wanted = 3.0 * size / reciprocal_pixel if reciprocal_pixel != 0.0 else math.inf
    # As C: 1 where the pixel's size in reciprocal space comes out negative or undefined.
    return math.ceil(min(wanted, C_INT)) if wanted > 1.0 else 1


def region_of_interest(settings: Settings, panel: Panel) -> tuple[tuple[int, int, int, int], tuple[int, int, int, int]]:
    """Return -roi as C reports it, and clipped to the detector.

    Returns
    -------
    as_set, clipped : (fast first, fast last, slow first, slow last)
        Bounds are inclusive.

    Raises
    ------
    InputError
        When the region holds no pixel.
    """
    defaults = (0, panel.n_fast, 0, panel.n_slow)
    f0, f1, s0, s1 = (
        default if bound is None or bound < 0 else bound for bound, default in zip(settings.roi, defaults, strict=True)
    )
    clipped = (f0, min(f1, panel.n_fast - 1), s0, min(s1, panel.n_slow - 1))
    if clipped[0] > clipped[1] or clipped[2] > clipped[3]:
        raise InputError(
            f"-roi: {f0} {f1} {s0} {s1} holds no pixel; allowed are 0 to {panel.n_fast - 1} (fast) "
            f"and 0 to {panel.n_slow - 1} (slow), the smaller bound first"
        )
    return (f0, f1, s0, s1), clipped


def _mask(settings: Settings, panel: Panel) -> NDArray[np.bool_] | None:
    """Read -mask; pixels of value 0 are skipped."""
    if settings.mask_file is None:
        return None
    data = smv.read(settings.mask_file, "-mask").data
    if data.shape != (panel.n_slow, panel.n_fast):
        raise InputError(
            f"-mask {settings.mask_file}: the mask has {data.shape[1]} x {data.shape[0]} pixels, "
            f"the detector {panel.n_fast} x {panel.n_slow} (fast x slow); the two must be the same"
        )
    return np.asarray(data != 0)


def _notify_defects(experiment: ExperimentRecord, notify: Notify) -> None:
    """Say which known defects of the C program change this picture under -semantics c."""
    if experiment.semantics is Semantics.C:
        for row, what in defects_met(experiment):
            notify(f"{row}: {what}; -semantics exact draws it right")


def defects_met(experiment: ExperimentRecord) -> list[tuple[str, str]]:
    """Name the rows of DIFFERENCES.md that this experiment meets, apart from the interpolation latch.

    The latch is known only when the image is rendered.
    """
    settings, sampling, detector = experiment.settings, experiment.sampling, experiment.detector
    angles = experiment.goniometer.angles
    switches = sampling.oversample_thick or sampling.oversample_polar or sampling.oversample_omega
    black = sampling.oversample_thick and detector.thickness == 0.0
    weights = experiment.beam.source.weights
    corner_counts = settings.pix0_vector is not None and not settings.beam_center_given
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
            settings.nopolar and sampling.oversample_polar,
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
            settings.source_file is not None and bool(np.any(weights != weights[0])),
            "as C, the weights of -sourcefile are not used",
        ),
        "water": (_water_is_off(experiment), "as C, -water is scaled by fluence twice and divided by the steps"),
        "misset random": (settings.misset_random, "as C, the random orientation is not uniform"),
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
    if settings.pix0_vector is None and settings.pivot_explicit is None:
        return False
    other = Semantics.EXACT if settings.semantics is Semantics.C else Semantics.C
    try:
        there = resolve_detector(
            dataclasses.replace(settings, semantics=other), resolve_axes(settings), lambda line: None
        ).panels[0]
    except InputError:
        return True
    here = experiment.detector.panels[0]
    # A beam centre and a foot point that are meant to be one place differ by rounding.
    return bool(np.any(np.abs(here.origin - there.origin) > 1e-6 * here.pixel_size))
