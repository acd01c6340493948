"""Noise that is drawn on stored images is what a batch with noise draws."""

from __future__ import annotations

import csv
import hashlib
import json
import resource
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import h5py
import hdf5plugin  # noqa: F401  # registers the filters of the images
import numpy as np
import pytest

from nbnumba.cli import main
from nbnumba.imagefiles import nexus_read
from nbnumba.io.nexus.checksums import check
from nbnumba.parameters.command import CommandLine

COMMAND = (
    "-cell 50 60 70 90 95 90 -default_F 100 -detpixels_f 24 -detpixels_s 20 -pixel 1 -distance 60 -lambda 3 -N 4 "
    "-fluence 1e24 -shape gauss -water 0.05"
)
TERMS = (
    "-psf gauss -psf_fwhm 900 -flicker 0.2 -calibration 0.1 -gain 1.7 -dark_current 3 -readout_noise 2 -dead_pixels 4 "
    "-hot_pixels 3 -saturation 900"
)
VARY = 'orientation = "random"\nhit_rate = 0.8\nfluence_factor = { uniform = [0.5, 2] }\n'
NO_DRAW = {"/entry/start_time", "/entry/end_time_estimated"}


def batch(folder: Path, name: str, *, noise: bool, command: str = COMMAND, vary: str = VARY, **top: object) -> Path:
    lines: dict[str, Any] = {"count": 5, "seed": 11, "images_per_file": 3, **top}
    lines["dtype"] = lines.get("dtype", "uint16") if noise else "float32"
    text = "".join(f"{key} = {value!r}\n" for key, value in lines.items())
    spec = folder / f"{name}.toml"
    spec.write_text(f'command = "{command}"\nnoise = {str(noise).lower()}\n{text}[vary]\n{vary}')
    assert main(["batch", str(spec), "-o", str(folder / name)]) == 0
    return folder / name


@pytest.fixture(scope="module")
def dark(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A batch without noise and without terms of a readout."""
    return batch(tmp_path_factory.mktemp("stored"), "dark", noise=False)


def contents(path: Path) -> dict[str, Any]:
    """All datasets of a file, but for the times at which it was written and the name of the batch."""
    found: dict[str, Any] = {}

    def add(name: str, item: Any) -> None:
        if isinstance(item, h5py.Dataset) and f"/{name}" not in NO_DRAW:
            found[name] = item.asstr()[()] if h5py.check_string_dtype(item.dtype) else item[()]
            found[f"{name} attributes"] = dict(item.attrs)

    with h5py.File(path) as file:
        file.visititems(add)
        found["columns"] = file["labels"].attrs["columns"]
    return found


def assert_same(one: Path, other: Path, *, but: tuple[str, ...] = ()) -> None:
    a, b = contents(one), contents(other)
    assert a.keys() == b.keys()
    for name, value in a.items():
        if name.removesuffix(" attributes") not in but:
            np.testing.assert_equal(b[name], value, err_msg=name)


@pytest.mark.parametrize(("rng", "terms"), [("counter", TERMS), ("counter", ""), ("c", "")])
def test_the_same_as_drawn_at_once(rng: str, terms: str, dark: Path, tmp_path: Path) -> None:
    at_once = batch(tmp_path, "once", noise=True, command=f"{COMMAND} {terms}", noise_rng=rng)
    words = [*terms.split(), "-noise_rng", rng, "-quiet"]
    assert main(["noise", str(dark), "-o", str(tmp_path / "later"), *words]) == 0
    # The command of a rendering, and where its options stand in it, is another one.
    for name in ("shots_0000.h5", "shots_0001.h5"):
        assert_same(at_once / name, tmp_path / "later" / name, but=("entry/ground_truth/command",))
        assert check(tmp_path / "later" / name, images=True)
    assert (at_once / "labels.csv").read_text() == (tmp_path / "later" / "labels.csv").read_text()
    with h5py.File(at_once / "shots.h5") as one, h5py.File(tmp_path / "later" / "shots.h5") as other:
        assert len(other["/entry/data/data"]) == 5
        np.testing.assert_array_equal(other["/entry/data/data"][()], one["/entry/data/data"][()])


def test_terms_of_the_rendering_are_kept_and_may_be_replaced(tmp_path: Path) -> None:
    vary = "gain = { uniform = [1, 2] }\n"
    stored = batch(tmp_path, "dark", noise=False, command=f"{COMMAND} -readout_noise 2", vary=vary, images_per_file=5)
    kept = batch(tmp_path, "kept", noise=True, command=f"{COMMAND} -readout_noise 2", vary=vary, images_per_file=5)
    other = batch(tmp_path, "other", noise=True, command=f"{COMMAND} -readout_noise 9", vary=vary, images_per_file=5)
    for words, expected in (([], kept), (["-readout_noise", "9"], other)):
        target = tmp_path / "noisy.h5"
        assert main(["noise", str(stored / "shots_0000.h5"), "-o", str(target), *words]) == 0
        assert_same(expected / "shots_0000.h5", target, but=("entry/ground_truth/command",))


def test_several_panels(tmp_path: Path) -> None:
    panels = [
        {
            "fast_axis": [1, 0, 0],
            "slow_axis": [0, -1, 0],
            "origin": [-10, top, -60],
            "image_size": [20, 12],
            "pixel_size": [1, 1],
        }
        for top in (13.0, -1.0)
    ]
    parts = {"beam": [{"direction": [0, 0, 1], "wavelength": 3.0}], "detector": [{"panels": panels}]}
    listed = {"__id__": "ExperimentList", "experiment": [{"beam": 0, "detector": 0}], **parts}
    (tmp_path / "a.expt").write_text(json.dumps(listed))
    command = "-expt a.expt -cell 50 60 70 90 95 90 -default_F 100 -N 4 -fluence 1e26 -shape gauss -water 0.05"
    terms = "-psf gauss -psf_fwhm 900 -calibration 0.1 -gain 1.7 -readout_noise 2 -saturation 900"
    stored = batch(tmp_path, "dark", noise=False, command=command)
    at_once = batch(tmp_path, "once", noise=True, command=f"{command} {terms}")
    assert main(["noise", str(stored), "-o", str(tmp_path / "later"), *terms.split(), "-quiet"]) == 0
    for name in ("shots_0000.h5", "shots_0001.h5"):
        assert_same(at_once / name, tmp_path / "later" / name, but=("entry/ground_truth/command",))
    with h5py.File(tmp_path / "later" / "shots.h5") as file:
        assert file["/entry/data/data"].shape == (5, 24, 20)
        assert np.ptp(file["/entry/data/data"][()]) > 10


def test_a_master_and_another_seed(dark: Path, tmp_path: Path) -> None:
    seeds = {}
    for seed in ("11", "12"):
        target = tmp_path / f"{seed}.h5"
        words = ["-seed", seed, "-dtype", "int32"]
        assert main(["noise", str(dark / "shots.h5"), "-o", str(target), *words]) == 0
        with h5py.File(target) as file:
            assert file["/entry/data/data"].shape == (5, 20, 24)
            assert file["/entry/data/data"].dtype == np.int32
            assert not file["/entry/data/data"].is_virtual
            seeds[seed] = file["/entry/data/data"][()]
            with (dark / "labels.csv").open() as table:
                rows = list(csv.DictReader(table))
            assert [row["hit"] for row in rows] == [str(hit) for hit in file["labels/hit"][()]]
            np.testing.assert_array_equal(file["labels/total_photons"][()], seeds[seed].sum(axis=(1, 2)))
            assert set(file["labels/noise_seed"][()]) == {int(seed)}
    assert np.any(seeds["11"] != seeds["12"])


@pytest.mark.parametrize(
    ("words", "status", "message"),
    [
        (["FILE"], 2, "noise: needs -o, the file or the folder to write"),
        (["FILE", "-o", "x.cbf"], 2, "-o x.cbf: "),
        (["FILE", "-o", "FILE"], 2, "-o"),
        (["FILE", "-o", "x.h5", "-dtype", "int8"], 2, "-dtype int8: allowed: float32, int32, uint16"),
        (["FILE", "-o", "x.h5", "-gain", "-1"], 2, "-gain: '-1' is out of range"),
        (["FILE", "-o", "x.h5", "-detector", "eiger9m"], 2, "has 24 x 20 pixels, -detector eiger9m has others"),
        (["FILE", "-o", "x.h5", "-psf", "cone"], 2, "-psf"),
        (["none.h5", "-o", "x.h5"], 3, "none.h5: cannot be read: no such file"),
        (["EMPTY", "-o", "x"], 2, "empty: holds no batch"),
        (["FOLDER", "-o", "FOLDER"], 2, "-o"),
        (["FOLDER", "-o", "no/where"], 3, "the folder cannot be made"),
        (["FOLDER", "-o", "x" * 256], 3, "the folder cannot be made: file name too long"),
        (["x" * 253 + ".h5", "-o", "x.h5"], 3, "cannot be read: file name too long"),
        (["float.bin", "-o", "x.h5"], 2, "-o: goes with an .h5 file or a folder"),
        (["NOISY", "-o", "x.h5"], 2, "its images have noise already"),
        (["text.h5", "-o", "x.h5"], 2, "text.h5"),
    ],
)
def test_mistakes(
    words: list[str],
    status: int,
    message: str,
    dark: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    (tmp_path / "text.h5").write_text("no HDF5")
    (tmp_path / "float.bin").write_bytes(bytes(24 * 20 * 4))
    if "NOISY" in words:
        assert main(["noise", str(dark / "shots.h5"), "-o", "noisy.h5"]) == 0
    places = {"FILE": str(dark / "shots_0000.h5"), "FOLDER": str(dark), "EMPTY": "empty", "NOISY": "noisy.h5"}
    before = sorted(path.name for path in tmp_path.iterdir())
    assert main(["noise", *(places.get(word, word) for word in words)]) == status
    lines = capsys.readouterr().err.splitlines()
    assert message in lines[-1]
    assert lines[-1].startswith("nbnumba: error: ")
    assert sorted(path.name for path in tmp_path.iterdir()) == before


def test_a_full_disk_leaves_nothing(dark: Path, tmp_path: Path) -> None:
    """By a limit of the size of files, which the system answers as it does for a full disk."""

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (4000, 4000))
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)

    before = hashlib.sha256((dark / "shots_0000.h5").read_bytes()).digest()
    for source, target in ((dark, "later"), (dark / "shots_0000.h5", "later.h5")):
        done = subprocess.run(
            [sys.executable, "-m", "nbnumba", "noise", str(source), "-o", str(tmp_path / target)],
            capture_output=True,
            text=True,
            check=False,
            preexec_fn=limit,
        )
        assert done.returncode == 3, done.stderr
        assert done.stderr.startswith("nbnumba: error: ")
        assert list(tmp_path.iterdir()) == []
    assert hashlib.sha256((dark / "shots_0000.h5").read_bytes()).digest() == before


SERIES = """command = "-cell 50 60 70 -misset 10 20 30 -default_F 200 -N 8 -detpixels_f 24 -detpixels_s 20 -pixel 2
 -distance 100 -oversample 1 -fluence 1e24 -detector_thick 450 -detector_abs 3000 -exposure 0.1 -polar 0.9 TERMS"
seed = 7
images_per_file = 2
backend = "cpu"
spots = true
noise = NOISE
[[series]]
phi0_deg = 5
osc_deg = 0.5
images = 3
format = "FORM"
vary = { beam_tilt_fast_mrad = { linear = [1, 0.5] }, hit = { choice = [0, 1] } }
[[series]]
osc_deg = -0.5
images = 1
format = "FORM"
name = "other"
"""
OWN = {"batch.json", "batch.log", "checksums.sha256", "spots.h5"}  # what they are, and when


def without_command(header: bytes) -> bytes:
    """A CBF or SMV file without the lines of its command, in which terms stand elsewhere, and their size."""
    lines = [
        line for line in header.split(b"\n") if b"NBNUMBA_COMMAND" not in line and not line.startswith(b"HEADER_BYTES")
    ]
    return b"\n".join(lines).replace(b" ", b"")


@pytest.mark.parametrize("form", ["h5", "cbf", "img"])
def test_a_series_with_all_that_stands_beside_its_images(form: str, tmp_path: Path) -> None:
    terms = "-gain 1.7 -readout_noise 2 -saturation 900"
    text = SERIES.replace("\n -", " -").replace("FORM", form)
    (tmp_path / "once.toml").write_text(text.replace("NOISE", "true").replace("TERMS", terms))
    (tmp_path / "dark.toml").write_text(text.replace("NOISE", 'false\ndtype = "float32"').replace("TERMS", ""))
    for name in ("once", "dark"):
        assert main(["series", str(tmp_path / f"{name}.toml"), "-o", str(tmp_path / name)]) == 0
    assert not list((tmp_path / "dark").glob(f"*/*.{form}")) or form == "h5"
    assert main(["noise", str(tmp_path / "dark"), "-o", str(tmp_path / "later"), *terms.split(), "-quiet"]) == 0
    for sweep in ("sweep_01", "other"):
        once, later = tmp_path / "once" / sweep, tmp_path / "later" / sweep
        names = sorted(path.name for path in once.iterdir())
        assert names == sorted(path.name for path in later.iterdir())
        assert main(["series", str(later), "--verify"]) == 0
        for name in set(names) - OWN:
            one, other = once / name, later / name
            if name.endswith(".h5") and "master" not in name:
                assert_same(one, other, but=("entry/ground_truth/command", "frames/sha256"))
            elif name.endswith((".cbf", ".img")):
                assert without_command(one.read_bytes()).rstrip(b"\0") == without_command(other.read_bytes()).rstrip(
                    b"\0"
                )
            elif not name.endswith(".h5"):
                assert one.read_bytes() == other.read_bytes(), name
    # It is another series than that without noise, and what it holds is checked as ever.
    (later / "labels.csv").write_text("changed")
    assert main(["series", str(later), "--verify"]) == 1
    if form == "h5":  # read back, it turns about the axis of the command, the other way
        (image,) = nexus_read.read(str(later / "other_0000.h5"), CommandLine())
        np.testing.assert_allclose(image.geometry.goniometer.spindle, [1.0, 0.0, 0.0], atol=1e-12)
        assert image.geometry.goniometer.osc < 0.0


def test_whole_numbers_of_photons_get_no_noise(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = SERIES.replace("\n -", " -").replace("FORM", "cbf").replace("NOISE", "false").replace("TERMS", "")
    (tmp_path / "s.toml").write_text(text.replace("images = 3", "images = 1"))
    assert main(["series", str(tmp_path / "s.toml"), "-o", str(tmp_path / "s")]) == 0
    assert main(["noise", str(tmp_path / "s"), "-o", str(tmp_path / "n"), "-quiet"]) == 2
    assert 'dtype = "float32"' in capsys.readouterr().err
    assert not (tmp_path / "n").exists()
