"""From what the user said to what will be rendered: settings -> experiment.

All files but headers are read here, and every remaining mistake is found here, before anything is compiled.
"""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..beam.build import build_beam, have_same_sources, of_sources, with_spectrum
from ..beam.model import Beam, SourceGrid, beam_turns
from ..beam.spectrum import Spectrum
from ..crystal.build import build_crystal, clipping_warnings
from ..crystal.continuous import in_closed_form, one_direction
from ..crystal.model import Crystal
from ..detector.model import Detector
from ..detector.placement import Axes, resolve_axes, resolve_detector
from ..detector.resolution import finest_spacing
from ..errors import IncompleteError, InputError, called
from ..parameters.choices import Spreading
from ..parameters.files import check_files
from ..parameters.settings import FactorSettings, Settings
from ..readout.model import Readout
from ..structure_factors.load import FactorSource
from ..structure_factors.table import Cell, NeededRange, ReflectionTable
from ..util.messages import logger
from ..util.records import changed
from .crystal_files import settings_of_crystals
from .defects import log_defects
from .energies import factors_by_energy, reaches, with_energies
from .geometry import Goniometer
from .geometry_only import build_goniometer
from .limits import check_b_factor, check_closed_form, check_domains, check_orientations, check_samples
from .model import Experiment
from .readout import build_background, build_readout, check_background, with_gaps
from .regions import with_mask
from .required import has_crystal, missing_crystal, no_crystal
from .resolved import Choices, Parts, Resolved
from .sampling import build_sampling

if TYPE_CHECKING:
    from ..structure_factors.by_energy import EnergyFactors


def resolve(
    settings: Settings,
    check: Callable[[Experiment], None] = lambda experiment: None,
    *,
    reflections: ReflectionTable | None = None,
    cache_folder: Path | None = None,
) -> Experiment:
    """Work out an experiment; see `resolve_with_choices`."""
    return resolve_with_choices(settings, check, reflections=reflections, cache_folder=cache_folder).experiment


def resolve_with_choices(
    settings: Settings,
    check: Callable[[Experiment], None] = lambda experiment: None,
    *,
    reflections: ReflectionTable | None = None,
    cache_folder: Path | None = None,
    before: Resolved | None = None,
) -> Resolved:
    """Work out an experiment, and keep what was chosen on the way.

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
    before : Resolved, optional
        Where it agrees with the settings about beam, crystal or detector, that part is taken over; the files and the
        notices that it took are not read and not given again.

    Raises
    ------
    InputError
        For values that cannot be rendered, naming the option, the value and what is allowed.
    FileError
        For files that are missing or unreadable.
    """
    first, *others = settings_of_crystals(settings)
    missing = missing_crystal(first)
    if missing is not None:
        raise IncompleteError(missing)
    if reflections is not None and before is None and settings.factors.hkl_file is None and first.factors.hkl_file:
        raise InputError(f"{called('crystals')}: names reflections beside an array of them; give one of the two")
    if before is None:  # else no file is named anew
        for one in (settings, *(() if first is settings else (first,)), *others):
            check_files(one)
    with FactorSource(first, reflections) as factors:
        return _resolve(first, factors, check, cache_folder, before, settings, others)


def _resolve(
    settings: Settings,
    factors: FactorSource,
    check: Callable[[Experiment], None],
    cache_folder: Path | None,
    before: Resolved | None,
    asked: Settings,
    others: Sequence[Settings],
) -> Resolved:
    """Work everything out, with the file of structure factors open.

    The settings are those of the first crystal, `asked` those that were given.
    """
    if not has_crystal(settings):
        settings = asked = _with_cell_of_file(settings, factors)
    # What a file holds may be another spectrum by now.
    same = before is not None and settings.beam.spectrum_file is None and before.agrees(settings, "beam")
    settings, spectrum = with_spectrum(settings, before.parts.spectrum if before is not None and same else None)
    others = [dataclasses.replace(one, beam=settings.beam) for one in others]  # matrices of MOSFLM need the wavelength
    axes = resolve_axes(settings)
    goniometer = build_goniometer(settings, axes)
    check_orientations(settings, goniometer.steps)
    parts = _parts(settings, asked, spectrum, axes, goniometer.turns, before)
    beam, grid, crystal, detector = parts.beam, parts.grid, parts.crystal, parts.detector
    check_domains(crystal, goniometer.steps)
    further = _further_crystals(others, axes, goniometer)
    spread = None
    if settings.crystal.spreading is Spreading.CONTINUOUS:
        turn = goniometer.turn(float(goniometer.angles.mean()))
        further = [in_closed_form(one, beam, True, turn)[0] for one in further]
        keep_sources = settings.beam.source_file is not None
        crystal, beam, spread = in_closed_form(crystal, beam, keep_sources, turn, spectrum is not None)
        if settings.beam.source_file is None:
            grid = one_direction(grid, beam)
    sampling, sampling_choices = build_sampling(settings, detector, (crystal, *further), beam, spread)
    readout = build_readout(settings, detector)
    detector = _masked(detector, settings, readout, before)
    whole: dict[str, Any] = {
        "beam": beam,
        "detector": detector,
        "goniometer": goniometer,
        "sampling": sampling,
        "background": build_background(settings),
        "readout": readout,
        "semantics": settings.semantics,
        "closed_form": spread,
    }
    experiment = Experiment.of_parts(crystals=(crystal,), **whole)
    check_closed_form(experiment)
    for other in further:
        check_closed_form(_with_crystal(experiment, other))
    check_samples(Experiment.of_parts(crystals=(crystal, *further), **whole) if further else experiment)
    check(experiment)
    reflection_lines: list[str] = []
    indices = 3 if sampling.interpolate else 1
    needed = cache(lambda: NeededRange(finest_spacing(detector, beam), indices))
    reach = needed() if factors.is_computed else None
    by_energy = factors_by_energy(settings, factors, reach, before)
    if by_energy is None:
        reflections = factors.load(reflection_lines.append, reach=reach, cache_folder=cache_folder)
        if reflections is not None:
            crystal = changed(crystal, reflections=reflections)
    else:
        crystal = with_energies(crystal, beam, by_energy, settings, reflection_lines.append)
    if crystal.reflections is not None and crystal.reflections.cell is not None:
        _compare_cells(crystal, crystal.reflections.cell)
    own_factors = tuple(one.factors for one in others)
    old = before if before is not None and before.further_factors == own_factors else None
    further_energies: list[EnergyFactors | None] = []
    for number, theirs in enumerate(others):
        lines: list[str] = []
        known = None if old is None else old.further(number)
        further[number], energies = _with_factors(
            further[number], theirs, settings, crystal, beam, known, needed, cache_folder, lines.append
        )
        reflection_lines += [f"crystal {number + 2}: {line}" for line in lines]
        further_energies.append(energies)
    check_background(experiment)
    experiment = Experiment.of_parts(crystals=(crystal, *further), **whole)
    for one in experiment.crystals:
        check_b_factor(one, sampling)
    choices = Choices(
        clipping_warnings=tuple(clipping_warnings(settings)),
        reflection_lines=tuple(reflection_lines),
        grid=grid,
        **sampling_choices,
    )
    resolved = Resolved(experiment, asked, choices, parts, by_energy, own_factors, tuple(further_energies))
    log_defects(resolved if settings is asked else dataclasses.replace(resolved, settings=settings))
    return resolved


def _parts(
    settings: Settings,
    asked: Settings,
    spectrum: Spectrum | None,
    axes: Axes,
    turning: bool,
    before: Resolved | None,
) -> Parts:
    """Build beam, detector and crystal, or take over those that were built of the same."""
    old = before.parts if before is not None and before.parts.axes is axes else None
    stands = before is not None and before.agrees(asked, "detector")
    detector = old.detector if old is not None and stands else resolve_detector(settings, axes)
    tilt = settings.beam.tilt_fast, settings.beam.tilt_slow
    if before is not None and old is not None and before.agrees(asked, "beam") and (stands or not any(tilt)):
        beam, grid = old.beam, old.grid
    else:
        same = before is not None and old is not None and have_same_sources(before.settings, asked)
        made = (old.beam.sources, old.grid) if old is not None and same and not any(tilt) else None
        beam, grid = build_beam(settings, axes.beam, axes.polar, spectrum, made)
        if any(tilt):
            beam, grid = _tilted(beam, grid, detector, tilt)
    drawn_anew = settings.crystal.misset_random and settings.crystal.misset_seed is None
    if (
        before is not None
        and old is not None
        and before.agrees(asked, "crystal")
        and _of_crystal(before.settings) == _of_crystal(asked)
        and old.turning == turning
        and not drawn_anew
    ):
        crystal = old.crystal
        default_F, B_factor = settings.factors.default_F, settings.factors.B_factor
        if (default_F, B_factor) != (crystal.default_F, crystal.B_factor):
            crystal = changed(crystal, default_F=default_F, B_factor=B_factor)
    else:
        crystal = build_crystal(settings, axes, turning)
    return Parts(axes, spectrum, beam, grid, crystal, turning, detector)


def _masked(detector: Detector, settings: Settings, readout: Readout | None, before: Resolved | None) -> Detector:
    """Hide pixels of a detector, or take over the one whose pixels were hidden of the same; a file is read again."""
    same = before is not None and detector is before.parts.detector and before.agrees(settings, "readout")
    if before is not None and same and settings.detector.mask_file is None:
        return before.experiment.detector
    return with_gaps(settings, with_mask(settings, detector), readout)


def _of_crystal(settings: Settings) -> tuple[object, ...]:
    """Return what a crystal without reflections depends on besides its own settings."""
    beam, detector = settings.beam, settings.detector
    if settings.crystal.matrix_file is None:
        return (beam.beamsize,)
    # The wavelength, which with a spectrum is that of its mean.
    return beam.beamsize, of_sources(beam), detector.expt_file, detector.expt_number


def _tilted(beam: Beam, grid: SourceGrid, detector: Detector, tilt: tuple[float, float]) -> tuple[Beam, SourceGrid]:
    """Turn the beam and its sources towards fast and slow of the first panel; nothing else moves."""
    panel = detector.panels[0]
    if detector.curved:
        raise InputError(
            f"{called('beam_tilt_fast_mrad')}, {called('beam_tilt_slow_mrad')}: the place of a curved detector follows "
            "from the beam; allowed: 0, or a flat detector"
        )
    turn = beam_turns(beam.direction, (panel.fast, panel.slow), tilt)[0]
    return beam.turned(turn), dataclasses.replace(grid, positions=grid.positions @ turn.T)


def _further_crystals(others: Sequence[Settings], axes: Axes, goniometer: Goniometer) -> list[Crystal]:
    """Build the crystals after the first, without their reflections."""
    found = []
    for settings in others:
        check_orientations(settings, goniometer.steps)
        found.append(build_crystal(settings, axes, goniometer.turns))
        check_domains(found[-1], goniometer.steps)
    return found


def _with_crystal(experiment: Experiment, crystal: Crystal) -> Experiment:
    """Return an experiment with another crystal, and its mosaicity where that is in closed form."""
    spread = experiment.closed_form
    if spread is not None and crystal.mosaicity is not None:
        spread = dataclasses.replace(spread, mosaicity=crystal.mosaicity)
    return dataclasses.replace(experiment, crystals=(crystal,), closed_form=spread)


def _with_factors(
    crystal: Crystal,
    theirs: Settings,
    settings: Settings,
    first: Crystal,
    beam: Beam,
    old: tuple[ReflectionTable | None, EnergyFactors | None] | None,
    needed: Callable[[], NeededRange],
    cache_folder: Path | None,
    report: Callable[[str], None],
) -> tuple[Crystal, EnergyFactors | None]:
    """Give a further crystal its structure factors: those of the first, unless it names its own."""
    if _sources(theirs.factors) == _sources(settings.factors):
        same = {name: getattr(first, name) for name in ("reflections", "energy_groups", "anomalous")}
        return dataclasses.replace(crystal, **same), None
    reflections, energies = old or (None, None)
    if reflections is None or (energies is not None and not reaches(energies, theirs, needed())):
        with FactorSource(theirs) as source:
            reach = needed() if source.is_computed else None
            energies = source.by_energy(reach)
            if energies is None:
                reflections = source.load(reach=reach, cache_folder=cache_folder)
    if energies is None:
        crystal = dataclasses.replace(crystal, reflections=reflections)
    else:
        crystal = with_energies(crystal, beam, energies, theirs, report)
    if crystal.reflections is not None and crystal.reflections.cell is not None:
        _compare_cells(crystal, crystal.reflections.cell)
    return crystal, energies


def _sources(factors: FactorSettings) -> FactorSettings:
    """Return what a table of reflections depends on."""
    return dataclasses.replace(factors, B_factor=0.0)


def _with_cell_of_file(settings: Settings, factors: FactorSource) -> Settings:
    """Let the cell that the file of structure factors states serve as -cell."""
    cell = factors.cell
    if cell is None:
        raise IncompleteError(no_crystal(settings))
    a, b, c, alpha, beta, gamma = cell
    numbers = " ".join(f"{value:.6g}" for value in cell)
    logger.warning(
        f"no crystal is given: {called('cell')} {numbers} is taken from {factors.place}, in the orientation of "
        f"{called('cell')}"
    )
    return settings.changed(
        cell_given=True,
        cell_lengths_A=(a, b, c),
        cell_angles=(math.radians(alpha), math.radians(beta), math.radians(gamma)),
    )


def _compare_cells(crystal: Crystal, cell: Cell) -> None:
    """Log when the crystal is not the one that the structure factors belong to.

    Raises
    ------
    InputError
        It is the same with its axes in another order, so that indices would be taken for others.
    """
    ours = (*crystal.lengths_A, *map(float, np.degrees(crystal.angles)))
    if _same_cell(ours, cell):
        return
    crystals, files = (" ".join(f"{value:.6g}" for value in six) for six in (ours, cell))
    for order in itertools.permutations(range(3)):
        if _same_cell(tuple(ours[i] for i in (*order, *(3 + i for i in order))), cell):
            axes = ", ".join("abc"[i] for i in order)
            raise InputError(
                f"the crystal has the cell {crystals}, the file of its structure factors {files}: the axes are those "
                f"of the crystal in the order {axes}; give the crystal with its axes in the order of the file"
            )
    logger.warning(f"the crystal has the cell {crystals}, the file of its structure factors {files}")


def _same_cell(one: tuple[float, ...], other: Cell) -> bool:
    """Tell whether two cells agree to 1 % and 1 degree."""
    longer = np.abs(np.array(one[:3]) / other[:3] - 1.0).max() > 0.01
    return not (longer or np.abs(np.array(one[3:]) - other[3:]).max() > 1.0)
