"""What is known of an image that need not be simulated: its geometry, and its crystal where there is one."""

from __future__ import annotations

import dataclasses

import numpy as np

from ..beam.build import build_beam, with_spectrum
from ..crystal.build import build_crystal
from ..crystal.lattice import cell_of_vectors
from ..crystal.model import Crystal
from ..detector.placement import Axes, resolve_axes, resolve_detector
from ..geometry.mounting import NO_MOUNTING
from ..geometry.vectors import Array
from ..parameters.choices import Shape
from ..parameters.settings import Settings
from ..parameters.steps import phi_steps
from .crystal_files import settings_of_crystals
from .geometry import Geometry, Goniometer
from .required import has_crystal


def build_goniometer(settings: Settings, axes: Axes) -> Goniometer:
    """Return the rotation that the settings describe."""
    goniometer = settings.goniometer
    phi = phi_steps(goniometer.osc, goniometer.phistep, goniometer.phisteps, settings.semantics)
    return Goniometer(
        axes.spindle,
        goniometer.phi,
        phi.extent,
        phi.step,
        phi.count,
        goniometer.phi_sampling,
        goniometer.mounting or NO_MOUNTING,
    )


def build_geometry(settings: Settings) -> tuple[Geometry, Crystal | None]:
    """Work out beam, detector and goniometer, and the crystal where the settings know one.

    The fluence is known only where it is given.

    Raises
    ------
    InputError, FileError
        As `nbnumba.experiment.resolve.resolve`.
    """
    settings, spectrum = with_spectrum(settings)
    axes = resolve_axes(settings)
    detector = resolve_detector(settings, axes)
    goniometer = build_goniometer(settings, axes)
    beam, _ = build_beam(settings, axes.beam, axes.polar, spectrum)
    if beam.flux is None and settings.beam.fluence == Settings().beam.fluence:
        beam = dataclasses.replace(beam, fluence=None)
    if not has_crystal(settings):
        return Geometry(beam, detector, goniometer), None
    crystal = build_crystal(settings_of_crystals(settings)[0], axes, goniometer.turns)
    return Geometry(beam, detector, goniometer), crystal


def crystal_of_vectors(
    real_space: Array,
    *,
    cells: tuple[int, int, int] = (1, 1, 1),
    shape: Shape = Shape.SQUARE,
    mosaic_spread: float = 0.0,
    mosaic_seed: int = 0,
) -> Crystal:
    """Return a crystal of which a file states no more than this, without its mosaic domains.

    Parameters
    ----------
    real_space : (3, 3) [m]
        Rows a, b, c.
    cells : (Na, Nb, Nc)
    shape : Shape
    mosaic_spread : float [rad]
    mosaic_seed : int
    """
    real_A = real_space * 1e10
    reciprocal_A = np.asarray(np.linalg.inv(real_A).T, dtype=np.float64)
    lengths_A, angles = cell_of_vectors(real_A)
    reciprocal_lengths_A, reciprocal_angles = cell_of_vectors(reciprocal_A)
    return Crystal(
        real_space=real_space,
        reciprocal_A=reciprocal_A,
        lengths_A=lengths_A,
        angles=angles,
        reciprocal_lengths_A=reciprocal_lengths_A,
        reciprocal_angles=reciprocal_angles,
        volume_A3=abs(float(np.linalg.det(real_A))),
        cells=cells,
        shape=shape,
        fudge=1.0,
        misset=None,
        misset_seed=None,
        mosaic_spread=mosaic_spread,
        mosaic_seed=mosaic_seed,
        mosaic_rotations=np.eye(3)[np.newaxis],
    )
