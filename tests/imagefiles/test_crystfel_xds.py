"""Geometry for CrystFEL and XDS: parsed by hand, every pixel is where it should be."""

from __future__ import annotations

import dataclasses
import math
import re
from pathlib import Path

import numpy as np
import pytest
from crystfel_geom import direction, geom_position, parse_geom
from plain_experiments import CENTERS, TILTS, experiment, lab_position, points, two_panels

from nbnumba.errors import FileError
from nbnumba.experiment.model import Experiment
from nbnumba.geometry.vectors import cross, unit
from nbnumba.imagefiles.crystfel_xds import name_template, write_geom, write_geometry_files, write_xds_inp
from nbnumba.util.messages import notices_to

WITHIN = 1e-9  # m
# As in C the length of the axis of 2theta counts: it stretches the detector.
STRETCHED = "-mosflm -twotheta_axis 0 1.1 0 -twotheta 23.5"
DETECTORS = [f"{center} {tilt}" for center in CENTERS.values() for tilt in ("", *TILTS.values())] + [STRETCHED]


def mcstas(record: Experiment) -> np.ndarray:
    """Return the frame of the beam and the polarization: z along the one, x along the other, across the beam."""
    beam = record.beam.direction
    y = unit(cross(beam, record.beam.polarization_axis))
    return np.array([cross(y, beam), y, beam])


def parse_xds(path: Path) -> dict[str, list[str]]:
    words = " ".join(line.partition("!")[0] for line in path.read_text().splitlines()).split()
    values: dict[str, list[str]] = {}
    key = ""
    for word in words:
        if word.endswith("="):
            key = word[:-1]
            values[key] = []
        else:
            values[key].append(word)
    return values


def numbers(values: dict[str, list[str]], key: str) -> np.ndarray:
    return np.array(values[key], float)


def xds_position(values: dict[str, list[str]], fast: float, slow: float) -> np.ndarray:
    """Return where a point is, in pixels from the corner; XDS has the center of the first pixel at (1, 1)."""
    x, y = numbers(values, "DIRECTION_OF_DETECTOR_X-AXIS"), numbers(values, "DIRECTION_OF_DETECTOR_Y-AXIS")
    np.testing.assert_allclose([np.linalg.norm(x), np.linalg.norm(y)], 1.0, rtol=1e-14)
    value = {key: float(values[key][0]) for key in ("ORGX", "ORGY", "QX", "QY", "DETECTOR_DISTANCE")}
    along_x = (fast + 0.5 - value["ORGX"]) * value["QX"]
    along_y = (slow + 0.5 - value["ORGY"]) * value["QY"]
    return (along_x * x + along_y * y + value["DETECTOR_DISTANCE"] * np.cross(x, y)) / 1000.0


@pytest.mark.readers
@pytest.mark.parametrize("words", DETECTORS)
def test_every_pixel_is_where_it_should_be(tmp_path: Path, words: str) -> None:
    record = experiment(words)
    frame = mcstas(record)
    write_geom(tmp_path / "a.geom", record, "a.h5")
    common, panels = parse_geom(tmp_path / "a.geom")
    write_xds_inp(tmp_path / "XDS.INP", record, record.crystal, "a.h5")
    values = parse_xds(tmp_path / "XDS.INP")
    for panel, fast, slow in points(record):
        expected = frame @ lab_position(record, panel, fast, slow)
        np.testing.assert_allclose(geom_position(common, panels["p0"], fast, slow), expected, rtol=0, atol=WITHIN)
        np.testing.assert_allclose(xds_position(values, fast, slow), expected, rtol=0, atol=WITHIN)
    # The axes of both share the frame, to the 15 digits written.
    np.testing.assert_allclose(numbers(values, "INCIDENT_BEAM_DIRECTION"), [0, 0, 1], atol=1e-14)
    spindle = frame @ record.goniometer.spindle
    np.testing.assert_allclose(numbers(values, "ROTATION_AXIS"), spindle, atol=1e-14)


@pytest.mark.readers
def test_two_tilted_panels_below_one_another(tmp_path: Path) -> None:
    record = two_panels()
    received: list[str] = []
    with notices_to(received.append):
        (written,) = write_geometry_files(tmp_path / "shots.h5", record, record.crystal)
    assert written == tmp_path / "shots.geom"
    (line,) = received
    assert line == "no XDS.INP for shots.h5: it would have to hold one panel, the detector has 2"
    common, panels = parse_geom(written)
    frame = mcstas(record)
    assert list(panels) == ["p0", "p1"]
    for number, panel in enumerate(panels.values()):
        assert [panel[key] for key in ("min_fs", "max_fs")] == ["0", "11"]
        assert [int(panel[key]) for key in ("min_ss", "max_ss")] == [9 * number, 9 * number + 8]
        assert abs(direction(panel["fs"])[2]) > 0.1
        for _, fast, slow in points(record, number):
            expected = frame @ lab_position(record, number, fast, slow)
            np.testing.assert_allclose(geom_position(common, panel, fast, slow), expected, rtol=0, atol=WITHIN)
    assert [common[f"dim{axis}"] for axis in range(3)] == ["%", "ss", "fs"]
    with pytest.raises(ValueError, match="too many values"):
        write_xds_inp(tmp_path / "XDS.INP", record, record.crystal, "shots.h5")


def test_what_a_geom_says(tmp_path: Path) -> None:
    record = experiment("")
    write_geometry_files(tmp_path / "shots.h5", record, record.crystal, dtype="uint16")
    common, panels = parse_geom(tmp_path / "shots.geom")
    assert common["data"] == "/entry/data/data"
    assert common["wavelength"] == "/entry/instrument/beam/incident_wavelength A"
    assert common["adu_per_photon"] == "1"
    assert common["flag_morethan"] == "65532"
    assert common["mask_bad"] == "0xffff"
    assert float(panels["p0"]["res"]) == pytest.approx(1 / 1.72e-4, rel=1e-15)
    write_geom(tmp_path / "own.geom", record, "x\ny.h5", wavelength_path=None, mask_path=None)
    common, _ = parse_geom(tmp_path / "own.geom")
    assert common["wavelength"] == "0.9768132 A"
    assert not {"mask", "flag_morethan"} & common.keys()


def test_what_an_xds_inp_says(tmp_path: Path) -> None:
    words = "-mosflm -phi 12.5 -osc 0.25 -polar 0.98 -detector_abs 300 -detector_thick 450 -detector_thicksteps 3"
    record = experiment(words)
    write_xds_inp(tmp_path / "XDS.INP", record, record.crystal, "shot_0001.cbf", images=90, saturation=60000)
    values = parse_xds(tmp_path / "XDS.INP")
    assert values["NAME_TEMPLATE_OF_DATA_FRAMES"] == ["shot_????.cbf"]
    assert values["DETECTOR"] == ["PILATUS"]
    assert values["DATA_RANGE"] == ["1", "90"]
    assert (values["NX"], values["NY"]) == (["12"], ["9"])
    assert values["OVERLOAD"] == ["59999"]
    assert values["STARTING_ANGLE"] == ["12.5"]
    assert values["OSCILLATION_RANGE"] == ["0.25"]
    assert values["X-RAY_WAVELENGTH"] == ["0.9768132"]
    assert values["FRACTION_OF_POLARIZATION"] == ["0.99"]
    assert values["POLARIZATION_PLANE_NORMAL"] == ["0.000000000000000", "1.000000000000000", "0.000000000000000"]
    assert float(values["SENSOR_THICKNESS"][0]) == pytest.approx(0.675)  # three layers of 0.225 mm
    assert float(values["SILICON"][0]) == pytest.approx(1 / 0.3, rel=1e-8)
    text = (tmp_path / "XDS.INP").read_text()
    (cell,) = re.findall("^!UNIT_CELL_CONSTANTS= (.*)$", text, re.MULTILINE)
    np.testing.assert_allclose(np.array(cell.split(), float)[:3], [62, 73, 84], rtol=1e-8)
    np.testing.assert_allclose(np.array(cell.split(), float)[3:], np.degrees(record.crystal.angles), rtol=1e-8)
    axes = np.array([row.split() for row in re.findall("^!UNIT_CELL_[ABC]-AXIS= (.*)$", text, re.MULTILINE)], float)
    real = record.crystal.real_space * 1e10
    np.testing.assert_allclose(axes, real @ mcstas(record).T, atol=1e-8)


def test_a_rotation_in_the_negative_sense(tmp_path: Path) -> None:
    record = experiment("-mosflm -phi 10")
    backwards = dataclasses.replace(record.goniometer, osc=math.radians(-2.0))
    write_xds_inp(tmp_path / "XDS.INP", dataclasses.replace(record, goniometer=backwards), record.crystal, "a_1.img")
    values = parse_xds(tmp_path / "XDS.INP")
    spindle = mcstas(record) @ record.goniometer.spindle
    np.testing.assert_allclose(numbers(values, "ROTATION_AXIS"), -spindle, atol=1e-14)
    assert values["STARTING_ANGLE"] == ["-10"]
    assert values["OSCILLATION_RANGE"] == ["2"]
    assert values["DETECTOR"] == ["ADSC"]


def test_an_unknown_crystal_is_left_out(tmp_path: Path) -> None:
    record = experiment("")
    write_xds_inp(tmp_path / "XDS.INP", record, None, "a.h5", dtype="float32")
    text = (tmp_path / "XDS.INP").read_text()
    assert "UNIT_CELL" not in text
    assert "nan" not in text
    assert "these pixels are float32" in text
    assert "The crystal stands still" in text


@pytest.mark.parametrize(
    ("name", "template"),
    [
        ("a.h5", "a_??????.h5"),
        ("lyso_master.h5", "lyso_??????.h5"),
        ("shot_0001.cbf", "shot_????.cbf"),
        ("x12y7.img", "x12y?.img"),
        ("shot.img", "shot.img"),
    ],
)
def test_names_of_series(name: str, template: str) -> None:
    found, remarks = name_template(name)
    assert found == template
    assert bool(remarks) == (name in ("a.h5", "lyso_master.h5", "shot.img"))


def test_files_of_others_stay(tmp_path: Path) -> None:
    record = experiment("")
    (tmp_path / "XDS.INP").write_text("JOB= ALL\n")
    (tmp_path / "shots.geom").write_text("; refined\n")
    received: list[str] = []
    with notices_to(received.append):
        written = write_geometry_files(tmp_path / "shots.h5", record, record.crystal)
    assert [path.name for path in written] == ["shots_nbnumba.geom", "shots_XDS.INP"]
    assert (tmp_path / "XDS.INP").read_text() == "JOB= ALL\n"
    assert (tmp_path / "shots.geom").read_text() == "; refined\n"
    assert len(received) == 2
    assert received[1] == f"{tmp_path}/XDS.INP is not nbnumba's and stays as it is; the geometry goes to shots_XDS.INP"
    # Ours are replaced, again and again.
    with notices_to(received.append):
        assert write_geometry_files(tmp_path / "shots.h5", record, record.crystal) == written
    (tmp_path / "shots_XDS.INP").write_text("")
    with notices_to(received.append):
        assert [path.name for path in write_geometry_files(tmp_path / "shots.h5", record, record.crystal)] == [
            "shots_nbnumba.geom"
        ]
    assert received[-1].endswith("are not nbnumba's and stay as they are")
    (tmp_path / "other").mkdir()
    with notices_to(received.append):
        first = write_geometry_files(tmp_path / "other" / "a.h5", record, record.crystal)
    with notices_to(received.append):
        assert first == write_geometry_files(tmp_path / "other" / "a.h5", record, record.crystal)
    assert [path.name for path in first] == ["a.geom", "XDS.INP"]


def test_a_curved_detector_is_pointed_out(tmp_path: Path) -> None:
    received: list[str] = []
    with notices_to(received.append):
        write_geometry_files(tmp_path / "a.h5", experiment("-curved_det"), None)
    (line,) = received
    assert line.startswith("a.h5: geometry files cannot tell that a detector is curved")


def test_a_detector_beside_the_beam_has_a_camera_length_of_its_own(tmp_path: Path) -> None:
    record = experiment("-beam_vector 0 1 0 -close_distance 123 -pivot sample")
    assert record.detector.panels[0].distance > 1e6  # the beam runs along its plane
    write_geom(tmp_path / "a.geom", record, "a.h5")
    common, panels = parse_geom(tmp_path / "a.geom")
    assert abs(float(common["clen"].split()[0])) < 0.01
    for panel, fast, slow in points(record):
        expected = mcstas(record) @ lab_position(record, panel, fast, slow)
        np.testing.assert_allclose(geom_position(common, panels["p0"], fast, slow), expected, rtol=0, atol=WITHIN)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("-fdet_vector 0 0.02 1", "fast and slow of its detector are not at right angles, as DIALS"),
        ("-fdet_vector 0 2e-6 1", "fast and slow of its detector are not at right angles; the file has the nearest"),
        ("-beam_vector -1 0 0", "its detector stands between source and sample"),
        ("-twotheta 100 -pivot sample", "its detector stands between source and sample"),
    ],
)
def test_detectors_that_readers_do_not_expect_are_pointed_out(tmp_path: Path, words: str, message: str) -> None:
    received: list[str] = []
    with notices_to(received.append):
        write_geometry_files(tmp_path / "a.h5", experiment(words), None)
    (line,) = received
    assert line.startswith(f"a.h5: {message}")


def test_a_missing_folder(tmp_path: Path) -> None:
    with pytest.raises(FileError, match="there is no folder"):
        write_geometry_files(tmp_path / "none" / "a.h5", experiment(""), None)
