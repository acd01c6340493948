"""The axes of a goniometer from a .expt through NXmx files into DIALS."""

from __future__ import annotations

import copy
import json
import math
import subprocess
from pathlib import Path
from typing import Any

import dxtbx_reader
import h5py
import numpy as np
import pytest
from requirements import requires

from nbnumba import cli
from nbnumba.beam.frames import to_imgcif
from nbnumba.experiment.geometry_only import build_geometry
from nbnumba.geometry.mounting import Mounting, axes_of_rotation, axis_names
from nbnumba.geometry.vectors import rotation_matrix
from nbnumba.parameters.parser import parse

ROUNDING = 1e-9  # of matrices without unit, through angles in degrees

_KAPPA_AXIS = (np.array([0.914, 0.279, -0.297]) / np.linalg.norm([0.914, 0.279, -0.297])).tolist()
KAPPA = {
    "axes": [[1.0, 0.0, 0.0], _KAPPA_AXIS, [0.6, 0.8, 0.0]], "angles": [20.0, 35.0, -10.0],
    "names": ["phi", "kappa", "omega"], "scan_axis": 1,
}  # fmt: skip
OUTERMOST = {**KAPPA, "names": ["phi", "kappa", "kappa"], "scan_axis": 2}
TURNED = {
    "rotation_axis": [0.6, 0.0, 0.8], "fixed_rotation": [0, 0, 1, 1, 0, 0, 0, 1, 0],
    "setting_rotation": [0.6, -0.8, 0, 0.8, 0.6, 0, 0, 0, 1],
}  # fmt: skip

CONTENT: dict[str, Any] = {
    "__id__": "ExperimentList",
    "experiment": [{"__id__": "Experiment", "beam": 0, "detector": 0, "goniometer": 0, "scan": 0, "crystal": 0}],
    "imageset": [],
    "beam": [
        {"__id__": "monochromatic", "direction": [0.01, -0.02, 1.0], "wavelength": 1.1, "divergence": 0.0,
         "sigma_divergence": 0.0, "polarization_normal": [0.0, 1.0, 0.0], "polarization_fraction": 0.999}
    ],
    "detector": [
        {"panels": [
            {"name": "p", "type": "SENSOR_PAD", "fast_axis": [1.0, 0.0, 0.0], "slow_axis": [0.0, -1.0, 0.0],
             "origin": [-2.0, 2.0, -90.0], "image_size": [20, 20], "pixel_size": [0.2, 0.2],
             "trusted_range": [0.0, 65535.0]}
        ]}
    ],
    "goniometer": [],
    "scan": [{"image_range": [1, 2], "batch_offset": 0, "oscillation": [20.0, 0.5], "exposure_time": [1.0, 1.0],
              "epochs": [0.0, 0.0], "valid_image_ranges": {}}],
    "crystal": [{"__id__": "crystal", "real_space_a": [50.0, 3.0, 1.0], "real_space_b": [-2.0, 60.0, 4.0],
                 "real_space_c": [1.0, -3.0, 70.0], "space_group_hall_symbol": " P 1"}],
    "profile": [], "scaling_model": [],
}  # fmt: skip

# Run by the system's Python: what dxtbx has of experiment lists and of files of images.
_ASK = """
import json, sys
from dxtbx.model.experiment_list import ExperimentListFactory
found = []
for name in sys.argv[1:]:
    if name.endswith(".expt"):
        (one,) = ExperimentListFactory.from_json_file(name, check_format=False)
    else:
        (one,) = ExperimentListFactory.from_filenames([name])
    turn = one.goniometer
    found.append({
        "datum": turn.get_rotation_axis_datum(), "axis": turn.get_rotation_axis(),
        "fixed": turn.get_fixed_rotation(), "setting": turn.get_setting_rotation(),
        "names": list(turn.get_names()) if hasattr(turn, "get_names") else [],
        "oscillation": one.scan.get_oscillation(), "images": one.scan.get_num_images(),
        "A": None if one.crystal is None else one.crystal.get_A(),
    })
print("@answer " + json.dumps(found))
"""


def ask(*files: Path) -> list[dict[str, Any]]:
    asked = subprocess.run(
        [dxtbx_reader.PYTHON, "-c", _ASK, *map(str, files)],
        capture_output=True, check=False, text=True, env=dxtbx_reader._environment(),
    )  # fmt: skip
    assert asked.returncode == 0, asked.stderr[-2000:]
    found: list[dict[str, Any]] = json.loads(asked.stdout.rpartition("@answer ")[2])
    for one in found:
        for name in ("fixed", "setting", "A"):
            one[name] = None if one[name] is None else np.reshape(one[name], (3, 3))
    return found


def expt(folder: Path, goniometer: dict[str, Any]) -> Path:
    path = folder / "a.expt"
    path.write_text(json.dumps(CONTENT | {"goniometer": [goniometer]}))
    return path


@pytest.fixture
def frame(tmp_path: Path) -> np.ndarray:
    """Rotation from the frame of the list into that in which dxtbx sees our files."""
    settings = parse(["-expt", str(expt(tmp_path, TURNED)), "-semantics", "exact"]).settings
    return to_imgcif(build_geometry(settings)[0].beam)


def drawn(folder: Path, goniometer: dict[str, Any]) -> list[Path]:
    """Draw two series, and return the list and the files that say how the crystal is mounted."""
    folder.mkdir()
    source = expt(folder, goniometer)
    command = f"-expt {source} -default_F 10 -N 3 -oversample 1 -phisteps 1 -nointerpolate"
    files = [source]
    for many in (1, 2):  # the second series has a file of two images and one of one
        (folder / "s.toml").write_text(
            f'command = "{command}"\nnoise = false\nimages_per_file = {many}\n'
            f"[series]\nphi0_deg = 20\nosc_deg = 0.5\nimages = 3\n"
        )
        out = folder / f"out{many}"
        assert cli.main(["series", str(folder / "s.toml"), "-o", str(out)]) == 0
        assert cli.main(["convert", str(out / "series_master.h5"), "-o", str(out / "copy_0001.h5")]) == 0
        files += [out / name for name in ("series.expt", "series_master.h5", "copy_0001.h5")]
    return [*files, out / "series_0000.h5", out / "series_0001.h5"]


@requires("DIALS' reader")
@pytest.mark.readers
def test_dxtbx_reads_the_goniometer_of_a_series_and_of_its_truth(tmp_path: Path, frame: np.ndarray) -> None:
    files = [drawn(tmp_path / str(i), goniometer) for i, goniometer in enumerate((KAPPA, OUTERMOST, TURNED))]
    found = ask(*(file for one in files for file in one))
    for number, names in enumerate(files):
        theirs, *ours = found[9 * number : 9 * number + 9]
        assert [one["images"] for one in ours] == [3, 3, 3, 3, 3, 3, 2, 1]
        check(theirs, ours[:3], names[1:4], frame, fixed=False)
        check(theirs, ours[3:7], names[4:8], frame, fixed=True)
        check(theirs, ours[7:], names[8:], frame, fixed=False)
    assert found[5]["names"] == ["phi", "kappa", "omega"]
    assert found[23]["names"] == ["fixed", "omega", "setting"]


def check(theirs: dict[str, Any], ours: Any, files: Any, frame: np.ndarray, *, fixed: bool) -> None:
    """Compare goniometers and crystals; where the fixed rotation is not stated it is in the crystal."""
    inner = np.eye(3) if fixed else theirs["fixed"]
    for found, file in zip(ours, files, strict=True):
        np.testing.assert_allclose(found["axis"], frame @ theirs["axis"], rtol=0, atol=ROUNDING)
        np.testing.assert_allclose(found["datum"], frame @ theirs["datum"], rtol=0, atol=ROUNDING)
        np.testing.assert_allclose(found["setting"], frame @ theirs["setting"] @ frame.T, rtol=0, atol=ROUNDING)
        expected = theirs["fixed"] if fixed else np.eye(3)
        np.testing.assert_allclose(found["fixed"], frame @ expected @ frame.T, rtol=0, atol=ROUNDING)
        A = found["A"]
        if A is None:
            with h5py.File(file) as content:
                A = content["/entry/ground_truth/A_matrix_imgcif"][0]
        np.testing.assert_allclose(A, frame @ inner @ theirs["A"], rtol=0, atol=ROUNDING)


def test_a_file_of_one_image_states_the_outer_axes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    source = expt(tmp_path, KAPPA)
    line = f"-expt {source} -default_F 10 -N 3 -oversample 1 -phisteps 1 -nonoise -nodump -quiet -h5file a.h5"
    assert cli.main(line.split()) == 0
    with h5py.File("a.h5") as file:
        axes = file["/entry/sample/transformations"]
        assert sorted(axes) == ["kappa", "kappa_end", "kappa_increment_set", "omega"]
        assert file["/entry/sample/depends_on"].asstr()[()].endswith("/kappa")
        assert axes["kappa"].attrs["depends_on"] == "/entry/sample/transformations/omega"
        assert axes["omega"].attrs["depends_on"] == "."
        np.testing.assert_allclose(axes["omega"][()], [-10.0], rtol=1e-12)
    again = parse(["-geometry", "a.h5", "-lambda", "1.1"]).settings.goniometer.mounting
    assert again is not None
    assert (again.inner, again.scanned, again.outer[0].name) == ((), "kappa", "omega")
    # A spindle of one's own is another goniometer.
    assert parse(["-expt", str(source), "-spindle_axis", "1", "0", "0"]).settings.goniometer.mounting is None
    assert parse(["-expt", str(source)]).settings.goniometer.mounting is not None


@pytest.mark.parametrize("angle", [1e-9, 0.3, 3.0, math.pi - 1e-9, math.pi])
def test_any_rotation_is_one_about_an_axis(angle: float) -> None:
    turn = rotation_matrix(np.array([0.48, -0.6, 0.64]), angle)
    mounting = Mounting(axes_of_rotation(turn, "fixed"), axes_of_rotation(np.eye(3), "setting"))
    assert mounting.outer == ()
    np.testing.assert_allclose(mounting.fixed, turn, rtol=0, atol=1e-14)


def test_names_that_no_file_can_hold() -> None:
    assert axis_names(["phi", "kappa"], 2) == ["phi", "kappa"]
    for names in ([], ["phi"], ["phi", "PHI"], ["a/b", "c"], ["", "x"], ["phi", "phi_end"], ["..", "x"], ["é", "x"]):
        assert axis_names(names, 2) == ["axis_0", "axis_1"]


@pytest.mark.parametrize("change", ["depends_on", "no widths", "angle"])
def test_a_goniometer_that_makes_no_sense(
    change: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    source = expt(tmp_path, copy.deepcopy(KAPPA))
    line = f"-expt {source} -default_F 10 -N 3 -oversample 1 -phisteps 1 -nonoise -nodump -quiet -h5file a.h5"
    assert cli.main(line.split()) == 0
    with h5py.File("a.h5", "r+") as file:
        axes = file["/entry/sample/transformations"]
        if change == "depends_on":
            axes["kappa"].attrs["depends_on"] = "/entry/nowhere"
        elif change == "no widths":
            del axes["kappa_increment_set"]
        else:
            del axes["omega"]
            axes["omega"] = "ten"
    capsys.readouterr()
    assert cli.main(["convert", "a.h5", "-o", "b.h5"]) == 2
    assert "a.h5" in capsys.readouterr().err
    assert not Path("b.h5").exists()
