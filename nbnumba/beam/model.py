"""The incident beam: direction, sources, polarization and fluence."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import numpy as np

from ..geometry.vectors import Array, cross, rotation_matrix, unit


@dataclass(frozen=True, eq=False)
class Sources:
    """The directions and wavelengths that the beam is made of, each with its weight.

    Attributes
    ----------
    directions : (n, 3)
        Unit vectors from the sample to each source.
    weights : (n,)
        Relative; a source of weight 0 is left out.
    wavelengths : (n,) [m]
    """

    directions: Array
    weights: Array
    wavelengths: Array

    @property
    def normalized_weights(self) -> Array:
        """Weights whose mean over the sources that count is 1, (n,)."""
        return np.asarray(self.weights / np.mean(self.weights[self.weights > 0.0]))

    @property
    def spectrum(self) -> tuple[Array, Array]:
        """Wavelengths in rising order, (m,) [m], and the weight of each, (m,).

        The weights of sources that differ in direction alone are added up; wavelengths of weight 0 are left out.
        """
        weights = self.normalized_weights
        if len(weights) == 1 and weights[0] > 0.0:
            return self.wavelengths.copy(), weights
        counted = weights > 0.0
        wavelengths, number = np.unique(self.wavelengths[counted], return_inverse=True)
        return wavelengths, np.asarray(np.bincount(number, weights=weights[counted]), dtype=np.float64)


@dataclass(frozen=True, eq=False)
class SourceGrid:
    """How the sources came about; for the report.

    Attributes
    ----------
    positions : (n, 3) [m]
        As given or generated.
    weights : (n,)
        As given or generated.
    divergences : tuple of (horizontal, vertical) [rad]
        Of each generated direction.
    wavelengths : tuple of float [m]
        Of the generated or given spectrum.
    hdivrange, hdivstep, vdivrange, vdivstep : float [rad]
        As completed; 0 without divergence.
    dispersion : float
        Full range, a fraction of the wavelength.
    dispsteps : int
    """

    positions: Array
    weights: Array
    divergences: tuple[tuple[float, float], ...]
    wavelengths: tuple[float, ...]
    hdivrange: float
    hdivstep: float
    vdivrange: float
    vdivstep: float
    dispersion: float
    dispsteps: int


@dataclass(frozen=True, eq=False)
class Beam:
    """Direction, wavelength, polarization and fluence of the incident beam.

    Attributes
    ----------
    direction, polarization_axis : (3,)
        Unit vectors.
    wavelength : float [m]
        Of the beam's center.
    polarization : float
        Kahn factor.
    nopolar : bool
        Whether the polarization factor is 1.
    sources : Sources
    fluence : float or None [photons/m^2]
        None: not known.
    flux : float or None [photons/s]
        None: not known.
    exposure : float [s]
    size : float [m]
        Edge of the square beam.
    spectrum_origin : str or None
        How the spectrum of the sources came about, as JSON; None without one.
    """

    direction: Array
    polarization_axis: Array
    wavelength: float
    polarization: float
    nopolar: bool
    sources: Sources
    fluence: float | None
    flux: float | None = None
    exposure: float = 1.0
    size: float = 1.0e-4
    spectrum_origin: str | None = None

    def turned(self, rotation: Array) -> Beam:
        """Return the beam with its direction, sources and polarization turned by a matrix, (3, 3)."""
        sources = dataclasses.replace(self.sources, directions=self.sources.directions @ rotation.T)
        return dataclasses.replace(
            self,
            direction=rotation @ self.direction,
            polarization_axis=rotation @ self.polarization_axis,
            sources=sources,
        )


def beam_turns(beam: Array, axes: tuple[Array, Array], angles: tuple[float, float]) -> tuple[Array, Array]:
    """Return the rotation of a beam that is turned towards fast, then slow, and the axes about which it turns on.

    Parameters
    ----------
    beam : (3,)
        Unit vector along the beam.
    axes : tuple of (3,)
        Unit vectors along fast and slow of a panel.
    angles : tuple of float [rad]

    Returns
    -------
    rotation : (3, 3)
    axes : (2, 3)
        Unit vectors; the first as turned by the second rotation.
    """
    first, second = (unit(cross(beam, axis)) for axis in axes)
    after = rotation_matrix(second, angles[1])
    return after @ rotation_matrix(first, angles[0]), np.array([after @ first, second])
