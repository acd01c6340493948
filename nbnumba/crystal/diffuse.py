"""Diffuse scattering around the reflections: what the kernels need to know of it."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from ..errors import InputError, called
from ..geometry.vectors import Array
from ..parameters.choices import DiffuseAxes
from ..parameters.settings import CrystalSettings

# Rotations of each Laue group, by a space group that has no others; inversion changes nothing.
_ROTATIONS = {
    "-1": "P 1",
    "2/m": "P 1 2 1",
    "mmm": "P 2 2 2",
    "4/m": "P 4",
    "4/mmm": "P 4 2 2",
    "-3": "P 3",
    "-3m1": "P 3 2 1",
    "-31m": "P 3 1 2",
    "6/m": "P 6",
    "6/mmm": "P 6 2 2",
    "m-3": "P 2 3",
    "m-3m": "P 4 3 2",
}
USUAL_GAMMA_A, USUAL_SIGMA_A = 50.0, 0.4
_SAME_METRIC = 0.02  # how far a cell may be from the symmetry, relative
# Turns a - b, a + b, c to x, y, z where a and b are at right angles and of one length.
_DIAGONAL = np.array([[1.0, -1.0, 0.0], [1.0, 1.0, 0.0], [0.0, 0.0, math.sqrt(2.0)]]) / math.sqrt(2.0)


@dataclass(frozen=True, eq=False)
class DiffuseHalo:
    """Displacements that are correlated over some distance, and the halo that they make around every reflection.

    Attributes
    ----------
    gamma_A : (3,) [Angstrom]
        Distance over which displacements are correlated, along three axes.
    sigma_A : (3,) [Angstrom]
        Root mean square displacement along them.
    laue : str
        Laue group whose rotations are averaged over.
    stencil : int
        Neighbors on each side of a reflection whose halos reach it.
    axes : DiffuseAxes
    only : bool
        Without the spots.
    """

    gamma_A: tuple[float, ...]
    sigma_A: tuple[float, ...]
    laue: str
    stencil: int
    axes: DiffuseAxes
    only: bool

    @property
    def scale(self) -> float:
        """What the sum over operations and neighbors is multiplied by [Angstrom^3]."""
        neighbors = (2 * self.stencil + 1) ** 3
        return 8.0 * math.pi * math.prod(self.gamma_A) / (len(rotations(self.laue)) * neighbors)

    def matrices(self, U: Array, B: Array) -> Array:
        """Return 2 pi sigma M and 2 pi gamma M of every operation, (n, 18); M takes indices to 1/Angstrom.

        Parameters
        ----------
        U, B : (3, 3)
            Orientation, and columns a*, b*, c* with a* along x and b* in the xy plane [1/Angstrom].
        """
        operations = rotations(self.laue)
        if self.axes is DiffuseAxes.DIFFBRAGG:  # along the axes of the laboratory, turned before the operation
            M = U @ B @ operations @ _DIAGONAL
        elif self.axes is DiffuseAxes.DIAGONAL:
            M = _DIAGONAL @ B @ operations
        else:
            M = B @ operations
        scaled = [2.0 * math.pi * np.array(lengths)[:, None] * M for lengths in (self.sigma_A, self.gamma_A)]
        return np.concatenate([part.reshape(-1, 9) for part in scaled], axis=1)


def rotations(laue: str) -> Array:
    """Return the rotations of a Laue group as matrices that act on columns of indices, (n, 3, 3)."""
    import gemmi

    operations = gemmi.SpaceGroup(_ROTATIONS[laue]).operations().sym_ops
    return np.array([np.array(operation.rot).T / operation.DEN for operation in operations])


def build_halo(settings: CrystalSettings, real_A: Array) -> DiffuseHalo | None:
    """Return the halo that the settings describe, None without one.

    Parameters
    ----------
    settings : CrystalSettings
    real_A : (3, 3) [Angstrom]
        Rows a, b, c.

    Raises
    ------
    InputError
        For options of a halo that is not there, or a Laue group that the cell does not have.
    """
    gamma, sigma = settings.diffuse_gamma, settings.diffuse_sigma
    if not gamma and not sigma:
        given = {
            "diffuse_laue": settings.diffuse_laue is not None,
            "diffuse_stencil": settings.diffuse_stencil is not None,
            "diffuse_axes": settings.diffuse_axes is not None,
            "only_diffuse": settings.only_diffuse,
        }
        names = [called(name) for name, met in given.items() if met]
        if names:
            needed = f"{called('diffuse_gamma_A')} or {called('diffuse_sigma_A')} is needed"
            raise InputError(f"{', '.join(names)}: {needed}")
        return None
    laue = settings.diffuse_laue or "-1"
    _check_symmetry(laue, real_A)
    return DiffuseHalo(
        gamma_A=tuple(np.broadcast_to(gamma or (USUAL_GAMMA_A,), 3).tolist()),
        sigma_A=tuple(np.broadcast_to(sigma or (USUAL_SIGMA_A,), 3).tolist()),
        laue=laue,
        stencil=settings.diffuse_stencil or 0,
        axes=settings.diffuse_axes or DiffuseAxes.CRYSTAL,
        only=settings.only_diffuse,
    )


def _check_symmetry(laue: str, real_A: Array) -> None:
    """Refuse a Laue group that does not leave the reciprocal cell as it is."""
    metric = np.linalg.inv(real_A @ real_A.T)
    lengths = np.sqrt(np.diagonal(metric))
    for operation in rotations(laue):
        off = np.abs(operation.T @ metric @ operation - metric) / np.outer(lengths, lengths)
        if off.max() > _SAME_METRIC:
            cell = " ".join(f"{number:.5g}" for number in np.linalg.norm(real_A, axis=1))
            raise InputError(
                f"{called('diffuse_laue')}: {laue} is no symmetry of a cell with the lengths {cell} and its angles; "
                "allowed: the Laue group of the crystal, or one below it"
            )
