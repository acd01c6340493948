"""XPARM.XDS and GXPARM.XDS: reading them, and a crystal drawn from them."""

from __future__ import annotations

import json
import math
import subprocess
from pathlib import Path

import numpy as np
import pytest
from dxtbx_reader import PYTHON, _environment
from requirements import requires

from nbnumba.errors import InputError
from nbnumba.experiment.model import Experiment
from nbnumba.experiment.resolve import resolve
from nbnumba.geometry.vectors import rotate_about, vector
from nbnumba.io import matrix, xparm
from nbnumba.parameters.parser import parse
from nbnumba.render.renderer import simulate
from nbnumba.util.messages import notices_to

# An experiment in a frame whose beam runs along no axis: (1, 2, 2)/3; the detector's axes span the plane across it.
BEAM = np.array([1.0, 2.0, 2.0]) / 3
FAST = np.array([2.0, 1.0, -2.0]) / 3
SLOW = np.cross(BEAM, FAST)
WAVELENGTH = 1.1
HKL = (1, -2, 3)
N_FAST, N_SLOW, PIXEL_MM, DISTANCE_MM, ORGX, ORGY = 64, 48, 0.1, 80.0, 31.5, 29.5
TARGET = (50.5, 13.5)  # fast, slow [pixels, from the corner]


def real_axes() -> np.ndarray:
    """Rows a, b, c of a crystal that diffracts HKL into the middle of the target's pixel."""
    # XDS counts ORGX from the first pixel's center, which is 1.
    place = (TARGET[0] + 0.5 - ORGX) * PIXEL_MM * FAST + (TARGET[1] + 0.5 - ORGY) * PIXEL_MM * SLOW + DISTANCE_MM * BEAM
    wanted = (place / np.linalg.norm(place) - BEAM) / WAVELENGTH
    star = np.array([[1.0, 0.1, -0.2], [0.0, 0.8, 0.15], [0.0, 0.0, 0.6]])  # columns a*, b*, c*, in some frame
    q = star @ HKL
    star *= np.linalg.norm(wanted) / np.linalg.norm(q)
    axis = np.cross(q, wanted)
    angle = math.atan2(np.linalg.norm(axis), float(q @ wanted))
    turned = np.array([rotate_about(v, vector(axis / np.linalg.norm(axis)), angle) for v in star.T]).T
    np.testing.assert_allclose(turned @ HKL, wanted, atol=1e-12)
    return np.linalg.inv(turned)


def row(values: np.ndarray, width: int = 15, digits: int = 6) -> str:
    return "".join(f"{value:{width}.{digits}f}" for value in values)


def new_layout(head: str = " XPARM.XDS    VERSION Jan 10, 2022  BUILT=20220220", width: int = 15) -> str:
    a, b, c = real_axes()
    return "\n".join(
        [
            head,
            f"     1        0.0000    0.5000 {row(FAST, 10)}",
            f"{WAVELENGTH:15.6f}{row(BEAM / WAVELENGTH)}",
            "     1     70.0000     80.0000     90.0000  90.000  90.000  90.000",
            row(a, width),
            row(b, width),
            row(c, width),
            f"         1{N_FAST:10d}{N_SLOW:10d}{PIXEL_MM:12.6f}{PIXEL_MM:12.6f}",
            f"{ORGX:15.6f}{ORGY:15.6f}{DISTANCE_MM:15.6f}",
            row(FAST),
            row(SLOW),
            row(BEAM),
            f"         1         1{N_FAST:10d}         1{N_SLOW:10d}",
            "    0.00    0.00    0.00  1.00000  0.00000  0.00000  0.00000  1.00000  0.00000",
            "",
        ]
    )


def old_layout() -> str:
    a, b, c = real_axes()
    return "\n".join(
        [
            f"     1        0.0000    0.5000 {row(FAST, 10)}",
            f"{WAVELENGTH:15.6f}{row(BEAM / WAVELENGTH)}",
            f"{N_FAST:10d}{N_SLOW:10d}{PIXEL_MM:12.6f}{PIXEL_MM:12.6f}",
            f"{DISTANCE_MM:15.6f}{ORGX:15.6f}{ORGY:15.6f}",
            row(FAST),
            row(SLOW),
            row(BEAM),
            "     1     70.0000     80.0000     90.0000  90.000  90.000  90.000",
            row(a),
            row(b),
            row(c),
            "",
        ]
    )


LAYOUTS = {
    "new": new_layout(),
    "GXPARM": new_layout("GXPARM.XDS"),
    "touching numbers": new_layout(width=10),
    "old": old_layout(),
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_what_is_read(layout: str) -> None:
    text = LAYOUTS[layout]
    assert xparm.is_xparm(text)
    found = xparm.parse(text, "X")
    # Six decimals of lengths of up to 20 Angstrom, and of unit vectors.
    np.testing.assert_allclose(np.linalg.inv(found.reciprocal_A.T), real_axes(), atol=1e-6)
    np.testing.assert_allclose(found.beam, BEAM, atol=1e-6)
    np.testing.assert_allclose(found.spindle, FAST, atol=1e-6)
    np.testing.assert_allclose(found.detector_x, FAST, atol=1e-6)
    assert np.linalg.norm(found.beam) == pytest.approx(1, abs=1e-15)


@requires("DIALS' reader")
@pytest.mark.readers
@pytest.mark.parametrize("layout", ["new", "old"])
def test_another_reader_finds_the_same(layout: str, tmp_path: Path) -> None:
    path = tmp_path / "XPARM.XDS"
    path.write_text(LAYOUTS[layout].replace(" XPARM.XDS    VERSION Jan 10, 2022  BUILT=20220220", "XPARM.XDS"))
    program = (
        "import json, sys; from iotbx.xds import xparm; r = xparm.reader(); r.read_file(sys.argv[1]);"
        "print(json.dumps([r.unit_cell_a_axis, r.unit_cell_b_axis, r.unit_cell_c_axis, r.beam_vector, r.rotation_axis,"
        " r.detector_x_axis]))"
    )
    done = subprocess.run(
        [PYTHON, "-c", program, str(path)], capture_output=True, text=True, env=_environment(), check=True
    )
    a, b, c, beam, spindle, x = np.array(json.loads(done.stdout))
    found = xparm.parse(path.read_text(), path)
    # Both read the same digits.
    np.testing.assert_allclose(found.reciprocal_A @ np.array([a, b, c]).T, np.eye(3), atol=1e-12)
    np.testing.assert_allclose(found.beam, beam / np.linalg.norm(beam), atol=1e-15)
    np.testing.assert_allclose(found.spindle, spindle / np.linalg.norm(spindle), atol=1e-15)
    np.testing.assert_allclose(found.detector_x, x / np.linalg.norm(x), atol=1e-15)


def test_what_is_no_xparm() -> None:
    assert not xparm.is_xparm("")
    assert not xparm.is_xparm("\n\n")
    assert not xparm.is_xparm("0.01 0 0\n0 0.02 0\n0 0 0.03\n")
    assert not xparm.is_xparm("XPARM.XDSX\n")
    mosflm = "0.01 0 0\n0 0.02 0\n0 0 0.03\n0 0 0\n1 0 0\n0 1 0\n0 0 1\n78 78 37 90 90 90\n0 0 0\n"
    assert not xparm.is_xparm(mosflm)


@pytest.mark.parametrize(
    ("line", "text", "message"),
    [
        (5, None, r"^-mat X: ends after 4 lines; line 5 holds the a$"),
        (6, "1 2", r"^-mat X, line 6: '1 2' does not hold the 3 numbers of the b$"),
        (6, "1 2 three", r"^-mat X, line 6: '1 2 three' does not hold the 3 numbers of the b$"),
        (6, "1 2 nan", r"^-mat X, line 6: '1 2 nan' does not hold"),
        (6, "1 2 1e999", r"^-mat X, line 6: a number of the b is too large$"),
        (3, "1.1 0 0 0", r"^-mat X, line 3: the beam has no direction$"),
        (2, "1 0 0.5 0 0", r"^-mat X, line 2: '1 0 0.5 0 0' does not hold the 6 numbers of the spindle$"),
        (10, "0 0 0", r"^-mat X, line 10: the detector x-axis has no direction$"),
        (7, "0 0 0", r"^-mat X: the axes of the unit cell lie in one plane or are zero$"),
    ],
)
def test_what_is_wrong_in_a_file(line: int, text: str | None, message: str) -> None:
    lines = new_layout().splitlines()
    lines[line - 1 :] = [] if text is None else [text, *lines[line:]]
    with pytest.raises(InputError, match=message):
        xparm.parse("\n".join(lines), "X")


# Pictures


def draw(line: str) -> tuple[Experiment, np.ndarray, list[str]]:
    notices: list[str] = []
    with notices_to(notices.append):
        record = resolve(parse(line.split()).settings)
    return record, simulate(record, "cpu").array, notices


@pytest.fixture
def options(tmp_path: Path) -> str:
    """Options of a crystal with a single reflection, whose spot fills about a pixel."""
    path = tmp_path / "one.hkl"
    path.write_text(" ".join(map(str, HKL)) + " 100\n")
    detector = (
        f"-lambda {WAVELENGTH} -distance {DISTANCE_MM} -pixel {PIXEL_MM} -detpixels_f {N_FAST} -detpixels_s {N_SLOW}"
    )
    return f"-hkl {path} -dump {tmp_path / 'F.bin'} -N 100 -oversample 1 -nopolar {detector}"


def brightest(array: np.ndarray) -> tuple[float, float]:
    slow, fast = np.unravel_index(np.argmax(array), array.shape)
    return fast + 0.5, slow + 0.5


CENTER = f"-beam_center_fast {(ORGX - 0.5) * PIXEL_MM} -beam_center_slow {(ORGY - 0.5) * PIXEL_MM}"


@pytest.mark.parametrize("layout", ["new", "old"])
@pytest.mark.parametrize(
    "convention",
    [
        CENTER,
        f"-denzo {CENTER}",
        f"-xds -ORGX {ORGX} -ORGY {ORGY}",
        f"-dials -ORGX {ORGX} -ORGY {ORGY}",
        "-beam_vector 0 1 0 -fdet_vector 0.6 0 0.8 -sdet_vector 0.8 0 -0.6 -odet_vector 0 1 0 -polar_vector 1 0 0 "
        + CENTER,
    ],
)
def test_reflection_falls_where_it_was_seen(convention: str, layout: str, options: str, tmp_path: Path) -> None:
    path = tmp_path / "XPARM.XDS"
    path.write_text(LAYOUTS[layout])
    record, array, notices = draw(f"-mat {path} {convention} {options}")
    assert brightest(array) == pytest.approx(TARGET, abs=0.01)
    assert array.max() > 100 * np.median(array)
    assert notices == []
    # Six decimals of axes of at least 8 Angstrom, by which the spot moves much less than a pixel.
    np.testing.assert_allclose(record.crystal.lengths_A, np.linalg.norm(real_axes(), axis=1), rtol=1e-6)


def test_beside_an_expt_the_detectors_x_axis_is_its_fast_axis(options: str, tmp_path: Path) -> None:
    path = tmp_path / "XPARM.XDS"
    path.write_text(new_layout())
    # The same detector in the frame of DIALS, turned about the beam: fast along y.
    panel = {
        "fast_axis": [0, 1, 0],
        "slow_axis": [1, 0, 0],
        "origin": [-(ORGY - 0.5) * PIXEL_MM, -(ORGX - 0.5) * PIXEL_MM, -DISTANCE_MM],
        "image_size": [N_FAST, N_SLOW],
        "pixel_size": [PIXEL_MM, PIXEL_MM],
    }
    content = {
        "__id__": "ExperimentList",
        "experiment": [{"beam": 0, "detector": 0}],
        "beam": [{"direction": [0, 0, 1], "wavelength": WAVELENGTH}],
        "detector": [{"panels": [panel]}],
    }
    expt = tmp_path / "a.expt"
    expt.write_text(json.dumps(content))
    kept = options.partition(" -lambda")[0]
    _, array, _ = draw(f"-expt {expt} -mat {path} {kept}")
    assert brightest(array) == pytest.approx(TARGET, abs=0.01)


def test_the_wavelength_does_not_scale_the_crystal(tmp_path: Path) -> None:
    path = tmp_path / "XPARM.XDS"
    path.write_text(new_layout())
    lengths = [
        resolve(parse(f"-mat {path} -default_F 1 -lambda {w} -detpixels 8".split()).settings).crystal.lengths_A
        for w in (1, 2)
    ]
    np.testing.assert_array_equal(*lengths)


def test_notice_of_a_spindle_that_lies_elsewhere(tmp_path: Path) -> None:
    path = tmp_path / "XPARM.XDS"
    lines = new_layout().splitlines()
    path.write_text("\n".join(lines))
    line = f"-mat {path} -default_F 1 -N 1 -detpixels 8 -oversample 1 -phi 3"
    assert not [told for told in draw(line)[2] if "turned about" in told]
    lines[1] = f"     1        0.0000    0.5000 {row(SLOW, 10)}"
    path.write_text("\n".join(lines))
    # MOSFLM's slow axis is -y.
    (told,) = [told for told in draw(line)[2] if "turned about" in told]
    assert told.startswith(f"-mat {path}: its crystal turned about ")
    assert told.endswith(", as it lies here; the spindle is 0 0 1")
    axis = list(map(float, told.partition("about ")[2].partition(",")[0].split()))
    np.testing.assert_allclose(axis, [0, -1, 0], atol=2e-3)


def test_matrices_of_mosflm_are_read_as_before(tmp_path: Path) -> None:
    path = tmp_path / "a.mat"
    path.write_text("0.01 0 0\n0 0.02 0\n0 0 0.03\n")
    record = resolve(parse(f"-mat {path} -lambda 2 -default_F 1 -xds".split()).settings)
    np.testing.assert_array_equal(matrix.read(path).T * (1e-10 / 2e-10), np.diag([0.005, 0.01, 0.015]))
    np.testing.assert_allclose(record.crystal.reciprocal_A, np.diag([0.005, 0.01, 0.015]), rtol=1e-15)
