"""Scattering by the water around the crystal."""

from __future__ import annotations

from dataclasses import dataclass

from ..constants import AVOGADRO, R_E_SQUARED

WATER_F = 2.57  # electrons, forward scattering of one water molecule
WATER_MOLAR_MASS = 18.0  # g/mol


@dataclass(frozen=True)
class Water:
    """A cube of water around the crystal.

    Attributes
    ----------
    size : float [m]
        Edge.
    """

    size: float


def water_photons_per_steradian(size: float, fluence: float) -> float:
    """Photons per steradian scattered by a cube of water of unit density (nanoBragg.c:2513-2516).

    Parameters
    ----------
    size : float [m]
        Edge of the cube.
    fluence : float [photons/m^2]

    Notes
    -----
    F^2 r_e^2 fluence (size^3 1e6 g/m^3) (Avogadro / molar mass): coherent forward scattering, isotropic.
    """
    return WATER_F * WATER_F * R_E_SQUARED * fluence * size * size * size * 1e6 * AVOGADRO / WATER_MOLAR_MASS
