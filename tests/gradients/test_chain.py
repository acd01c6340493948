"""What the kernels read, differentiated in closed form, against differences of the scenes themselves."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from gradients.differences import STILL, reflections

import nbnumba
from nbnumba.crystal.spot_shape import SpotShape
from nbnumba.experiment.passes import split_into_passes
from nbnumba.experiment.scene import build_scenes
from nbnumba.geometry.vectors import Array
from nbnumba.gradients.chain import spot_form
from nbnumba.gradients.parameters import Parameters
from nbnumba.gradients.tangents import WEIGHTS, Slopes
from nbnumba.kernels.gradient.tangents import Tangents
from nbnumba.kernels.scene import Scene

_BASE: dict[str, Any] = {**STILL, "hkl": reflections(4)}
_MOVED = ("distance", "beam_center", "detector_rotation")
CASES: dict[str, tuple[tuple[str, ...], dict[str, Any]]] = {
    "turned detector": (_MOVED, {"twotheta_deg": 20, "shape": "gauss"}),
    "domains that turn with the crystal": (
        ("misset", "phi", "mosaic_spread"),
        {"mosaic_model": "gauss", "mosaic_spread_deg": (0.3,), "phi_deg": 20, "osc_deg": 2, "phisteps": 3},
    ),
    "domains of their own cells": (
        ("misset", "whole_cell", "phi"),
        {"mosaic_model": "gauss", "mosaic_spread_deg": (0.3,), "lattice_spread_percent": (0.2, 0.3, 0.4)},
    ),
    "gauss_star": (("cell", "misset", "N", "N_between", "fudge"), {"shape": "gauss_star", "Nd": 1.0, "fudge": 1.3}),
    "gauss": (("cell", "misset", "N", "fudge"), {"shape": "gauss"}),
    "as C": (("cell", "misset", "N", "fudge"), {"shape": "gauss", "semantics": "c"}),
    "round": (("N", "fudge"), {"shape": "round", "fudge": 1.2}),
    "B factor": (("whole_cell", "misset", "B_factor"), {"B_factor_A2": 12.0, "default_F": 0}),
    "B factor, beyond the table": (("cell", "B_factor"), {"B_factor_A2": 12.0, "default_F": 5}),
    "rhombohedral": (("cell",), {"cell": (50, 50, 50, 70, 70, 70)}),
    "hexagonal": (("cell", "misset"), {"cell": (50, 50, 70, 90, 90, 120)}),
    "beam": (
        ("beam_direction", "polarization", "wavelength"),
        {"hdivrange_mrad": 5, "hdivsteps": 2, "vdivrange_mrad": 4, "vdivsteps": 2, "twotheta_deg": 10},
    ),
    "closed form": (
        ("mosaic_spread", "bandwidth", "divergence", "beam_direction", "wavelength", "misset", "N"),
        {"spread": "continuous", "shape": "gauss_abc", "dispersion_percent": 1, "dispsteps": 5}
        | {"hdivrange_mrad": 5, "hdivsteps": 4, "vdivrange_mrad": 4, "vdivsteps": 3},
    ),
}


def _read(scene: Scene, scale: float) -> dict[str, Array]:
    """What a kernel reads of a scene."""
    names = (
        "origin",
        "fast",
        "slow",
        "normal",
        "close_distance",
        "kahn",
        "polar_axis",
        "mosaicity",
        "bandwidth",
        "divergence",
    )
    found = {name: np.asarray(scene.numbers[name][0]) for name in names}
    spot = SpotShape(scene.triangle, scene.spot_scale, scene.spot_height, scene.spot_width, scene.spot_limit)
    form, height = spot_form(scene.shape, scene.numbers["N"][0], scene.fudge, spot)
    return found | {
        "sources": scene.sources,
        "orientations": scene.orientations,
        "form": form,
        "log_height": np.log(np.array([height * scale])),
        "table": scene.flat,
    }


def _changed(scene: Scene, tangents: Tangents, number: int) -> dict[str, Array]:
    """How that changes with a parameter, by the tangents."""
    axes = scene.orientations.reshape(-1, 3, 3)
    found = {
        name: np.asarray(tangents.numbers[name][number])
        for name in _read(scene, 1.0)
        if name in tangents.numbers.dtype.names
    }
    table = tangents.table_of[number]
    return found | {
        "sources": tangents.sources[number],
        "orientations": (tangents.strains[number].reshape(-1, 3, 3) @ axes).reshape(-1, 9),
        "form": tangents.forms[number, :6],
        "log_height": tangents.forms[number, 6:],
        "table": np.zeros(scene.flat.size) if table < 0 else tangents.tables[table],
    }


@pytest.mark.parametrize("case", CASES)
def test_against_differences_of_scenes(case: str) -> None:
    names, options = CASES[case]
    _compare(nbnumba.Experiment(**{**_BASE, **options}).parameters(*names))


@pytest.mark.parametrize("spread", ["sampled", "continuous"])
def test_several_crystals(spread: str) -> None:
    """Each has parameters of its own; those of beam and detector are of all."""
    options = {**_BASE, "shape": "gauss_abc", "spread": spread, "B_factor_A2": 3.0}
    one, other = (nbnumba.Experiment(**{**options, "misset_deg": (x, 20, 30)}) for x in (10, 50))
    crystals = tuple(replace(each.crystal, weight=share) for each, share in ((one, 0.7), (other, 0.3)))
    parameters = replace(one, crystals=crystals).parameters("scale", "misset", "N", "mosaic_spread", "distance")
    assert parameters.names[:6] == tuple(f"misset_{axis}_{crystal}" for crystal in (1, 2) for axis in "xyz")
    assert parameters.names[-2:] == ("scale_1", "scale_2")
    _compare(parameters)


def _compare(parameters: Parameters) -> None:
    # Away from the values of the experiment, so that every change is on top of others.
    values = parameters.values + np.resize([0.3, -0.2, 0.4], len(parameters)) * parameters.scales
    slopes = Slopes(parameters, values)
    for part, tangents in enumerate(slopes.tangents()):
        scene = slopes.scenes[part][0]
        for number, component in enumerate(parameters.components):
            difference: dict[str, Any] = {}
            # An image is linear in the scale, its logarithm is not.
            step = component.step * (0.01 if component.name.startswith("scale") else 1.0)
            for steps, weight in WEIGHTS:
                point = slopes.point_at(number, steps * step)
                split = split_into_passes(point.experiment)[part]
                found = _read(build_scenes(split.experiment)[0], point.scale_of(split.crystal))
                for name, value in found.items():
                    difference[name] = difference.get(name, 0.0) + weight / step * value
            for name, change in _changed(scene, tangents[0], number).items():
                # Differences of fourth order are good to 1e-10; where nothing changes they leave rounding.
                size = np.abs(_read(scene, 1.0)[name]).max() / step
                tolerance = 1e-8 * np.abs(difference[name]).max() + 1e-14 * size
                message = f"{component.name}: {name}"
                np.testing.assert_allclose(change, difference[name], rtol=0, atol=tolerance, err_msg=message)
