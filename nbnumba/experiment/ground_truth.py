"""What is known of a simulated image and of no measured one; it travels in the files."""

from __future__ import annotations

import json
import math
import shlex
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from ..background.material import Material
from ..beam.frames import to_imgcif
from ..crystal.lattice import cell_of_vectors, upright_reciprocal
from ..crystal.model import Crystal
from ..geometry.vectors import Array
from ..parameters.choices import MosaicModel
from ..readout.model import Readout
from ..version import __version__
from .geometry import Geometry
from .model import Experiment


@dataclass(frozen=True, eq=False)
class GroundTruth:
    """How an image came about; what is not known is None.

    Attributes
    ----------
    command : str or None
        A command line that draws the image, without the program's name.
    A_matrix : (3, 3) [1/Angstrom] or None
        Columns a*, b*, c* at the spindle angle 0, in nbnumba's laboratory frame.
    A_matrix_imgcif : (3, 3) [1/Angstrom] or None
        The same in the frame in which DIALS sees the NXmx file of this image.
    U_matrix : (3, 3) or None
        Orientation: A_matrix = U_matrix B, where B has a* along x and b* in the xy plane.
    cell : (6,) [Angstrom, deg] or None
    cells : (Na, Nb, Nc) or None
        Unit cells along each axis.
    fluence : float [photons/m^2] or None
    wavelength : float [m]
        Of the beam's center.
    distance : float [m]
        Of the first panel, along the beam.
    phi_sampling : {"mid", "edge"} or None
        Where in each phi step the crystal was drawn; None where it does not turn.
    noise_seed, noise_number : int or None
        None: without noise. The number counts the images of a series with the counted generator.
    backend, precision : str or None
        What rendered it.
    spectrum : str or None
        How a spectrum came about, as JSON: its form or file, and shot, seed and shift; None without one.
    background, readout : str or None
        Materials in the beam, and what the detector did to the photons of an image with noise, as JSON.
    mosaic : str or None
        Model of the mosaic domains as JSON, where they are not C's or differ in their cells.
    diffuse : str or None
        Diffuse halo as JSON; None without one.
    anomalous : str or None
        f' and f'' of every kind of atom in each table of structure factors by energy, as JSON; None without.
    crystals : str or None
        All crystals as JSON, where there are several or one has a part of the fluence: A_matrix (in nbnumba's frame),
        cell, cells, shape, mosaicity, share. The other fields are those of the first.
    """

    command: str | None
    version: str
    semantics: str | None
    backend: str | None
    precision: str | None
    A_matrix: Array | None
    A_matrix_imgcif: Array | None
    U_matrix: Array | None
    cell: Array | None
    cells: tuple[int, int, int] | None
    shape: str | None
    mosaic_spread_deg: float | None
    mosaic_domains: int | None
    mosaic_seed: int | None
    misset_seed: int | None
    fluence: float | None
    wavelength: float
    distance: float
    phi_deg: float
    osc_deg: float
    noise_seed: int | None = None
    noise_rng: str | None = None
    noise_number: int | None = None
    background: str | None = None
    readout: str | None = None
    spectrum: str | None = None
    mosaic: str | None = None
    phi_sampling: str | None = None
    diffuse: str | None = None
    crystals: str | None = None
    anomalous: str | None = None


def ground_truth(
    experiment: Experiment,
    *,
    command: Sequence[str] = (),
    backend: str = "cpu",
    precision: str = "double",
    noise_seed: int | None = None,
    noise_rng: str | None = None,
    noise_number: int | None = None,
) -> GroundTruth:
    """Collect what is known of a rendered image.

    Parameters
    ----------
    experiment : Experiment
    command : sequence of str
        Words of the command line; empty where there is none.
    backend, precision : str
        What rendered it.
    noise_seed, noise_rng, noise_number
        What its noise was drawn with.
    """
    return partial_truth(
        experiment,
        experiment.crystal,
        crystals=_crystals(experiment),
        command=shlex.join(command) or None,
        semantics=experiment.semantics.value,
        backend=backend,
        precision=precision,
        noise_seed=noise_seed,
        noise_rng=noise_rng,
        noise_number=noise_number,
        background=_background(experiment),
        readout=None if noise_seed is None else readout_text(experiment.readout),
        phi_sampling=experiment.goniometer.sampling.value if experiment.goniometer.sweeps else None,
    )


def _crystals(experiment: Experiment) -> str | None:
    """State every crystal, where the other fields do not say it all."""
    crystals = experiment.crystals
    if len(crystals) == 1 and crystals[0].weight == 1.0:
        return None
    said = []
    for crystal in crystals:
        own = partial_truth(experiment, crystal)
        assert own.A_matrix is not None
        assert own.cell is not None
        said.append(
            {
                "share": crystal.weight,
                "A_matrix": own.A_matrix.tolist(),
                "cell": own.cell.tolist(),
                "cells": own.cells,
                "shape": own.shape,
                "mosaic_spread_deg": own.mosaic_spread_deg,
                "mosaic_domains": own.mosaic_domains,
                "mosaic_seed": own.mosaic_seed,
                "misset_seed": own.misset_seed,
                "mosaic": own.mosaic,
                "diffuse": own.diffuse,
                "anomalous": own.anomalous,
            }
        )
    return json.dumps(said)


def _background(experiment: Experiment) -> str | None:
    bodies = [
        {
            "name": material.name,
            "thickness_m": material.thickness,
            "density_gcm3": material.density,
            "molar_mass": material.molar_mass,
        }
        for material in experiment.background
        if isinstance(material, Material)
    ]
    return json.dumps(bodies) if bodies else None


def readout_text(readout: Readout | None) -> str | None:
    """Return what a detector did to the photons, as JSON; None where it only counted them."""
    if readout is None:
        return None
    said = {key: value for key, value in asdict(readout).items() if value is not None}
    kernel = said.get("spread", {}).pop("kernel", None)
    if kernel is not None:
        said["spread"] |= {"file": kernel["file"], "shape": kernel["shape"]}
    return json.dumps(said)


def A_matrix(crystal: Crystal) -> Array:
    """Return columns a*, b*, c* of a crystal at the spindle angle 0, (3, 3) [1/Angstrom]."""
    return np.asarray(np.linalg.inv(crystal.real_space * 1e10), dtype=np.float64)


def partial_truth(geometry: Geometry, crystal: Crystal | None, **known: Any) -> GroundTruth:
    """Collect what geometry and crystal state about an image; of its making nothing but what is known besides."""
    of_crystal = dict.fromkeys(_OF_CRYSTAL) if crystal is None else _crystal_truth(geometry, crystal)
    return GroundTruth(
        **{
            **dict.fromkeys(("command", "semantics", "backend", "precision")),
            "version": __version__,
            "fluence": geometry.beam.fluence,
            "wavelength": geometry.beam.wavelength,
            "distance": geometry.detector.panels[0].distance,
            "phi_deg": math.degrees(geometry.goniometer.phi),
            "osc_deg": math.degrees(geometry.goniometer.osc),
            "spectrum": geometry.beam.spectrum_origin,
            **of_crystal,
            **known,
        }
    )


_OF_CRYSTAL = (
    *("A_matrix", "A_matrix_imgcif", "U_matrix", "cell", "cells", "shape"),
    *("mosaic_spread_deg", "mosaic_domains", "mosaic_seed", "misset_seed"),
)


def _crystal_truth(geometry: Geometry, crystal: Crystal) -> dict[str, Any]:
    """Return the fields of the ground truth that a crystal states."""
    # What is drawn follows a, b and c; for a triclinic -cell, a*, b* and c* are not quite their reciprocals, as in C.
    real_A = crystal.real_space * 1e10
    A = A_matrix(crystal)
    lengths, angles = cell_of_vectors(real_A)
    B = upright_reciprocal(lengths, angles).T
    return {
        "A_matrix": A,
        "A_matrix_imgcif": to_imgcif(geometry.beam) @ A,
        "U_matrix": A @ np.linalg.inv(B),
        "cell": np.concatenate([lengths, np.degrees(angles)]),
        "cells": crystal.cells,
        "shape": crystal.shape.value,
        "mosaic_spread_deg": math.degrees(crystal.mosaic_spread),
        "mosaic_domains": len(crystal.mosaic_rotations),
        "mosaic_seed": crystal.mosaic_seed,
        "misset_seed": crystal.misset_seed,
        "mosaic": _mosaic(crystal),
        "diffuse": None if crystal.diffuse is None else json.dumps(asdict(crystal.diffuse)),
        "anomalous": _anomalous(crystal),
    }


def _anomalous(crystal: Crystal) -> str | None:
    """State f' and f'' to a thousandth of an electron, the accuracy of their tables at the best."""
    said = [
        {
            "energies_ev": list(one.energies_ev),
            "f": {name: [round(value.real, 3), round(value.imag, 3)] for name, value in one.factors},
        }
        for one in crystal.anomalous
    ]
    return json.dumps(said) if said else None


def _mosaic(crystal: Crystal) -> str | None:
    said: dict[str, object] = {}
    if crystal.mosaic_model is not MosaicModel.C:
        said["model"] = crystal.mosaic_model.value
    if crystal.mosaic_sigmas:
        said["sigmas_deg"] = [math.degrees(value) for value in crystal.mosaic_sigmas[:3]]
        said["correlations"] = list(crystal.mosaic_sigmas[3:])
    if any(crystal.lattice_spread):
        said["lattice_spread_percent"] = [100.0 * value for value in crystal.lattice_spread]
    return json.dumps(said) if said else None
