"""Rotation series: files, truth, what varies, resuming."""

from __future__ import annotations

import csv
import json
import math
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import fabio
import h5py
import hdf5plugin  # noqa: F401  # registers the filters of the images
import msgspec
import numpy as np
import pytest

import nbnumba
from nbnumba import cli
from nbnumba.batch.series_spec import read_series
from nbnumba.experiment.rocking import needed_phi_steps
from nbnumba.imagefiles import nexus_read, spots
from nbnumba.io import cbf
from nbnumba.io.smv import read as read_smv
from nbnumba.parameters.command import CommandLine
from nbnumba.readout.poisson import poisson_image_counter

pytestmark = pytest.mark.command_line

COMMAND = (
    "-cell 50 60 70 -misset 10 20 30 -default_F 200 -N 8 -detpixels 32 -pixel 2 -distance 100 -oversample 1 "
    "-nointerpolate -fluence 1e24"
)
SCAN = "phi0_deg = 5\nosc_deg = 0.5\nimages = 5\n"


def spec(
    folder: Path, series: str = SCAN, vary: str = "", name: str = "s.toml", command: str = COMMAND, **top: object
) -> str:
    lines: dict[str, object] = {"command": command, "seed": 7, "images_per_file": 2, "backend": "cpu"} | top
    text = "".join(f"{key} = {str(v).lower() if isinstance(v, bool) else repr(v)}\n" for key, v in lines.items())
    head = "" if series.startswith("[[") else "[series]\n"
    path = folder / name
    path.write_text(f"{text}{head}{series}\n" + (f"[vary]\n{vary}\n" if vary else ""))
    return str(path)


def series(*words: str | Path) -> int:
    return cli.main(["series", *map(str, words)])


def images(path: Path) -> np.ndarray:
    with h5py.File(path) as file:
        return np.asarray(file["/entry/data/data"][()])


def rows(folder: Path) -> list[dict[str, str]]:
    with (folder / "labels.csv").open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a finished series, which tests leave as it is."""
    folder = tmp_path_factory.mktemp("series")
    assert series(spec(folder), "-o", folder / "out") == 0
    return folder / "out"


def test_one_scan_axis_over_all_images(done: Path) -> None:
    names = {path.name for path in done.iterdir()}
    assert names >= {"series_0000.h5", "series_0002.h5", "series_master.h5", "XDS.INP", "series.expt", "labels.csv"}
    with h5py.File(done / "series_master.h5") as file:
        assert file["/entry/data/data"].shape == (5, 32, 32)
        omega = file["/entry/sample/transformations/omega"]
        np.testing.assert_allclose(omega[()], [5.0, 5.5, 6.0, 6.5, 7.0], atol=1e-12)  # rounding of radians
        assert file["/entry/sample/depends_on"].asstr()[()].endswith("omega")
        commands = file["/entry/ground_truth/command"].asstr()[()]
    # The command of an image draws it without its noise; the noise counts the images.
    for number in (0, 3):
        image = nbnumba.simulate(nbnumba.Experiment.from_command(commands[number]), "cpu")
        expected = poisson_image_counter(image.array, 7, 0.0, image_number=number, dtype="int32").counts
        np.testing.assert_array_equal(images(done / "series_master.h5")[number], expected)


def test_the_steps_are_chosen_and_told(done: Path) -> None:
    commands = rows(done)
    base = nbnumba.Experiment.from_command(f"{COMMAND} -semantics exact -osc 0.5 -phisteps 1")
    steps, width = needed_phi_steps(base, math.radians(0.5))
    assert steps > 1
    log = (done / "batch.log").read_text()
    assert f"{steps} phi steps an image (from rocking curves of {math.degrees(width):.3g} deg)" in log
    assert [float(row["phi_deg"]) for row in commands] == [5.0, 5.5, 6.0, 6.5, 7.0]


def test_chosen_steps_come_close_to_many() -> None:
    rng = np.random.default_rng(1)
    hkl = np.array(
        [(h, k, l, rng.exponential(100)) for h in range(-20, 21) for k in range(-24, 25) for l in range(-28, 29)]
    )
    for shape in ("square", "round", "gauss_abc"):
        one = nbnumba.Experiment(
            cell=(50, 60, 70), misset_deg=(10, 20, 30), hkl=hkl, N=8, detpixels=150, pixel_mm=0.6, distance_mm=100,
            oversample=1, interpolate=False, shape=shape, phi_deg=5, osc_deg=0.5, phisteps=1,
        )  # fmt: skip
        steps, _ = needed_phi_steps(one, math.radians(0.5))
        few, many = (
            nbnumba.simulate(one.replace(phisteps=count), "cpu").array.astype(float) for count in (steps, 20 * steps)
        )
        assert abs(few - many).sum() / many.sum() < 0.02


def test_the_truth_for_dials_and_xds(done: Path) -> None:
    truth = json.loads((done / "series.expt").read_text())
    assert truth["scan"][0]["image_range"] == [1, 5]
    with h5py.File(done / "series_master.h5") as file:
        A = file["/entry/ground_truth/A_matrix_imgcif"][0]
        axis = file["/entry/sample/transformations/omega"].attrs["vector"]
    crystal = truth["crystal"][0]
    real = np.array([crystal[f"real_space_{name}"] for name in "abc"])
    np.testing.assert_allclose(real @ A, np.eye(3), atol=1e-12)  # rounding of an inverse
    np.testing.assert_allclose(
        truth["goniometer"][0]["rotation_axis"], np.array([-1.0, 1.0, -1.0]) * axis, atol=1e-12
    )  # rounding of a product of rotations
    xds = (done / "XDS.INP").read_text()
    assert "DATA_RANGE= 1 5" in xds
    assert "STARTING_ANGLE= 5 STARTING_FRAME= 1" in xds
    assert "OSCILLATION_RANGE= 0.5" in xds


def frame_pixels(path: Path) -> np.ndarray:
    return fabio.open(path).data if path.suffix == ".cbf" else read_smv(path).data.astype(int) - 40


@pytest.mark.parametrize("form", ["cbf", "img"])
def test_a_file_for_each_image(form: str, done: Path, tmp_path: Path) -> None:
    source = spec(tmp_path, f'{SCAN}format = "{form}"\nname = "lyso"\n')
    out = tmp_path / "out"
    assert series(source, "-o", out) == 0
    first = {path.name: path.read_bytes() for path in out.glob(f"*.{form}")}
    assert sorted(first) == [f"lyso_{number + 1:04d}.{form}" for number in range(5)]
    assert [row["file"] for row in rows(out)] == sorted(first)
    for number, name in enumerate(sorted(first)):
        if form == "cbf":
            assert f"Start_angle {5 + 0.5 * number:g} deg".encode() in first[name]
        np.testing.assert_array_equal(frame_pixels(out / name), images(done / "series_master.h5")[number])
    assert f"lyso_????.{form}" in (out / "XDS.INP").read_text()
    # The pixels are kept once; what else is known is what an NXmx file knows.
    assert sorted(path.name for path in out.glob("*.h5")) == [f"lyso_truth_000{number}.h5" for number in range(3)]
    with h5py.File(out / "lyso_truth_0000.h5") as file, h5py.File(done / "series_0000.h5") as other:
        assert set(file) == {"entry", "frames", "labels"}
        for name in ("A_matrix_imgcif", "beam_direction", "phi_deg", "noise_number"):
            np.testing.assert_array_equal(file["/entry/ground_truth"][name], other["/entry/ground_truth"][name])
    # What is lost or damaged is found, and made again, to the byte.
    (out / f"lyso_0002.{form}").write_bytes(b"damaged")
    (out / f"lyso_0005.{form}").unlink()
    assert series(out, "--verify") == 1
    untouched = (out / f"lyso_0003.{form}").stat().st_mtime_ns
    assert series(source, "-o", out, "--resume") == 0
    assert series(out, "--verify") == 0
    assert first == {path.name: path.read_bytes() for path in out.glob(f"*.{form}")}
    assert (out / f"lyso_0003.{form}").stat().st_mtime_ns == untouched
    # So is a damaged list of what is known.
    damaged = bytearray((out / "lyso_truth_0001.h5").read_bytes())
    damaged[len(damaged) // 2] ^= 1
    (out / "lyso_truth_0001.h5").write_bytes(damaged)
    assert series(out, "--verify") == 1
    assert series(source, "-o", out, "--resume") == 0
    assert series(out, "--verify") == 0


def test_a_beam_that_moves_is_one_rotation(tmp_path: Path) -> None:
    """All files state the beam of the command; the truth tells that of each image."""
    vary = "beam_tilt_fast_mrad = { linear = [1, 0.5] }\nenergy_ev = { linear = [12400, 1] }\n"
    for form in ("h5", "cbf"):
        assert series(spec(tmp_path, f'{SCAN}format = "{form}"\n', vary), "-o", tmp_path / form) == 0
    tilts = 1e-3 * (1 + 0.5 * np.arange(5))
    with h5py.File(tmp_path / "h5" / "series_master.h5") as file:
        np.testing.assert_array_equal(file["/entry/sample/transformations/omega"].attrs["vector"], [1.0, 0.0, 0.0])
        directions = file["/entry/ground_truth/beam_direction"][()]
        A = file["/entry/ground_truth/A_matrix_imgcif"][()]
    expected = np.transpose([np.sin(tilts), np.zeros(5), np.cos(tilts)])
    np.testing.assert_allclose(directions, expected, atol=1e-15)  # rounding of sines
    np.testing.assert_allclose(A, A[:1].repeat(5, axis=0), atol=1e-15)  # the crystal stays; rounding of an inverse
    for number, record in enumerate(nexus_read.read(str(tmp_path / "h5" / "series_master.h5"), CommandLine())):
        np.testing.assert_allclose(record.geometry.beam.direction, expected[number], atol=1e-15)
        np.testing.assert_allclose(record.geometry.goniometer.spindle, [1.0, 0.0, 0.0], atol=1e-15)
    xds = [(tmp_path / form / "XDS.INP").read_text() for form in ("h5", "cbf")]
    for text in xds:
        for line in ("INCIDENT_BEAM_DIRECTION= 0.0", "DIRECTION_OF_DETECTOR_X-AXIS= 1.0", "ROTATION_AXIS= 1.0"):
            assert line in text
    for form in ("h5", "cbf"):
        (beam,) = json.loads((tmp_path / form / "series.expt").read_text())["beam"]
        assert beam["direction"] == [0.0, 0.0, 1.0]
        s0 = np.array(beam["s0_at_scan_points"])
        middles = 0.5 * (tilts[1:] + tilts[:-1])
        points = np.array([tilts[0], *middles, tilts[-1]])
        # The mean of two vectors of different lengths is a little off the middle of the angles.
        np.testing.assert_allclose(np.abs(s0[:, 0] / s0[:, 2]), np.tan(points), atol=1e-7)
        energies = 12398.42 * np.linalg.norm(s0, axis=1)
        np.testing.assert_allclose(energies, [12400, 12400.5, 12401.5, 12402.5, 12403.5, 12404], rtol=1e-7)
    frames = [cbf.read_header(path) for path in sorted((tmp_path / "cbf").glob("*.cbf"))]
    assert {(each.beam_fast, each.beam_slow, each.wavelength) for each in frames} == {(17.0, 17.0, 1e-10)}


def test_what_varies_with_the_number_of_the_image(tmp_path: Path) -> None:
    vary = (
        "fluence_factor = { decay = [1.0, 0.1] }\nB_factor_A2 = { linear = [0, 0.5] }\n"
        "cell_expansion_percent = { linear = [0, 0.1] }\nturn_x_deg = { linear = [0, 0.2] }\ncsv = 'jitter.csv'\n"
    )
    (tmp_path / "jitter.csv").write_text("energy_ev\n12000\n12010\n11990\n12005\n12000\n")
    out = tmp_path / "out"
    assert series(spec(tmp_path, vary=vary), "-o", out) == 0
    found = rows(out)
    assert [float(row["B_factor_A2"]) for row in found] == [0.0, 0.5, 1.0, 1.5, 2.0]
    np.testing.assert_allclose([float(row["fluence_factor"]) for row in found], 0.9 ** np.arange(5), rtol=1e-12)
    lengths = np.array([float(row["cell_a"]) for row in found])
    np.testing.assert_allclose(lengths, 50 * (1 + 0.001 * np.arange(5)), rtol=1e-9)  # rounding of an inverse
    with h5py.File(out / "series_master.h5") as file:
        truth = file["/entry/ground_truth"]
        np.testing.assert_allclose(truth["fluence"][()], 1e24 * 0.9 ** np.arange(5), rtol=1e-12)
        assert "omega" in file["/entry/sample/transformations"]  # one scan although the crystal changes
        A = truth["A_matrix"][()]
        energies = 12398.42e-10 / truth["wavelength"][()]
    np.testing.assert_allclose(energies, [12000, 12010, 11990, 12005, 12000], rtol=1e-12)
    # Turned about x by 0.8 degrees in the last image, apart from the expansion.
    turn = A[4] @ np.linalg.inv(A[0]) * 1.004
    angle = math.degrees(math.acos((np.trace(turn) - 1) / 2))
    assert angle == pytest.approx(0.8, abs=1e-4)  # arc cosine near 1
    points = json.loads((out / "series.expt").read_text())["crystal"][0]["A_at_scan_points"]
    assert len(points) == 6


def test_the_spots_of_all_images(tmp_path: Path) -> None:
    out = tmp_path / "out"
    source = spec(tmp_path, spots=True, noise=False, dtype="float32")
    assert series(source, "-o", out) == 0
    with h5py.File(out / "spots.h5") as file:
        table = spots.read_from(file)
    photons = np.bincount(table["image"], table["photons"])
    np.testing.assert_allclose(photons, images(out / "series_master.h5").sum(axis=(1, 2), dtype=float), rtol=1e-9)
    # In images, spots lie where their number and phi say; 5 degrees is the start, half a degree an image.
    np.testing.assert_allclose(table["z_images"], (table["phi_deg"] - 5.0) / 0.5, atol=1e-9)
    assert series(out, "--verify") == 0
    (out / "spots.h5").unlink()
    assert series(out, "--verify") == 1
    assert series(source, "-o", out, "--resume") == 0
    with h5py.File(out / "spots.h5") as file:
        np.testing.assert_array_equal(spots.read_from(file)["photons"], table["photons"])


def test_several_sweeps(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sweeps = (
        "[[series]]\nosc_deg = 1\nimages = 2\n"
        '[[series]]\nname = "turned"\nphi0_deg = 90\nosc_deg = -1\nimages = 3\noptions = "-misset 40 50 60"\n'
        "vary = { crystals = 2, split_deg = 0.5, csv = 'blank.csv' }\n"
    )
    (tmp_path / "blank.csv").write_text("hit\n1\n0\n1\n")
    out = tmp_path / "out"
    source = spec(tmp_path, sweeps, spots="refl")
    assert series(source, "-o", out) == 0
    assert images(out / "sweep_01" / "sweep_01_master.h5").shape == (2, 32, 32)
    with h5py.File(out / "turned" / "turned_master.h5") as file:
        omega = file["/entry/sample/transformations/omega"]
        np.testing.assert_allclose(omega[()], [-90.0, -89.0, -88.0], atol=1e-12)  # about the opposite axis
    # Both crystals are in the truth, and their spots in the table, but for the blank image.
    truth = json.loads((out / "turned" / "turned.expt").read_text())
    assert [experiment["crystal"] for experiment in truth["experiment"]] == [0, 1]
    _, _, table = msgspec.msgpack.decode((out / "turned" / "spots.refl").read_bytes())
    columns = {name: np.frombuffer(table["data"][name][1][1], dtype="<i4") for name in ("id", "image")}
    assert {*zip(columns["id"].tolist(), columns["image"].tolist(), strict=True)} == {(0, 0), (1, 0), (0, 2), (1, 2)}
    assert series(out, "--verify") == 0
    (out / "turned" / "spots.refl").write_bytes(b"damaged")
    assert series(out, "--verify") == 1
    assert series(source, "-o", out, "--resume") == 0
    seeds = {row["seed"] for name in ("sweep_01", "turned") for row in rows(out / name)}
    assert seeds == {"7", "8"}
    capsys.readouterr()
    assert series(source, "-o", out, "--resume") == 0
    assert capsys.readouterr().err.count("complete already") == 2


def test_a_series_goes_on_after_a_loss(done: Path, tmp_path: Path) -> None:
    source = spec(tmp_path)
    out = tmp_path / "out"
    assert series(source, "-o", out) == 0
    (out / "series_0001.h5").unlink()
    assert series(source, "-o", out, "--resume") == 0
    np.testing.assert_array_equal(images(out / "series_master.h5"), images(done / "series_master.h5"))


def program(*words: str | Path, limit: int | None = None) -> subprocess.Popen[bytes]:
    def prepare() -> None:
        if limit is not None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)

    return subprocess.Popen(
        [sys.executable, "-m", "nbnumba", "series", *map(str, words)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        preexec_fn=prepare,
    )


@pytest.fixture(scope="module")
def long(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path]:
    """Return a SPEC of a series with a file for each image, and the folder in which nothing has disturbed it."""
    folder = tmp_path_factory.mktemp("long")
    source = spec(folder, 'osc_deg = 0.5\nimages = 24\nformat = "cbf"\n', images_per_file=3)
    assert series(source, "-o", folder / "out") == 0
    return source, folder / "out"


def assert_same_images(one: Path, other: Path) -> None:
    assert sorted(path.name for path in one.iterdir()) == sorted(path.name for path in other.iterdir())
    for number in range(1, 25):
        name = f"series_{number:04d}.cbf"
        assert (other / name).read_bytes() == (one / name).read_bytes()
    assert (other / "labels.csv").read_text() == (one / "labels.csv").read_text()
    for name in ("XDS.INP", "series.expt"):
        assert (other / name).read_text() == (one / name).read_text()


def test_a_killed_series_goes_on(long: tuple[str, Path], tmp_path: Path) -> None:
    source, undisturbed = long
    out = tmp_path / "out"
    running = program(source, "-o", out)
    end = time.monotonic() + 300
    while not (out / "series_truth_0001.h5").exists():
        assert running.poll() is None
        assert time.monotonic() < end
        time.sleep(0.01)
    running.kill()
    running.communicate()
    assert running.returncode == -signal.SIGKILL
    assert not (out / "labels.csv").exists()
    assert series(source, "-o", out, "--resume") == 0
    assert_same_images(undisturbed, out)


def test_a_series_on_a_full_disk_goes_on(long: tuple[str, Path], tmp_path: Path) -> None:
    """By a limit of the size of files that the images pass and the files of what is known do not."""
    source, undisturbed = long
    out = tmp_path / "out"
    running = program(source, "-o", out, limit=(undisturbed / "series_truth_0000.h5").stat().st_size - 1000)
    _, errors = running.communicate(timeout=300)
    assert running.returncode == 3
    assert errors.decode().splitlines()[-1].startswith("nbnumba: error: ")
    assert not [path for path in out.iterdir() if path.suffix == ".h5" or path.name.startswith(".nbnumba-")]
    assert series(source, "-o", out, "--resume") == 0
    assert_same_images(undisturbed, out)


def test_the_dry_run_and_python(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = spec(tmp_path)
    assert series(source, "--dry-run") == 0
    assert "sampled in the middle of each" in capsys.readouterr().out
    nbnumba.series(source, tmp_path / "out", threads=1)
    assert len(rows(tmp_path / "out")) == 5
    with pytest.raises(nbnumba.InputError, match="holds a batch already"):
        nbnumba.series(source, tmp_path / "out")


@pytest.mark.parametrize(
    ("scan", "top", "vary", "expected"),
    [
        ("images = 3", {}, "", "osc_deg is missing"),
        ("osc_deg = 1", {}, "", "images is missing"),
        ("osc_deg = 0\nimages = 3", {}, "", r"osc_deg: 0; allowed: a number other than 0"),
        ("osc_deg = nan\nimages = 3", {}, "", r"osc_deg: nan; allowed"),
        ("osc_deg = 1\nimages = 0", {}, "", r"images: 0; allowed: a whole number from 1"),
        ('osc_deg = 1\nimages = 2\nformat = "tif"', {}, "", r"format: 'tif'; allowed: h5, cbf, img"),
        ('osc_deg = 1\nimages = 2\nname = "../up"', {}, "", r"name: .*; allowed: a name of letters"),
        ("osc_deg = 1\nimages = 2\nwidth = 3", {}, "", r"width: unknown key"),
        ('osc_deg = 1\nimages = 2\nformat = "cbf"', {"dtype": "uint16"}, "", r"dtype: uint16 does not go with"),
        (
            'osc_deg = 1\nimages = 2\nformat = "cbf"',
            {"dtype": "float32"},
            "",
            r"float32: a file of format cbf holds whole",
        ),
        ("osc_deg = -1\nimages = 2", {"semantics": "c"}, "", r"with semantics c a negative range"),
        (SCAN, {"command": f"{COMMAND} -phi 3"}, "", r"-phi cannot stand here; the key phi0_deg"),
        (SCAN, {"command": f"{COMMAND} -misset random"}, "", r"-misset random needs -misset_seed"),
        (SCAN, {}, 'orientation = "random"', r"orientation: cannot stand here: all images"),
        (SCAN, {}, "phi_deg = 3", r"phi_deg: cannot stand here; the key phi0_deg"),
        (SCAN, {}, "fluence = { linear = [1e24, -4e23] }", r"image 4: fluence = .* gives -6e\+23"),
        (SCAN, {}, "fluence_factor = { decay = [1, 2] }", r"decay: a share of 2; it must lie from 0 to 1"),
        (SCAN, {"count": 3}, "", r"count: unknown key"),
        (SCAN, {"spots": "csv"}, "", r'spots: .csv.; allowed: true, false, "h5", "parquet" or "refl"'),
    ],
)
def test_mistakes(scan: str, top: dict[str, object], vary: str, expected: str, tmp_path: Path) -> None:
    source = spec(tmp_path, scan, vary, **top)
    with pytest.raises(nbnumba.InputError, match=expected):
        nbnumba.series(source, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_headers_that_cannot_tell_the_spindle(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Said once, with the files that do."""
    source = spec(tmp_path, f'{SCAN}format = "cbf"\noptions = "-spindle_axis 0 1 1"\n')
    assert series(source, "--dry-run") == 0
    (said,) = [line for line in capsys.readouterr().err.splitlines() if "cannot tell the spindle axis" in line]
    assert said.endswith("XDS.INP and series.expt tell it")


def test_a_batch_is_no_series(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "b.toml"
    path.write_text(f'command = "{COMMAND}"\ncount = 2\n')
    assert series(path, "-o", tmp_path / "out") == 2
    assert "unknown key" in capsys.readouterr().err
    path.write_text(f'command = "{COMMAND}"\n')
    with pytest.raises(nbnumba.InputError, match=r"series is missing; it takes a line \[series\]"):
        read_series(str(path))
