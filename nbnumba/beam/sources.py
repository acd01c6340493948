"""The list of sources: a direction, a weight and a wavelength each."""

from __future__ import annotations

import numpy as np

from ..errors import InputError, called
from ..geometry.vectors import Array, cross, rotate_about, unit, units
from ..io import source_file
from ..io.contents import content_of
from ..parameters.choices import Semantics
from ..parameters.settings import BeamSettings, Settings
from ..parameters.steps import MAX_STEPS, Steps, spread_steps
from .gaussian import gaussian_divergence
from .model import SourceGrid, Sources
from .spectrum import Spectrum

SOURCE_DISTANCE = 10.0  # m, as C


def make_sources(
    settings: Settings, beam: Array, polar: Array, spectrum: Spectrum | None = None
) -> tuple[Sources, SourceGrid]:
    """Build the sources from a file, or from divergence and dispersion or spectrum.

    Parameters
    ----------
    beam, polar : (3,)
        Unit vectors of the beam and of the polarization axis.
    spectrum : Spectrum, optional
        Takes the place of the dispersion.

    Raises
    ------
    InputError
        For a malformed source file, weights that are negative or all zero where they are used, or too many sources.
    """
    hdiv = spread_steps(
        settings.beam.hdivrange,
        settings.beam.hdivstep,
        settings.beam.hdivsteps,
        ("hdivrange_mrad", "hdivstep_mrad"),
    )
    vdiv = spread_steps(
        settings.beam.vdivrange,
        settings.beam.vdivstep,
        settings.beam.vdivsteps,
        ("vdivrange_mrad", "vdivstep_mrad"),
    )
    dispersion = spread_steps(settings.beam.dispersion, None, settings.beam.dispsteps)
    gaussian = gaussian_divergence(settings.beam)
    if settings.beam.source_file is not None:
        positions, listed, wavelengths = _from_file(settings, beam)
        # C differs: it never uses the weights of -sourcefile.
        weights = np.ones(len(listed)) if settings.semantics is Semantics.C else listed
        directions = units(positions)
        divergences: list[tuple[float, float]] = []
        channels: Array = np.zeros(0)
    else:
        channels = _wavelengths(settings.beam, dispersion) if spectrum is None else spectrum.wavelengths
        _check_count(hdiv, vdiv, len(channels), gaussian)
        divergences = divergence_grid(hdiv, vdiv, settings.beam.round_divergence) if gaussian is None else gaussian
        placed = generated_positions(divergences, beam, polar)
        positions, directions = (each.repeat(len(channels), axis=0) for each in (placed, units(placed)))
        count = len(positions)
        wavelengths = np.tile(channels, len(divergences)) if len(divergences) > 1 else channels
        weights, listed = np.ones(count), np.full(count, 1.0 / count if count else 0.0)
        if spectrum is not None and divergences:
            listed = np.tile(spectrum.weights / len(divergences), len(divergences))
            weights = listed * count
    if len(positions) == 0:
        raise InputError(
            f"{called('hdivrange_mrad')}, {called('vdivrange_mrad')}: the circle clips every one of the divergence "
            f"steps; use {called('round_divergence', False)} or more steps"
        )
    return Sources(directions, weights, wavelengths), SourceGrid(
        positions=positions,
        weights=listed,
        divergences=tuple(divergences),
        wavelengths=tuple(channels.tolist()),
        hdivrange=hdiv.extent,
        hdivstep=hdiv.step,
        vdivrange=vdiv.extent,
        vdivstep=vdiv.step,
        dispersion=dispersion.extent,
        dispsteps=dispersion.count,
    )


def _wavelengths(beam: BeamSettings, dispersion: Steps) -> Array:
    """Wavelengths of a dispersion in equal steps [m]."""
    channels = np.array(
        [beam.wavelength * (1.0 + dispersion.step * i - dispersion.extent / 2.0) for i in range(dispersion.count)]
    )
    if min(channels.tolist()) <= 0.0:
        raise InputError(
            f"{called('dispersion_percent')}: {beam.dispersion * 100:g} percent reaches wavelengths of zero and below; "
            "it must stay under 200 percent"
        )
    return channels


def _check_count(hdiv: Steps, vdiv: Steps, channels: int, gaussian: list[tuple[float, float]] | None) -> None:
    """Refuse more sources than an image takes."""
    directions = hdiv.count * vdiv.count if gaussian is None else len(gaussian)
    if directions * channels <= MAX_STEPS:
        return
    if gaussian is None:
        names = f"{called('hdivsteps')}, {called('vdivsteps')}, {called('dispsteps')}"
        factors = f"{hdiv.count} x {vdiv.count} x {channels}"
    else:
        names, factors = called("gauss_divs"), f"{directions} x {channels}"
    raise InputError(f"{names}: {factors} steps make {directions * channels} sources; at most {MAX_STEPS}")


def _from_file(settings: Settings, beam: Array) -> tuple[Array, Array, Array]:
    """Read -sourcefile and fill in its missing columns (nanoBragg.c:2320-2345)."""
    assert settings.beam.source_file is not None
    table = content_of(source_file.read, settings.beam.source_file)
    missing_position = np.isnan(table[:, :3])
    positions = np.where(missing_position, -SOURCE_DISTANCE * beam, table[:, :3])
    at_sample = np.flatnonzero(~positions.any(axis=1))
    if at_sample.size:
        raise InputError(
            f"{called('sources')} {settings.beam.source_file}: source {at_sample[0] + 1} stands at 0 0 0, the "
            "sample, after "
            "its missing coordinates are filled in; give X Y Z"
        )
    weights = np.where(np.isnan(table[:, 3]), 1.0, table[:, 3])
    wavelengths = np.where(np.isnan(table[:, 4]), settings.beam.wavelength, table[:, 4])
    # C differs: it reads the weights and never uses them, so any value passes.
    if settings.semantics is Semantics.EXACT and (np.any(weights < 0.0) or not np.any(weights > 0.0)):
        raise InputError(
            f"{called('sources')} {settings.beam.source_file}: weights must not be negative, and at least one must "
            "be positive"
        )
    return positions, weights, wavelengths


def divergence_grid(hdiv: Steps, vdiv: Steps, clip_to_circle: bool) -> list[tuple[float, float]]:
    """Directions of the divergence grid, horizontal outermost [rad] (nanoBragg.c:2350-2362).

    A grid with a zero range in either direction is never clipped: C's test is 0/0 there.
    """
    clip = clip_to_circle and hdiv.extent > 0.0 and vdiv.extent > 0.0
    kept = []
    for i in range(hdiv.count):
        h = hdiv.step * i - hdiv.extent / 2.0
        for j in range(vdiv.count):
            v = vdiv.step * j - vdiv.extent / 2.0
            if clip:
                # For an even count the middle of the grid lies between two steps, which the 1/4 allows for.
                inside = (h * h - hdiv.step * hdiv.step / 4.0 * (1 - hdiv.count % 2)) / hdiv.extent / hdiv.extent
                inside += (v * v - vdiv.step * vdiv.step / 4.0 * (1 - vdiv.count % 2)) / vdiv.extent / vdiv.extent
                if inside * 4.0 > 1.1:
                    continue
            kept.append((h, v))
    return kept


def generated_positions(divergences: list[tuple[float, float]], beam: Array, polar: Array) -> Array:
    """Place a source for each (horizontal, vertical) angle, (n, 3) [m] (nanoBragg.c:2385-2395)."""
    vertical = unit(cross(beam, polar))
    start = -SOURCE_DISTANCE * beam
    placed = [rotate_about(rotate_about(start, polar, v), vertical, h) for h, v in divergences]
    return np.array(placed).reshape(-1, 3)
