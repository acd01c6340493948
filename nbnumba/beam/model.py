"""The incident beam: direction, wavelengths, polarization and fluence."""

from __future__ import annotations

from dataclasses import dataclass

from ..geometry.vectors import Array


@dataclass(frozen=True, eq=False)
class Source:
    """The points and wavelengths that the beam is made of.

    Attributes
    ----------
    positions : (n, 3) [m]
        As given or generated, before normalisation; for the report.
    directions : (n, 3)
        Unit vectors from the sample to each source.
    weights : (n,)
        As given or generated.
    wavelengths : (n,) [m]
    divergences : list of (horizontal, vertical) [rad]
        Of each generated direction.
    dispersed_wavelengths : [m]
        Of the generated spectrum.
    hdivrange, hdivstep, vdivrange, vdivstep : float [rad]
        As completed; 0 without divergence.
    dispersion : float
        Full range, a fraction of the wavelength.
    dispsteps : int
    """

    positions: Array
    directions: Array
    weights: Array
    wavelengths: Array
    divergences: tuple[tuple[float, float], ...]
    dispersed_wavelengths: tuple[float, ...]
    hdivrange: float
    hdivstep: float
    vdivrange: float
    vdivstep: float
    dispersion: float
    dispsteps: int


@dataclass(frozen=True, eq=False)
class Beam:
    """Direction, wavelength, polarisation and fluence of the incident beam."""

    direction: Array
    polarization_axis: Array
    wavelength: float
    polarization: float  # Kahn factor
    nopolar: bool
    fluence: float  # photons/m^2
    source: Source
