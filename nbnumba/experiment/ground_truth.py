"""What is known of a simulated image and of no measured one; it travels in the files."""

from __future__ import annotations

import math
import shlex
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..beam.frames import to_imgcif
from ..crystal.lattice import cell_of_vectors, upright_reciprocal
from ..geometry.vectors import Array
from ..version import __version__
from .model import ExperimentRecord


@dataclass(frozen=True, eq=False)
class GroundTruth:
    """How an image came about.

    Attributes
    ----------
    command : str
        A command line that draws the image, without the program's name; empty where there is none.
    A_matrix : (3, 3) [1/Angstrom]
        Columns a*, b*, c* at the spindle angle 0, in nbnumba's laboratory frame.
    A_matrix_imgcif : (3, 3) [1/Angstrom]
        The same in the frame in which DIALS sees the NXmx file of this image.
    U_matrix : (3, 3)
        Orientation: A_matrix = U_matrix B, where B has a* along x and b* in the xy plane.
    cell : (6,) [Angstrom, deg]
    cells : (Na, Nb, Nc)
        Unit cells along each axis.
    fluence : float [photons/m^2]
    wavelength : float [m]
        Of the beam's centre.
    distance : float [m]
        Of the first panel, along the beam.
    noise_seed, noise_number : int or None
        None: without noise. The number counts the images of a series with the counted generator.
    backend, precision : str
        What rendered it.
    """

    command: str
    version: str
    semantics: str
    backend: str
    precision: str
    A_matrix: Array
    A_matrix_imgcif: Array
    U_matrix: Array
    cell: Array
    cells: tuple[int, int, int]
    shape: str
    mosaic_spread_deg: float
    mosaic_domains: int
    mosaic_seed: int
    misset_seed: int | None
    fluence: float
    wavelength: float
    distance: float
    phi_deg: float
    osc_deg: float
    noise_seed: int | None = None
    noise_rng: str | None = None
    noise_number: int | None = None


def ground_truth(
    experiment: ExperimentRecord,
    *,
    command: Sequence[str] = (),
    backend: str = "cpu",
    precision: str = "double",
    noise_seed: int | None = None,
    noise_rng: str | None = None,
    noise_number: int | None = None,
) -> GroundTruth:
    """Collect what is known of an image.

    Parameters
    ----------
    experiment : ExperimentRecord
    command : sequence of str
        Words of the command line.
    backend, precision : str
        What rendered it.
    noise_seed, noise_rng, noise_number
        What its noise was drawn with.
    """
    crystal = experiment.crystal
    # What is drawn follows a, b and c; for a triclinic -cell, a*, b* and c* are not quite their reciprocals, as in C.
    real_A = crystal.real_space * 1e10
    A = np.asarray(np.linalg.inv(real_A), dtype=np.float64)
    lengths, angles = cell_of_vectors(real_A)
    B = upright_reciprocal(lengths, angles).T
    return GroundTruth(
        command=shlex.join(command),
        version=__version__,
        semantics=experiment.semantics.value,
        backend=backend,
        precision=precision,
        A_matrix=A,
        A_matrix_imgcif=to_imgcif(experiment.beam) @ A,
        U_matrix=A @ np.linalg.inv(B),
        cell=np.concatenate([lengths, np.degrees(angles)]),
        cells=crystal.cells,
        shape=crystal.shape.value,
        mosaic_spread_deg=math.degrees(crystal.mosaic_spread),
        mosaic_domains=len(crystal.mosaic_rotations),
        mosaic_seed=crystal.mosaic_seed,
        misset_seed=crystal.misset_seed,
        fluence=experiment.beam.fluence,
        wavelength=experiment.beam.wavelength,
        distance=experiment.detector.panels[0].distance,
        phi_deg=math.degrees(experiment.goniometer.phi),
        osc_deg=math.degrees(experiment.goniometer.osc),
        noise_seed=noise_seed,
        noise_rng=noise_rng,
        noise_number=noise_number,
    )
