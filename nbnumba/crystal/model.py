"""Unit cell, orientation, size and mosaicity of the crystal."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..geometry.vectors import Array, length_of
from ..parameters.choices import MosaicModel, Shape
from ..structure_factors.table import ReflectionTable
from .diffuse import DiffuseHalo
from .lattice import cell_of_vectors, orientation_of, upright_reciprocal


@dataclass(frozen=True, eq=False)
class EnergyGroup:
    """Structure factors at the energies of some of the sources.

    Attributes
    ----------
    sources : (n,) intp
        Numbers of the sources in the beam's list, each in one group of a crystal.
    reflections : ReflectionTable
    """

    sources: NDArray[np.intp]
    reflections: ReflectionTable


@dataclass(frozen=True)
class AnomalousFactors:
    """What anomalous scatterers are in a table of structure factors.

    Attributes
    ----------
    energies_ev : (float, float)
        Lowest and highest photon energy that the table is for.
    factors : tuple of (str, complex)
        Kind of atom and its f' + i f'' [electrons].
    """

    energies_ev: tuple[float, float]
    factors: tuple[tuple[str, complex], ...]


@dataclass(frozen=True, eq=False)
class Crystal:
    """Unit cell, orientation at phi = 0, size and mosaicity.

    Attributes
    ----------
    real_space : (3, 3) [m]
        Rows a, b, c.
    reciprocal_A : (3, 3) [1/Angstrom]
        Rows a*, b*, c*.
    lengths_A, angles, reciprocal_lengths_A, reciprocal_angles
        Cell constants [Angstrom, rad, 1/Angstrom, rad].
    volume_A3 : float
        Cell volume.
    cells : (Na, Nb, Nc)
        Unit cells along each axis, whole numbers of at least 1.
    misset : (3,) [rad] or None
        Rotation about x, then y, then z that has been applied.
    mosaic_rotations : (domains, 3, 3)
        Rotation of each mosaic domain.
    domain_weights : (domains,) or None
        Share of each mosaic domain in the crystal's volume, up to a factor; None: all the same.
    reflections : ReflectionTable or None
        Its structure factors; None: `default_F` holds everywhere.
    default_F : float [electrons]
        Structure factor of the reflections that the table lacks.
    B_factor : float [Angstrom²]
        Every structure factor is multiplied by exp(-B s²), s = sin(theta)/lambda of its reflection.
    weight : float
        Part of the beam's fluence that falls on it, from 0 to 1.
    cells_between : (Nd, Ne, Nf)
        Off the diagonal of the matrix of unit cells, between a and b, b and c, a and c.
    mosaic_model : MosaicModel
        What the domains are; with `gauss` and `uniform` they turn with the crystal, else they are fixed in the
        laboratory, as in C.
    mosaic_sigmas : tuple of float [rad]
        What was given in place of `mosaic_spread`: 1 or 3 angles, and perhaps 3 correlations.
    lattice_spread : tuple of float
        Standard deviations of the lengths a, b, c among the domains, fractions.
    domain_stretches : (domains, 3) or None
        Factors of a, b, c in each domain.
    diffuse : DiffuseHalo or None
    energy_groups : tuple of EnergyGroup
        Where structure factors depend on the energy, in place of `reflections`; every source is in one of them.
    anomalous : tuple of AnomalousFactors
        Of every table of structure factors by energy, by rising energy.
    mosaicity : (3, 3) [rad^2] or None
        Covariance of the rotation vectors of the mosaic domains in the laboratory frame, at phi = 0.
    """

    real_space: Array
    reciprocal_A: Array
    lengths_A: Array
    angles: Array
    reciprocal_lengths_A: Array
    reciprocal_angles: Array
    volume_A3: float
    cells: tuple[int, int, int]
    shape: Shape
    fudge: float
    misset: tuple[float, float, float] | None
    misset_seed: int | None
    mosaic_spread: float
    mosaic_seed: int
    mosaic_rotations: Array
    domain_weights: Array | None = None
    reflections: ReflectionTable | None = None
    default_F: float = 0.0
    B_factor: float = 0.0
    weight: float = 1.0
    cells_between: tuple[float, float, float] = (0.0, 0.0, 0.0)
    mosaic_model: MosaicModel = MosaicModel.C
    mosaic_sigmas: tuple[float, ...] = ()
    lattice_spread: tuple[float, ...] = ()
    domain_stretches: Array | None = None
    diffuse: DiffuseHalo | None = None
    energy_groups: tuple[EnergyGroup, ...] = ()
    anomalous: tuple[AnomalousFactors, ...] = ()
    mosaicity: Array | None = None

    @property
    def upright_reciprocal(self) -> Array:
        """Columns a*, b*, c* with a* along x and b* in the xy plane, (3, 3) [1/Angstrom]."""
        return upright_reciprocal(*cell_of_vectors(self.real_space * 1e10)).T

    @property
    def orientation(self) -> Array:
        """Rotation of the crystal's axes, in which a* lies along x and b* in the xy plane, (3, 3)."""
        return orientation_of(self.real_space * 1e10)

    @property
    def size_m(self) -> Array:
        """Edge lengths of the crystal, (3,) [m]."""
        return np.array([length_of(v) * n for v, n in zip(self.real_space.tolist(), self.cells, strict=True)])
