"""A detector of 256 panels in groups and a kappa goniometer: from a .expt through a picture into other readers."""

from __future__ import annotations

import json
import math
import subprocess
from pathlib import Path
from typing import Any

import dxtbx_reader
import h5py
import numpy as np
import nxmx
import pytest
from crystfel_geom import geom_position, parse_geom
from requirements import requires

from nbnumba import cli
from nbnumba.beam.frames import to_imgcif, to_mcstas
from nbnumba.experiment.geometry import Geometry
from nbnumba.experiment.geometry_only import build_geometry
from nbnumba.parameters.parser import parse

TOLERANCE = 1e-9  # m
_EDGES = (0.1, 0.12)  # mm
_SIZE = (8, 6)

# Run by the system's Python: where dxtbx has panels and spindle of the experiment list itself.
_ASK = """
import json, sys
from dxtbx.model.experiment_list import ExperimentListFactory
(one,) = ExperimentListFactory.from_json_file(sys.argv[1], check_format=False)
corners = [(0, 0), (8, 0), (0, 6), (2.5, 3.5)]
places = [[panel.get_pixel_lab_coord(corner) for corner in corners] for panel in one.detector]
print("@answer " + json.dumps([places, one.goniometer.get_rotation_axis()]))
"""


def turn(axis: int, degrees: float) -> np.ndarray:
    c, s = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    matrix = np.eye(3)
    first, second = (axis + 1) % 3, (axis + 2) % 3
    matrix[first, first] = matrix[second, second] = c
    matrix[second, first], matrix[first, second] = s, -s
    return matrix


def frame(rotation: np.ndarray, origin: tuple[float, float, float]) -> dict[str, Any]:
    return {"fast_axis": rotation[:, 0].tolist(), "slow_axis": rotation[:, 1].tolist(), "origin": list(origin)}


def experiment_list() -> dict[str, Any]:
    """Return four quadrants of four arms of sixteen panels, every one turned in its own way."""
    plain = {"image_size": [0, 0], "pixel_size": [0.0, 0.0]}
    panels: list[dict[str, Any]] = []
    quadrants = []
    for quadrant in range(4):
        arms = []
        for arm in range(4):
            children = []
            for number in range(16):
                children.append({"panel": len(panels)})
                panels.append(
                    {
                        "name": f"q{quadrant}a{arm}p{number}", "image_size": list(_SIZE), "pixel_size": list(_EDGES),
                        "trusted_range": [0.0, 65535.0],
                        **frame(turn(2, 90 * (number % 4)) @ turn(0, 0.3 * number), (1.1 * number, 0.4 * number, 0.1)),
                    }
                )  # fmt: skip
            place = frame(turn(1, 3.0 * arm - 4.0) @ turn(0, arm), (2.0, 3.0 + 4.5 * arm, 0.5 * arm))
            arms.append({"name": f"q{quadrant}a{arm}", **plain, **place, "children": children})
        place = frame(turn(2, 90.0 * quadrant + 0.7) @ turn(0, 2.0), (0.3 * quadrant, -0.2, 1.0))
        quadrants.append({"name": f"q{quadrant}", **plain, **place, "children": arms})
    root = {"name": "root", **plain, **frame(turn(0, 180.0), (0.1, -0.4, -110.0)), "children": quadrants}
    return {
        "__id__": "ExperimentList",
        "experiment": [{"__id__": "Experiment", "beam": 0, "detector": 0, "goniometer": 0, "scan": 0, "crystal": 0}],
        "imageset": [],
        "beam": [
            {"__id__": "monochromatic", "direction": [0.01, -0.02, 1.0], "wavelength": 1.1, "divergence": 0.0,
             "sigma_divergence": 0.0, "polarization_normal": [0.0, 1.0, 0.0], "polarization_fraction": 0.999}
        ],
        "detector": [{"panels": panels, "hierarchy": root}],
        "goniometer": [
            {"axes": [[1.0, 0.0, 0.0], [0.914, 0.279, -0.297], [1.0, 0.0, 0.0]], "angles": [20.0, 35.0, 10.0],
             "names": ["phi", "kappa", "omega"], "scan_axis": 0}
        ],
        "scan": [{"image_range": [1, 2], "batch_offset": 0, "oscillation": [20.0, 0.5], "exposure_time": [1.0, 1.0],
                  "epochs": [0.0, 0.0], "valid_image_ranges": {}}],
        "crystal": [{"__id__": "crystal", "real_space_a": [50.0, 3.0, 1.0], "real_space_b": [-2.0, 60.0, 4.0],
                     "real_space_c": [1.0, -3.0, 70.0], "space_group_hall_symbol": " P 1"}],
        "profile": [], "scaling_model": [],
    }  # fmt: skip


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Draw the experiment into an HDF5 file."""
    folder = tmp_path_factory.mktemp("panels")
    (folder / "a.expt").write_text(json.dumps(experiment_list()))
    line = f"-expt {folder / 'a.expt'} -default_F 10 -N 3 -oversample 1 -phisteps 1 -semantics exact -quiet"
    names = f"-h5file {folder / 'shot_0001.h5'} -floatfile {folder / 'f.bin'} -pngfile {folder / 'a.png'}"
    assert cli.main(f"{line} {names} -nodump".split()) == 0
    return folder


@pytest.fixture(scope="module")
def geometry(files: Path) -> Geometry:
    return build_geometry(parse(["-expt", str(files / "a.expt"), "-semantics", "exact"]).settings)[0]


def points() -> list[tuple[float, float]]:
    """Fast and slow of places on a panel."""
    return [(0.0, 0.0), (8.0, 0.0), (0.0, 6.0), (2.5, 3.5)]


@requires("DIALS' reader")
@pytest.mark.readers
def test_dxtbx_finds_panels_and_spindle(files: Path, geometry: Geometry) -> None:
    panels = geometry.detector.panels
    assert len(panels) == 256
    asked = subprocess.run(
        [dxtbx_reader.PYTHON, "-c", _ASK, str(files / "a.expt")],
        capture_output=True, check=True, text=True, env=dxtbx_reader._environment(),
    )  # fmt: skip
    places, axis = json.loads(asked.stdout.rpartition("@answer ")[2])
    ours = np.array([[panel.position(slow, fast) for fast, slow in points()] for panel in panels])
    np.testing.assert_allclose(ours, np.array(places) / 1e3, rtol=0, atol=TOLERANCE)
    np.testing.assert_allclose(geometry.goniometer.spindle, axis, rtol=0, atol=1e-12)

    wanted = [(panel, *point) for panel in range(256) for point in points()]
    (found,) = dxtbx_reader.read([(files / "shot_0001.h5", wanted)])
    assert "error" not in found, found
    assert len(found["panels"]) == 256
    turned = to_imgcif(geometry.beam)
    np.testing.assert_allclose(
        np.reshape(found["points_mm"], ours.shape) / 1e3, ours @ turned.T, rtol=0, atol=TOLERANCE
    )
    for panel in found["panels"]:
        np.testing.assert_allclose(panel["pixel_size_mm"], _EDGES, rtol=1e-12)
        assert panel["image_size"] == list(_SIZE)
    np.testing.assert_allclose(found["goniometer"]["axis"], turned @ np.array(axis), rtol=0, atol=1e-12)
    np.testing.assert_allclose(found["scan"]["oscillation_deg"], [20.0, 0.5], rtol=1e-12)
    drawn = np.fromfile(files / "f.bin", np.float32).reshape(256, 6, 8)
    np.testing.assert_array_equal(np.array(found["data"][0], np.float32), drawn)


@pytest.mark.readers
def test_nxmx_finds_panels_and_spindle(files: Path, geometry: Geometry) -> None:
    frame_of_file = to_mcstas(geometry.beam)
    with h5py.File(files / "shot_0001.h5") as file:
        (entry,) = nxmx.NXmx(file).entries
        modules = entry.instruments[0].detectors[0].modules
        assert len(modules) == 256
        for panel, module in zip(geometry.detector.panels, modules, strict=True):
            chain = nxmx.get_dependency_chain(module.fast_pixel_direction.depends_on)
            origin = nxmx.get_cumulative_transformation(chain)[0, :3, 3] / 1e3
            steps = [
                direction.vector * direction[()].to("m").magnitude
                for direction in (module.fast_pixel_direction, module.slow_pixel_direction)
            ]
            for fast, slow in points():
                theirs = origin + fast * steps[0] + slow * steps[1]
                ours = frame_of_file @ panel.position(slow, fast)
                np.testing.assert_allclose(theirs, ours, rtol=0, atol=TOLERANCE)
        axis, *outer = nxmx.get_dependency_chain(entry.samples[0].depends_on)
        assert [one.path.rsplit("/")[-1] for one in (axis, *outer)] == ["phi", "kappa", "omega"]
        turned = nxmx.get_cumulative_transformation(nxmx.DependencyChain(outer))[0, :3, :3] @ axis.vector
        np.testing.assert_allclose(turned, frame_of_file @ geometry.goniometer.spindle, rtol=0, atol=1e-12)


@pytest.mark.readers
def test_crystfel_finds_panels_and_their_groups(files: Path, geometry: Geometry) -> None:
    common, panels = parse_geom(files / "shot_0001.geom")
    frame_of_file = to_mcstas(geometry.beam)
    assert len(panels) == 256
    for panel, entries in zip(geometry.detector.panels, panels.values(), strict=True):
        for fast, slow in points():
            expected = frame_of_file @ panel.position(slow, fast)
            np.testing.assert_allclose(geom_position(common, entries, fast, slow), expected, rtol=0, atol=TOLERANCE)
    arms = {name: members.split(",") for name, members in common.items() if name.startswith("group_q")}
    assert len(arms) == 16
    assert sorted(member.strip() for members in arms.values() for member in members) == sorted(panels)
    assert {name.strip() for name in common["group_all"].split(",")} == {name.removeprefix("group_") for name in arms}
    assert common["rigid_group_q2a1"] == common["group_q2a1"]
