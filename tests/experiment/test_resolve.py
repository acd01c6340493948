"""Which rows of DIFFERENCES.md a command line meets: those that change its picture, and no others."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from nbnumba.errors import InputError
from nbnumba.experiment.defects import defects_met
from nbnumba.experiment.resolve import resolve, resolve_with_choices
from nbnumba.parameters.parser import parse
from nbnumba.render.renderer import simulate
from nbnumba.util.messages import notices_to

# One unit cell with one structure factor would look the same from all sides.
JOB = "-cell 40 50 60 -default_F 40 -N 3 -nointerpolate -detpixels 12 -pixel 1 -distance 50 -oversample 1"
SENSOR = "-detector_thick 300 -detector_abs 200"


@pytest.fixture(autouse=True)
def _beside_source_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    # x, y, z, weight, wavelength
    Path("even.txt").write_text("-10 0 0 3 1e-10\n-10 0 0.1 3 1e-10\n")
    Path("uneven.txt").write_text("-10 0 0 3 1e-10\n-10 0 0.1 1 1e-10\n")


def rows_and_pictures(words: str) -> tuple[list[str], np.ndarray, np.ndarray]:
    """Return the rows met and the pictures under both semantics."""
    rows: list[str] = []
    pictures = []
    for semantics in ("c", "exact"):
        resolved = resolve_with_choices(parse(f"{JOB} {words} -semantics {semantics}".split()).settings)
        if semantics == "c":
            rows = [row for row, _ in defects_met(resolved)]
        pictures.append(simulate(resolved.experiment).array)
    return rows, pictures[0], pictures[1]


@pytest.mark.parametrize(
    ("words", "rows"),
    [
        ("-cell 40 40 40 60 60 60", ["cell"]),
        ("-cell 40 45 52 78 85 97", ["cell"]),
        ("-osc 1 -phisteps 3", ["phi0"]),
        ("-phi 5 -osc -2 -phisteps 2", ["osc"]),
        ("-oversample 2 -oversample_omega", ["oversample_*"]),
        ("-mosaic 1 -mosaic_domains 3 -oversample_polar", ["oversample_*"]),
        ("-oversample_thick", ["oversample_*"]),
        (f"{SENSOR} -oversample_omega", ["oversample_*", "thickness"]),
        ("-nopolar -oversample_polar", ["nopolar"]),
        (SENSOR, ["thickness"]),
        ("-sourcefile uneven.txt", ["source weights"]),
        ("-water 10 -fluence 1e28", ["water"]),
        ("-water 10 -oversample 2", ["water"]),
        ("-water 10 -dmin 8", ["water"]),
        ("-misset random -misset_seed 5", ["misset random"]),
        ("-curved_det -Xbeam 3 -Ybeam 5", ["curved detector"]),
        ("-pivot sample -twotheta 10", ["pivot"]),
        ("-xds -pivot beam -twotheta 10", ["pivot"]),
        ("-pix0_vector 0.05 0.004 -0.006", ["pix0_vector"]),
        ("-pix0_vector 0.05 0.004 -0.006 -pivot beam -twotheta 10", ["pix0_vector"]),
    ],
)
def test_a_row_that_changes_the_picture_is_named(words: str, rows: list[str]) -> None:
    met, c, exact = rows_and_pictures(words)
    assert met == rows
    assert not np.allclose(c, exact, rtol=1e-5, atol=0.0)


@pytest.mark.parametrize(
    "words",
    [
        "-cell 40 45 52 90 97",
        "-cell 40 40 52 90 90 120",
        "-phi 0",
        "-phi 1 -osc 1 -phisteps 3",
        "-oversample_omega -oversample_polar",
        f"{SENSOR.replace('200', '0')} -detector_thick 0 -oversample_polar",
        "-nopolar -oversample_omega",
        "-detector_abs inf -detector_thick 300",
        "-sourcefile even.txt",
        "-water 0",
        "-water 10",
        "-misset 10 20 30",
        "-pivot sample",
        "-pivot beam",
        "-pivot beam -twotheta 10",
        "-xds -pivot beam",
        "-xds -pivot sample -twotheta 10",
        "-pix0_vector 0.05 0.006 -0.006",
        "-pix0_vector 0.05 0.004 -0.006 -Xbeam 3 -Ybeam 5",
    ],
)
def test_a_row_that_changes_nothing_is_not_named(words: str) -> None:
    met, c, exact = rows_and_pictures(words)
    assert met == []
    assert np.allclose(c, exact, rtol=1e-5, atol=0.0)  # places that agree to rounding


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("-oversample 0 -Na 1000000 -distance 1", r"-oversample: [0-9]+-fold would be chosen .*; at most 1000, give"),
        ("-oversample 0 -twotheta 90 -N 30", r"-oversample: [0-9]+-fold would be chosen"),
        ("-oversample 0 -distance 1e-45", r"-oversample: 2147483647-fold would be chosen"),
        ("-osc 90 -phistep 1e-40", r"-osc, -phistep: 9e\+41 steps; at most 1000000"),
        ("-hdivrange 1e40 -hdivstep 1e-40", r"-hdivrange, -hdivstep: 1e\+80 steps; at most 1000000"),
        ("-hdivsteps 1000 -vdivsteps 1000 -dispersion 1 -dispsteps 2", r"-hdivsteps.* make 2000000 sources; at most"),
        ("-osc 1 -phisteps 5000 -mosaic 1 -mosaic_domains 5000", r"5000 x 5000 make 25000000 orientations"),
        ("-oversample 10000 -osc 1 -phisteps 1000000 -hdivrange 1 -hdivsteps 1000", r"sum over .* samples; at most"),
    ],
)
def test_more_steps_than_can_be_drawn(words: str, message: str) -> None:
    settings = parse(f"{JOB} -hkl none.hkl {words}".split()).settings
    with pytest.raises(InputError, match=message):  # before it is seen that the reflections are missing
        resolve(settings)


def test_an_explicit_oversampling_may_be_too_small() -> None:
    settings = parse(f"{JOB} -distance 1e-45".split()).settings
    assert resolve_with_choices(settings).choices.recommended_oversample == 2**31 - 1


def test_a_source_that_its_missing_coordinates_put_at_the_sample() -> None:
    Path("short.txt").write_text("-10 0 0\n0 0\n")
    settings = parse(f"{JOB} -sourcefile short.txt".split()).settings
    with pytest.raises(InputError, match=r"^-sourcefile short\.txt: source 2 stands at 0 0 0, the sample"):
        resolve(settings)


@pytest.mark.parametrize("words", ["-osc -2 -phisteps 4", "-osc -2", "-osc -1 -phistep 0.5"])
def test_a_negative_range_turns_the_other_way_in_exact(words: str) -> None:
    back, there = f"{JOB} {words}", f"{JOB} {words.replace('-osc -', '-osc ')}"
    turned = resolve(parse(f"{back} -phi 7 -semantics exact".split()).settings).goniometer
    forward = resolve(parse(f"{there} -phi 7 -semantics exact".split()).settings).goniometer
    assert turned.osc == -forward.osc
    # One rounding of a sum.
    np.testing.assert_allclose(turned.angles + forward.angles, 2 * math.radians(7), rtol=1e-15)
    # About the opposite axis, from the opposite angle, it is the same rotation.
    axes = "-fdet_vector 0 0 1 -semantics exact -spindle_axis 0 0"
    lines = (f"{back} -phi 7 {axes} 1", f"{there} -phi -7 {axes} -1")
    one, other = (simulate(resolve(parse(line.split()).settings)).array for line in lines)
    assert one.max() > 0.0
    np.testing.assert_allclose(one, other, rtol=1e-5)  # rounding of the rotations, where fringes are steep


@pytest.mark.parametrize(("distance", "told"), [(100, False), (20, True)])
def test_much_oversampling_is_told(distance: float, told: bool) -> None:
    notices: list[str] = []
    words = f"-cell 50 60 70 -N 30 -default_F 1 -lambda 1 -pixel 0.1 -detpixels 8 -Nc 100 -distance {distance}"
    with notices_to(notices.append):
        experiment = resolve(parse(words.split()).settings)
    assert any("-fold oversampling is chosen" in line for line in notices) == told
    assert (experiment.sampling.oversample > 64) == told


@pytest.mark.parametrize(
    ("words", "chosen", "enough"),
    [
        ("-gauss_xtal -N 50", 28, None),  # C's Gaussian spots are narrower than the fringes of the crystal
        ("-shape gauss_abc -N 50 -fudge 0.01", 28, 3),
        ("-shape square -N 50 -fudge 0.01", 28, None),
        ("-shape gauss_abc -N 50 -fudge 0.01 -spread continuous", 3, None),
        ("-shape gauss_abc -N 3000 -spread continuous -mosaic 2 -dispersion 50 -dispsteps 9", 11, None),
    ],
)
def test_oversampling_by_the_width_of_gaussian_spots(words: str, chosen: int, enough: int | None) -> None:
    """In closed form the narrowest spots decide, else the crystal's size does, with a notice where that is too much."""
    line = f"-cell 78 -default_F 10 -lambda 1 -distance 100 -pixel 0.234 -detpixels 10 -nodump {words}"
    notices: list[str] = []
    with notices_to(notices.append):
        assert resolve(parse(line.split()).settings).sampling.oversample == chosen
    assert [line.rpartition(" ")[2] for line in notices if "wide enough" in line] == ([str(enough)] if enough else [])


MOSFLM = """ 0.01 0 0
 0 0.0125 0
 0 0 0.02
 0 0 0
 1 0 0
 0 1 0
 0 0 1
 100 80 50 90 90 90
 0 0 0
"""


def test_a_matrix_that_states_another_cell(tmp_path: Path) -> None:
    (tmp_path / "a.mat").write_text(MOSFLM)
    words = f"-mat {tmp_path / 'a.mat'} -N 3 -default_F 1 -pixel 0.1 -detpixels 8 -distance 100".split()
    for wavelength, tells in (("1", False), ("1.005", False), ("1.1", True)):
        notices: list[str] = []
        with notices_to(notices.append):
            resolve(parse([*words, "-lambda", wavelength]).settings)
        assert any("states the cell 100 80 50 90 90 90, and makes 110 88 55" in line for line in notices) == tells
    with pytest.raises(InputError, match="states the cell 100 80 50 90 90 90, and makes 110 88 55"):
        resolve(parse([*words, "-lambda", "1.1", "-semantics", "exact"]).settings)


@pytest.mark.parametrize(("dmin", "allowed"), [("0.29", False), ("0.3", True), ("1000", True), ("1001", False)])
def test_a_resolution_is_one_of_crystals(dmin: str, allowed: bool) -> None:
    if allowed:
        assert parse(["-hkl_dmin", dmin]).settings.factors.hkl_dmin == float(dmin) / 1e10
        return
    with pytest.raises(InputError, match=r"allowed: a number from 0\.3 to 1000, or 0 \[Å\]"):
        parse(["-hkl_dmin", dmin])
