"""The beam that the settings describe."""

from __future__ import annotations

import math
from dataclasses import fields
from operator import attrgetter

from ..errors import InputError, called
from ..geometry.vectors import Array
from ..parameters.settings import BeamSettings, Settings
from .model import Beam, SourceGrid, Sources
from .sources import make_sources
from .spectrum import Spectrum, spectrum_of


def with_spectrum(settings: Settings, made: Spectrum | None = None) -> tuple[Settings, Spectrum | None]:
    """Return the settings with the mean wavelength of their spectrum, and the spectrum; None where there is none.

    Parameters
    ----------
    settings : Settings
    made : Spectrum, optional
        That of settings that describe the same one.

    Raises
    ------
    FileError, InputError
        As `nbnumba.beam.spectrum.spectrum_of`.
    """
    spectrum = made or spectrum_of(settings)
    return settings if spectrum is None else settings.changed(wavelength=spectrum.mean_wavelength), spectrum


# What the sources have no part in.
_NOT_OF_SOURCES = {"fluence", "flux", "exposure", "beamsize", "polarization", "nopolar"}
of_sources = attrgetter(*(field.name for field in fields(BeamSettings) if field.name not in _NOT_OF_SOURCES))
"""Takes from beam settings all that the sources depend on."""


def have_same_sources(one: Settings, other: Settings) -> bool:
    """Tell whether two settings that agree about the axes describe the same sources."""
    return one.semantics is other.semantics and bool(of_sources(one.beam) == of_sources(other.beam))


def build_beam(
    settings: Settings,
    direction: Array,
    polarization_axis: Array,
    spectrum: Spectrum | None = None,
    made: tuple[Sources, SourceGrid] | None = None,
) -> tuple[Beam, SourceGrid]:
    """Sources, polarization and fluence.

    Parameters
    ----------
    settings : Settings
    direction, polarization_axis : (3,)
        Unit vectors.
    spectrum : Spectrum, optional
        Of the settings.
    made : tuple of Sources and SourceGrid, optional
        Sources of settings that have the same.

    Raises
    ------
    InputError
        For a malformed source file, sources that make no beam, or a fluence that is not finite.
    """
    fluence = fluence_of(settings)
    sources, grid = made or make_sources(settings, direction, polarization_axis, spectrum)
    beam = settings.beam
    return Beam(
        direction=direction,
        polarization_axis=polarization_axis,
        wavelength=beam.wavelength,
        polarization=beam.polarization,
        nopolar=beam.nopolar,
        sources=sources,
        fluence=fluence,
        flux=beam.flux if beam.flux > 0.0 else None,
        exposure=beam.exposure,
        size=beam.beamsize,
        spectrum_origin=None if spectrum is None else spectrum.origin,
    ), grid


def fluence_of(settings: Settings) -> float:
    """Return the fluence, from the flux where one is given [photons/m^2] (nanoBragg.c:1131-1150)."""
    beam = settings.beam
    fluence = beam.fluence
    if beam.flux != 0.0 and beam.exposure > 0.0 and beam.beamsize >= 0:
        if beam.beamsize == 0.0:
            raise InputError(
                f"{called('beamsize_mm')}: 0 mm with {called('flux')} makes the fluence infinite; it must be positive"
            )
        fluence = beam.flux * beam.exposure / beam.beamsize / beam.beamsize
    if not math.isfinite(fluence):
        raise InputError(
            f"{called('flux')}, {called('exposure_s')}, {called('beamsize_mm')}: the fluence comes out as "
            f"{fluence:g}; it must be finite"
        )
    return fluence
