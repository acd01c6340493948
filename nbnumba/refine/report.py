"""What a refinement is reported as: a table, JSON, and an experiment list of DIALS."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator

import numpy as np

from ..beam.frames import to_imgcif
from ..experiment.model import Experiment
from ..geometry.panel import PanelGeometry
from ..geometry.vectors import Array, cross
from ..io import expt_write
from ..io.atomic import whole_file
from .fit import Refined

_STRONG = 0.5  # correlations from which on the table shows them
_ALONG = 1e-6  # by which a beam may miss -z


def table_lines(refined: Refined) -> Iterator[str]:
    """Yield the table of values with their errors, and what the fit came to."""
    parameters = refined.parameters
    width = max(len(name) for name in parameters.names)
    yield f"{'parameter':{width}s} {'start':>14s} {'refined':>14s} {'error':>10s}  unit"
    rows = zip(parameters.names, parameters.values, refined.values, refined.errors, parameters.units, strict=True)
    for name, start, value, error, unit in rows:
        yield f"{name:{width}s} {start:14.7g} {value:14.7g} {error:10.2g}  {unit}".rstrip()
    correlations = refined.correlations
    for i, j in zip(*np.triu_indices(len(correlations), 1), strict=True):
        if abs(correlations[i, j]) >= _STRONG:
            yield f"correlation of {parameters.names[i]} and {parameters.names[j]}: {correlations[i, j]:.2f}"
    state = "converged" if refined.converged else "not converged"
    yield (
        f"sigmaZ {refined.sigma_z:.4f} over {refined.pixels} pixels; -log likelihood {refined.loss_before:.6g} -> "
        f"{refined.loss:.6g}; {refined.evaluations} evaluations, {state}"
    )


def write_json(refined: Refined, image: str, path: str, image_number: int, fingerprint: str) -> None:
    """Write all numbers of a refinement.

    Parameters
    ----------
    refined : Refined
    image : str
        File of the image.
    path : str
    image_number : int
        Of the image in its file, counted from 1.
    fingerprint : str
        Stands for what the result depends on.

    Raises
    ------
    FileError
        The file cannot be written.
    """
    parameters, point = refined.parameters, refined.point
    rows = zip(parameters.names, parameters.units, parameters.values, refined.values, refined.errors, strict=True)
    content = {
        "image": image,
        "image_number": image_number,
        "fingerprint": fingerprint,
        "parameters": [
            {"name": name, "unit": unit, "start": float(start), "value": float(value), "error": float(error)}
            for name, unit, start, value, error in rows
        ],
        "correlations": [[float(value) for value in row] for row in refined.correlations],
        "sigma_z": refined.sigma_z,
        "pixels": refined.pixels,
        "evaluations": refined.evaluations,
        "converged": refined.converged,
        "minus_log_likelihood": {"start": refined.loss_before, "refined": refined.loss},
        "fluence_photons_per_m2": point.experiment.fluence
        * (point.scale_of(0) if len(point.experiment.crystals) == 1 else 1.0),
    }
    with whole_file(path) as file:
        file.write(json.dumps(content, indent=2).encode("ascii") + b"\n")


def write_expt(experiment: Experiment, image: str, path: str) -> None:
    """Write the refined experiment as DIALS reads it.

    The laboratory frame is that of the experiment where its beam runs along -z, as in files of DIALS, else one in
    which it does.

    Raises
    ------
    FileError
        The file cannot be written.
    """
    beam, gonio = experiment.beam, experiment.goniometer
    along = np.linalg.norm(beam.direction - np.array([0.0, 0.0, -1.0])) < _ALONG
    turn: Array = np.eye(3) if along else to_imgcif(beam)
    panels = [
        PanelGeometry(
            panel.n_fast, panel.n_slow, panel.pixel_sizes, turn @ panel.origin, turn @ panel.fast, turn @ panel.slow
        )
        for panel in experiment.detector.panels
    ]
    sensors = [panel.sensor for panel in experiment.detector.panels]
    still = expt_write.Still(
        beam=turn @ beam.direction,
        wavelength_A=beam.wavelength * 1e10,
        polarization_normal=turn @ cross(beam.direction, beam.polarization_axis),
        polarization_fraction=0.5 if beam.nopolar else 0.5 * (1.0 + beam.polarization),
        panels=panels,
        thickness_mm=[sensor.thickness * 1e3 for sensor in sensors],
        mu_per_mm=[sensor.mu * 1e-3 for sensor in sensors],
        crystals_A=[crystal.real_space @ turn.T * 1e10 for crystal in experiment.crystals],
        spindle=turn @ gonio.spindle if gonio.turns else None,
        phi_deg=math.degrees(gonio.phi),
        width_deg=math.degrees(gonio.osc),
        images=[image],
    )
    expt_write.write(path, still)
