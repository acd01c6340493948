"""What -expt sets, and the options beside it."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nbnumba.errors import FileError, InputError
from nbnumba.experiment.resolve import resolve
from nbnumba.geometry.panel import PlacedPanel
from nbnumba.parameters.choices import Convention
from nbnumba.parameters.parser import parse
from nbnumba.parameters.table import NANOBRAGG

CONTENT: dict[str, Any] = {
    "__id__": "ExperimentList",
    "experiment": [{"beam": 0, "detector": 0, "goniometer": 0, "scan": 0, "crystal": 0}],
    "beam": [
        {"direction": [0, 0, 1], "wavelength": 1.25, "polarization_normal": [0, 1, 0], "polarization_fraction": 0.9}
    ],
    "detector": [
        {
            "panels": [
                {
                    "fast_axis": [1, 0, 0],
                    "slow_axis": [0, -1, 0],
                    "origin": [-3, 2, -100],
                    "image_size": [30, 20],
                    "pixel_size": [0.2, 0.2],
                    "thickness": 0.32,
                    "mu": 3.9,
                }
            ]
        }
    ],
    "goniometer": [{"rotation_axis": [1, 0, 0]}],
    "scan": [{"image_range": [1, 3], "oscillation": [30.0, 0.5]}],
    "crystal": [{"real_space_a": [50, 0, 0], "real_space_b": [0, 80, 0], "real_space_c": [0, 0, 100]}],
}


@pytest.fixture
def content() -> dict[str, Any]:
    return json.loads(json.dumps(CONTENT))


def write(folder: Path, content: dict[str, Any]) -> str:
    path = folder / "a.expt"
    path.write_text(json.dumps(content))
    return str(path)


@pytest.fixture
def file(tmp_path: Path) -> str:
    return write(tmp_path, CONTENT)


def refused(line: str) -> str:
    with pytest.raises(InputError) as caught:
        parse(line.split())
    return str(caught.value)


def test_what_a_file_sets(file: str) -> None:
    settings = parse(["-expt", file]).settings
    assert settings.detector.expt_file == file
    assert settings.detector.convention is Convention.CUSTOM
    assert settings.beam.beam_vector == (0, 0, -1)
    assert settings.beam.polar_vector in {(1, 0, 0), (-1, 0, 0)}  # across the beam and the normal
    assert settings.beam.polarization == pytest.approx(0.8)
    assert settings.beam.wavelength == 1.25e-10
    assert settings.goniometer.spindle_axis == (1, 0, 0)
    assert math.degrees(settings.goniometer.phi) == pytest.approx(30)
    assert settings.goniometer.osc is not None
    assert math.degrees(settings.goniometer.osc) == pytest.approx(0.5)
    assert settings.goniometer.phisteps == 10
    assert settings.detector.panels == (
        PlacedPanel(30, 20, (2e-4, 2e-4), (-0.003, 0.002, -0.1), (1, 0, 0), (0, -1, 0)),
    )
    assert settings.crystal.reciprocal_A is not None
    np.testing.assert_allclose(settings.crystal.reciprocal_A, np.diag([1 / 50, 1 / 80, 1 / 100]), rtol=1e-15)


def test_the_sensor_is_left_to_the_user(file: str) -> None:
    assert parse(["-expt", file]).settings.detector.detector_thick == 0
    assert parse(["-expt", file, "-detector_thick", "320"]).settings.detector.detector_thick == pytest.approx(320e-6)


@pytest.mark.parametrize("order", ["-expt {file} {words}", "{words} -expt {file}"])
def test_options_beside_it_count_wherever_they_stand(order: str, file: str) -> None:
    words = (
        "-lambda 2 -polar 0.3 -phi 4 -fluence 1e20 -polar_vector 0 1 0 -spindle_axis 0 1 0 -point_pixel -nopolar "
        "-roi 1 2 3 4 -A_matrix 0.01 0 0 0 0.01 0 0 0 0.01"
    )
    settings = parse(order.format(file=file, words=words).split()).settings
    assert settings.beam.wavelength == 2e-10
    assert settings.beam.polarization == 0.3
    assert math.degrees(settings.goniometer.phi) == pytest.approx(4)
    assert settings.beam.fluence == 1e20
    assert settings.beam.polar_vector == settings.goniometer.spindle_axis == (0, 1, 0)
    assert settings.detector.point_pixel
    assert settings.sampling.roi == (1, 2, 3, 4)
    assert settings.crystal.reciprocal_A == ((0.01, 0, 0), (0, 0.01, 0), (0, 0, 0.01))
    assert len(settings.detector.panels) == 1


def test_a_typed_matrix_replaces_the_crystal(file: str) -> None:
    settings = parse(["-expt", file, "-mat", "A.mat"]).settings
    assert (settings.crystal.matrix_file, settings.crystal.reciprocal_A) == ("A.mat", None)


@pytest.mark.parametrize(
    ("words", "steps", "step_deg", "osc_deg"),
    [
        ("", 10, 0.05, 0.5),
        ("-osc 1", 10, 0.1, 1),
        ("-phisteps 5", 5, 0.1, 0.5),
        ("-phistep 0.1", 5, 0.1, 0.5),
        ("-osc 1 -phisteps 4", 4, 0.25, 1),
        ("-osc 1 -phistep 0.2", 5, 0.2, 1),
        ("-osc -1", 1, 0, 0),
        ("-phisteps -1", 10, 0.05, 0.5),
    ],
)
def test_rotation_of_the_first_image(words: str, steps: int, step_deg: float, osc_deg: float, file: str) -> None:
    settings = parse(["-expt", file, "-default_F", "1", *words.split()]).settings
    gonio = resolve(settings).goniometer
    assert gonio.steps == steps
    assert np.degrees([gonio.step, gonio.osc, gonio.phi]) == pytest.approx([step_deg, osc_deg, 30])


def test_a_still(content: dict[str, Any], tmp_path: Path) -> None:
    content["experiment"][0].update(scan=None, goniometer=None)
    settings = parse(["-expt", write(tmp_path, content), "-default_F", "1"]).settings
    assert (settings.goniometer.phi, settings.goniometer.osc, settings.goniometer.phisteps) == (0, None, None)
    assert resolve(settings).goniometer.steps == 1


def test_a_scan_that_turns_backwards(content: dict[str, Any], tmp_path: Path) -> None:
    content["scan"][0]["oscillation"] = [30.0, -0.5]
    file = write(tmp_path, content)
    command = parse(["-expt", file])
    settings = command.settings
    assert settings.goniometer.spindle_axis == (-1, 0, 0)
    assert math.degrees(settings.goniometer.phi) == pytest.approx(-30)
    assert settings.goniometer.osc is not None
    assert math.degrees(settings.goniometer.osc) == pytest.approx(0.5)
    assert command.notices[0] == f"-expt {file}: the scan turns backwards; phi counts the other way round here"


KEPT = {"-expt", "-expt_number", "-mask", "-polar_vector", "-spindle_axis"}
PLACING = [
    option
    for group in ("Detector: size and place", "Conventions and axes")
    for option in NANOBRAGG.groups[group]
    if option.key not in KEPT
]


@pytest.mark.parametrize("option", PLACING, ids=lambda o: o.key)
def test_options_that_place_a_detector_contradict_it(option: Any) -> None:
    values = {"-pivot": "beam", "-img": "a.img"}.get(option.key, " ".join(["1"] * option.count))
    # Before the file is looked for.
    line = f"{option.key} {values} -expt none.expt"
    assert refused(line) == f"{option.key}: contradicts -expt, which places the panels"


def test_several_contradictions_are_reported_at_once(file: str) -> None:
    line = f"-distance 100 -expt {file} -Xbeam 3 -Xbeam 4 -lambda 1"
    assert refused(line) == "-distance, -Xbeam: contradict -expt, which places the panels"


def test_the_last_of_several_counts(file: str) -> None:
    assert parse(["-expt", "none.expt", "-expt", file]).settings.detector.expt_file == file


def test_a_missing_file_and_a_folder_to_look_in(file: str, tmp_path: Path) -> None:
    with pytest.raises(FileError, match=r"^-expt none\.expt: cannot be read: no such file or directory$"):
        parse(["-expt", "none.expt"])
    assert parse(["-expt", "a.expt"], tmp_path).settings.detector.expt_file == file


def test_a_beam_of_many_wavelengths(content: dict[str, Any], tmp_path: Path) -> None:
    content["beam"] = [{"__id__": "polychromatic", "direction": [0, 0, 1], "wavelength_range": [0.2, 6]}]
    file = write(tmp_path, content)
    assert refused(f"-expt {file}") == f"-expt {file}: the beam has no single wavelength; give -lambda A"
    assert parse(["-expt", file, "-lambda", "1.5"]).settings.beam.wavelength == 1.5e-10
    assert parse(["-expt", file, "-energy", "12398.42"]).settings.beam.wavelength == pytest.approx(1e-10)


def test_a_mask_is_one_of_the_panel(file: str, tmp_path: Path) -> None:
    mask = tmp_path / "mask.img"
    header = (
        "{\nHEADER_BYTES=512;\nSIZE1=%d;\nSIZE2=%d;\nTYPE=unsigned_short;\nBYTE_ORDER=little_endian;\nDISTANCE=7;\n}\f"
    )
    pixels = np.ones((20, 30), "<u2")
    pixels[3, 5] = 0
    mask.write_bytes((header % (30, 20)).encode().ljust(512) + pixels.tobytes())
    line = f"-expt {file} -mask {mask} -default_F 1"
    record = resolve(parse(line.split()).settings)
    assert record.detector.panels[0].mask is not None
    assert np.argwhere(~record.detector.panels[0].mask).tolist() == [[3, 5]]
    assert record.detector.panels[0].distance == pytest.approx(0.1)  # the header's distance does not count
    mask.write_bytes((header % (20, 30)).encode().ljust(512) + pixels.tobytes())
    with pytest.raises(InputError, match=r"^-mask .*: the mask has 20 x 30 pixels, the detector 30 x 20 "):
        resolve(parse(line.split()).settings)


def test_a_curved_detector_of_one_panel(file: str) -> None:
    settings = parse(f"-expt {file} -default_F 1 -curved_det".split()).settings
    assert resolve(settings).detector.curved


def test_a_mistake_beside_it_loads_nothing_heavy(file: str) -> None:
    program = (
        "import sys\nfrom nbnumba.cli import main\n"
        f"status = main(['-expt', {file!r}, '-distance', '5'])\n"
        "print(status, sorted({'numpy', 'numba', 'h5py', 'gemmi'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "2 []\n"
