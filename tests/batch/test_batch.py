"""Whole batches: files, labels, resuming."""

from __future__ import annotations

import contextlib
import csv
import dataclasses
import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import fabio
import h5py
import hdf5plugin  # noqa: F401  # registers the filters of the images
import numpy as np
import pytest
from numpy.typing import NDArray
from requirements import ROOT, requires

import nbnumba
from nbnumba import cli
from nbnumba.batch.contact_sheet import thumbnail, write_contact_sheet
from nbnumba.experiment.resolve import resolve
from nbnumba.io.nexus import checksums
from nbnumba.io.temporary import temporary_beside, writing_for
from nbnumba.parameters.parser import parse
from nbnumba.readout.poisson import poisson_image_c, poisson_image_counter
from nbnumba.render.renderer import simulate

pytestmark = pytest.mark.command_line

COMMAND = "-cell 50 60 70 -default_F 200 -detpixels 32 -pixel 2 -distance 100 -oversample 1 -nointerpolate -water 0.1"
VARY = """
orientation = "random"
energy_ev = { normal = [12398.0, 15.0] }
distance_mm = { uniform = [95, 105] }
N = { integers = [8, 20] }
fluence = { lognormal = [25, 0.3] }
cell_jitter_percent = 1.0
"""
COUNT, EACH = 13, 4


def spec(folder: Path, vary: str = VARY, name: str = "s.toml", **top: object) -> str:
    lines: dict[str, object] = {"command": COMMAND, "count": COUNT, "seed": 7, "images_per_file": EACH}
    lines |= {"backend": "cpu"} | top
    text = "".join(f"{key} = {str(v).lower() if isinstance(v, bool) else repr(v)}\n" for key, v in lines.items())
    path = folder / name
    path.write_text(f"{text}[vary]\n{vary}\n")
    return str(path)


def batch(*words: str | Path) -> int:
    return cli.main(["batch", *map(str, words)])


def images(path: Path) -> NDArray[np.generic]:
    with h5py.File(path) as file:
        return np.asarray(file["/entry/data/data"][()])


def rows(folder: Path) -> list[dict[str, str]]:
    with (folder / "labels.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def commands(path: Path) -> list[str]:
    with h5py.File(path) as file:
        return list(file["/entry/ground_truth/command"].asstr()[()])


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a finished batch, which tests leave as it is."""
    folder = tmp_path_factory.mktemp("done")
    assert batch(spec(folder), "-o", folder / "out") == 0
    return folder / "out"


@pytest.fixture
def out(done: Path, tmp_path: Path) -> Path:
    """Return a copy of the finished batch, and of its SPEC beside it."""
    shutil.copytree(done.parent, tmp_path, dirs_exist_ok=True)
    return tmp_path / "out"


def test_files(done: Path) -> None:
    assert sorted(path.name for path in done.iterdir()) == [
        "batch.json",
        "batch.log",
        "checksums.sha256",
        "contact_sheet.png",
        "labels.csv",
        "shots.h5",
        "shots_0000.h5",
        "shots_0001.h5",
        "shots_0002.h5",
        "shots_0003.h5",
    ]
    parts = [images(done / f"shots_{number:04d}.h5") for number in range(4)]
    assert [part.shape for part in parts] == [(4, 32, 32)] * 3 + [(1, 32, 32)]
    whole = images(done / "shots.h5")
    assert whole.dtype == np.uint16
    assert np.array_equal(whole, np.concatenate(parts))
    assert len(np.unique(whole.reshape(COUNT, -1), axis=0)) == COUNT
    log = (done / "batch.log").read_text()
    assert [log.count(f".h5: {count} in ") for count in ("4 images", "1 image")] == [3, 1]
    assert log.splitlines()[-1].endswith("complete: 13 images in 4 files")


def test_the_master_opens_as_one_for_others(done: Path) -> None:
    whole = images(done / "shots.h5")
    with fabio.open(str(done / "shots.h5")) as file:
        assert file.nframes == COUNT
        assert all(np.array_equal(file.get_frame(number).data, whole[number]) for number in range(COUNT))


def test_labels_agree_with_files(done: Path) -> None:
    table = rows(done)
    assert [int(row["image"]) for row in table] == list(range(COUNT))
    for row in table:
        with h5py.File(done / row["file"]) as file:
            index = int(row["index"])
            pixels = file["/entry/data/data"][index]
            truth = file["/entry/ground_truth"]
            assert int(row["total_photons"]) == pixels.sum(dtype=np.int64)
            assert int(row["maximum"]) == pixels.max()
            assert int(row["clipped_pixels"]) == 0
            # Five standard deviations of a Poisson sum.
            expected = float(row["expected_photons"])
            assert abs(expected - int(row["total_photons"])) < 5 * np.sqrt(expected)
            A = np.array([[float(row[f"A_{i}{j}"]) for j in (1, 2, 3)] for i in (1, 2, 3)])
            assert np.array_equal(truth["A_matrix"][index], A)
            assert float(row["fluence"]) == truth["fluence"][index]
            assert float(row["energy_ev"]) == pytest.approx(12398.42e-10 / truth["wavelength"][index], rel=1e-12)
            assert float(row["distance_mm"]) == pytest.approx(1e3 * truth["distance"][index], rel=1e-12)
            assert [int(row["N"])] * 3 == list(truth["cells"][index])
            assert float(row["cell_a"]) == truth["cell"][index][0]
            assert (int(row["seed"]), int(row["noise_seed"]), int(row["noise_number"])) == (7, 7, int(row["image"]))
            assert list(file["/labels"].attrs["columns"].split()) == list(row)
            assert file["/labels/energy_ev"][index] == float(row["energy_ev"])
            assert file["/labels/instruction_set"].asstr()[index] == row["instruction_set"]
    assert {(row["backend"], row["precision"], row["numpy"]) for row in table} == {("cpu", "double", np.__version__)}
    assert float(table[0]["cell_a"]) != 50.0


def test_images_are_those_of_their_command_lines(done: Path) -> None:
    for index, line in enumerate(commands(done / "shots_0001.h5")[:2]):
        image = simulate(resolve(parse(line.split()).settings), "cpu")
        noisy = poisson_image_counter(image.array, 7, 0.0, image_number=EACH + index)
        assert np.array_equal(images(done / "shots_0001.h5")[index], noisy.counts)


@pytest.mark.parametrize("options", [("-threads", "1"), ("-threads", "2")])
def test_bytes_depend_neither_on_files_nor_on_threads(
    options: tuple[str, ...], done: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: {0, 1})
    assert batch(spec(tmp_path, images_per_file=6), "-o", tmp_path / "out", *options) == 0
    assert np.array_equal(images(tmp_path / "out/shots.h5"), images(done / "shots.h5"))
    place = {"file", "index"}
    mine, theirs = (
        [{k: v for k, v in row.items() if k not in place} for row in rows(f)] for f in (tmp_path / "out", done)
    )
    assert mine == theirs


def test_more_images_begin_with_the_same(done: Path, tmp_path: Path) -> None:
    assert batch(spec(tmp_path, count=3), "-o", tmp_path / "out") == 0
    assert np.array_equal(images(tmp_path / "out/shots.h5"), images(done / "shots.h5")[:3])


def test_without_noise_photons_are_those_that_were_rendered(tmp_path: Path) -> None:
    assert batch(spec(tmp_path, noise=False, dtype="float32", count=2), "-o", tmp_path / "out") == 0
    path = tmp_path / "out/shots_0000.h5"
    for pixels, line in zip(images(path), commands(path), strict=True):
        assert np.array_equal(pixels, simulate(resolve(parse(line.split()).settings), "cpu").array)
    assert "noise_seed" not in rows(tmp_path / "out")[0]


@pytest.mark.parametrize("rng", ["counter", "c"])
@pytest.mark.parametrize("dtype", ["uint16", "int32", "float32"])
def test_bright_images(dtype: str, rng: str, tmp_path: Path) -> None:
    words = {"dtype": dtype, "noise_rng": rng, "count": 2, "seed": 2**62 + 1}
    assert batch(spec(tmp_path, "fluence = 1e30", **words), "-o", tmp_path / "out") == 0
    found = images(tmp_path / "out/shots.h5")
    assert found.dtype == dtype
    table = rows(tmp_path / "out")
    (tmp_path / "clean").mkdir()
    clean_spec = spec(tmp_path / "clean", "fluence = 1e30", dtype="float32", noise=False, count=1)
    assert batch(clean_spec, "-o", tmp_path / "clean/out") == 0
    clean = images(tmp_path / "clean/out/shots.h5")[0]
    assert clean.min() > 70000  # what 16 bits do not hold
    if dtype == "uint16":
        assert np.all(found == 65533)
        assert [int(row["clipped_pixels"]) for row in table] == [32 * 32] * 2
        return
    assert [int(row["clipped_pixels"]) for row in table] == [0, 0]
    assert not np.array_equal(found[0], found[1])
    assert np.array_equal(found, np.rint(found))
    # Six standard deviations of a Poisson count, and the rounding of float32.
    assert np.all(np.abs(found - clean) <= 6 * np.sqrt(clean) + 1e-7 * clean)
    assert np.mean(np.abs(found - clean)) > 0.5 * np.sqrt(clean.mean())
    if rng == "c":
        drawn = poisson_image_c(clean, int(table[1]["noise_seed"]), 0.0, dtype="int32")
        assert np.array_equal(found[1], drawn.counts.astype(dtype))


def test_dry_run_writes_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    spec(tmp_path)
    before = sorted(tmp_path.iterdir())
    assert batch(tmp_path / "s.toml", "--dry-run", "-o", tmp_path / "out") == 0
    assert sorted(tmp_path.iterdir()) == before
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "13 images in 4 files of 4, uint16, with noise (noise_rng counter)"
    assert lines[1].split()[:7] == ["image", "N", "energy_ev", "fluence", "distance_mm", "cell_jitter_percent", "a*"]
    assert [line.split()[0] for line in lines[2:7]] == ["0", "1", "2", "3", "4"]
    assert lines[7].startswith("time: about ")
    assert lines[8].startswith("disk: about ")
    assert lines[8].endswith("26.6 kB before compression")


def test_folder_is_missing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert batch(spec(tmp_path)) == 2
    assert (
        capsys.readouterr().err == "nbnumba: error: batch: -o FOLDER is missing; it names the folder for the images\n"
    )


def test_folder_that_cannot_be(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").touch()
    assert batch(spec(tmp_path), "-o", tmp_path / "file/out") == 3
    assert "the folder cannot be made: not a directory" in capsys.readouterr().err


def test_mistakes_leave_no_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert batch(spec(tmp_path, "N = 0"), "-o", tmp_path / "out") == 2
    assert batch(spec(tmp_path, "energy_ev = { normal = [-1000, 1] }"), "-o", tmp_path / "out") == 2
    assert "s.toml line 7: [vary] energy_ev: image 0: energy_ev = " in capsys.readouterr().err
    assert batch(spec(tmp_path, command=f"{COMMAND} -roi 50 60 1 2"), "-o", tmp_path / "out") == 2
    assert "s.toml line 1: command: -roi: 50 60 1 2 holds no pixel" in capsys.readouterr().err
    assert batch(spec(tmp_path, command=f"{COMMAND} -hkl none.hkl"), "-o", tmp_path / "out") == 3
    assert "s.toml line 1: command: " in capsys.readouterr().err
    assert batch(spec(tmp_path, "N = { integers = [1000000, 1000000] }"), "-o", tmp_path / "out") == 2
    assert "s.toml line 6: vary: image 0: N, crystal_size_mm: 1000000 x" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_a_detector_that_moves_is_reported(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for vary, line in (
        ("distance_mm = 90", "notice: distance_mm: a file has one geometry"),
        ("energy_ev = 9000", ""),
    ):
        assert batch(spec(tmp_path, vary, count=1), "-o", tmp_path / vary[:3]) == 0
        assert line in (found := capsys.readouterr().err)
        assert ("geometry" in found) == bool(line)


def test_mistake_in_an_image_on_the_way(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    values = ["5"] * 9 + ["1000000", "5", "5", "5"]
    (tmp_path / "t.csv").write_text("\n".join(["N", *values]) + "\n")
    assert batch(spec(tmp_path, 'csv = "t.csv"'), "-o", tmp_path / "out") == 2
    assert "image 9: N, crystal_size_mm: 1000000 x 1000000" in capsys.readouterr().err
    assert sorted(path.name for path in (tmp_path / "out").glob("*.h5")) == ["shots_0000.h5", "shots_0001.h5"]
    assert "error: image 9: N, crystal_size_mm" in (tmp_path / "out/batch.log").read_text()
    assert not list((tmp_path / "out").glob(".*"))


def test_files_beside_the_spec_are_not_touched(tmp_path: Path) -> None:
    (tmp_path / "a.hkl").write_text("1 0 0 5\n0 1 0 7\n0 0 1 9\n")
    command = f"{COMMAND} -hkl a.hkl".replace("-default_F 200 ", "")
    assert batch(spec(tmp_path, command=command, count=1), "-o", tmp_path / "out") == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.hkl", "out", "s.toml"]


def test_existing_batch_is_not_replaced(out: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert batch(out.parent / "s.toml", "-o", out) == 2
    assert "holds a batch already; --resume continues it, or give a new folder" in capsys.readouterr().err


def test_files_of_others_are_not_replaced(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out/labels.csv").touch()
    for options in ([], ["--resume"]):
        assert batch(spec(tmp_path), "-o", tmp_path / "out", *options) == 2
        assert "holds a labels.csv but no batch; give a new folder" in capsys.readouterr().err
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["labels.csv"]


def test_resuming_what_was_not_begun_begins_it(done: Path, tmp_path: Path) -> None:
    assert batch(spec(tmp_path), "-o", tmp_path / "out", "--resume") == 0
    assert np.array_equal(images(tmp_path / "out/shots.h5"), images(done / "shots.h5"))


def test_resuming_another_spec_says_what_differs(out: Path, capsys: pytest.CaptureFixture[str]) -> None:
    other = spec(out.parent, VARY.replace("8, 20", "8, 21"), seed=8)
    assert batch(other, "-o", out, "--resume") == 2
    printed = capsys.readouterr().err
    assert "is not what the batch" in printed
    assert "seed was 7, now 8" in printed
    assert "{ integers = [8, 20] }" in printed
    assert "count" not in printed


def test_resuming_with_other_files_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "a.hkl").write_text("1 0 0 5\n0 1 0 7\n0 0 1 9\n")
    path = spec(tmp_path, command=f"{COMMAND} -hkl a.hkl", count=1)
    assert batch(path, "-o", tmp_path / "out") == 0
    (tmp_path / "a.hkl").write_text("1 0 0 5\n0 1 0 7\n0 0 1 8\n")
    assert batch(path, "-o", tmp_path / "out", "--resume") == 2
    assert "a.hkl has other content" in capsys.readouterr().err


def cut(path: Path) -> None:
    with path.open("r+b") as file:
        file.truncate(path.stat().st_size * 2 // 3)


def empty(path: Path) -> None:
    path.write_bytes(b"")


def no_images(path: Path) -> None:
    with h5py.File(path, "r+") as file:
        shape = file["/entry/data/data"].shape
        del file["/entry/data/data"]
        file.create_dataset("/entry/data/data", shape=shape, chunks=(1, *shape[1:]), dtype=np.uint16)


def no_labels(path: Path) -> None:
    with h5py.File(path, "r+") as file:
        del file["/labels"]


def of_another_batch(path: Path) -> None:
    with h5py.File(path, "r+") as file:
        file["/labels"].attrs["batch"] = "another"
    check_again(path)


def of_other_images(path: Path) -> None:
    shutil.copyfile(path.with_name("shots_0002.h5"), path)


def left_behind(folder: Path) -> Path:
    """Return a temporary file of the batch in a folder, of a process that has ended."""
    with h5py.File(folder / "shots_0000.h5") as file, writing_for(file["/labels"].attrs["batch"]):
        fields = temporary_beside(folder / "shots_0001.h5").name.split("-")
    fields[2] = "1"  # this process started later
    path = folder / "-".join(fields)
    path.touch()
    return path


@pytest.mark.parametrize("damage", [Path.unlink, cut, empty, no_images, no_labels, of_another_batch, of_other_images])
def test_damaged_file_is_made_again(
    damage: Callable[[Path], None], out: Path, done: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    damage(out / "shots_0001.h5")
    leftover = left_behind(out)
    kept = (out / "shots_0000.h5").stat()
    assert batch(out.parent / "s.toml", "-o", out, "--resume") == 0
    assert np.array_equal(images(out / "shots.h5"), images(done / "shots.h5"))
    assert (out / "labels.csv").read_bytes() == (done / "labels.csv").read_bytes()
    assert (out / "contact_sheet.png").read_bytes() == (done / "contact_sheet.png").read_bytes()
    assert (out / "shots_0000.h5").stat().st_mtime_ns == kept.st_mtime_ns
    assert not leftover.exists()
    printed = capsys.readouterr().err
    assert "removed 1 file that was left half written" in printed
    assert (damage is Path.unlink) or "shots_0001.h5: " in printed


def test_complete_batch_is_left_alone(out: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = {path: path.stat().st_mtime_ns for path in out.iterdir() if path.name != "batch.log"}
    assert batch(out.parent / "s.toml", "-o", out, "--resume") == 0
    assert "the batch is complete already" in capsys.readouterr().err
    assert {path: path.stat().st_mtime_ns for path in out.iterdir() if path.name != "batch.log"} == before


@pytest.mark.parametrize("gone", [("batch.log",), ("batch.json",), ("batch.json", "batch.log")], ids="+".join)
def test_what_the_folder_remembers_may_be_lost(gone: tuple[str, ...], out: Path, done: Path) -> None:
    for name in (*gone, "shots_0001.h5"):
        (out / name).unlink()
    kept = (out / "shots_0000.h5").stat().st_mtime_ns
    assert batch(out.parent / "s.toml", "-o", out) == 2
    assert batch(spec(out.parent, name="other.toml", seed=8), "-o", out, "--resume") == 2
    assert batch(out.parent / "s.toml", "-o", out, "--resume") == 0
    assert (out / "shots_0000.h5").stat().st_mtime_ns == kept
    assert np.array_equal(images(out / "shots.h5"), images(done / "shots.h5"))
    assert {path.name for path in out.iterdir()} == {path.name for path in done.iterdir()}


@pytest.mark.parametrize("text", ["{", "[]", "[" * 100_000, '{"spec": [], "files": 3}', "{}"])
def test_damaged_memory_says_what_to_do(text: str, out: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (out / "batch.json").write_text(text)
    assert batch(out.parent / "s.toml", "-o", out, "--resume") == 2
    assert "batch.json: damaged: " in (printed := capsys.readouterr().err)
    assert printed.endswith("; remove it, and --resume finds the images of the batch without it\n")


@pytest.mark.parametrize("name", ["labels.csv", "shots.h5", "contact_sheet.png"])
@pytest.mark.parametrize("kept", [None, 0, 100], ids=["missing", "empty", "cut"])
def test_what_is_made_of_the_files_is_made_again(name: str, kept: int | None, out: Path, done: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in out.glob("shots_*.h5")}
    if kept is None:
        (out / name).unlink()
    else:
        (out / name).write_bytes((out / name).read_bytes()[:kept])
    assert batch(out.parent / "s.toml", "-o", out, "--resume") == 0
    if name != "shots.h5":  # which states its time
        assert (out / name).read_bytes() == (done / name).read_bytes()
    assert np.array_equal(images(out / "shots.h5"), images(done / "shots.h5"))
    assert {path: path.stat().st_mtime_ns for path in out.glob("shots_*.h5")} == before


def check_again(path: Path) -> None:
    """Write the checksums of a file anew that a test has changed."""
    with h5py.File(path) as file:
        images = checksums.image_extents(file["/entry/data/data"])
    with path.open("r+b") as changed:
        head = changed.read(48)
        assert head[8] == 0  # the version of the superblock, in which the end of the file stands at byte 40
        changed.truncate(int.from_bytes(head[40:], "little"))
        checksums.append(changed, images)


def test_images_of_different_machines_are_reported(out: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with h5py.File(out / "shots_0000.h5", "r+") as file:
        file["/labels/instruction_set"][...] = ["i8086/00000000"] * EACH
    check_again(out / "shots_0000.h5")
    (out / "labels.csv").unlink()
    assert batch(out.parent / "s.toml", "-o", out, "--resume") == 0
    assert "the images were made by cpu double i8086/00000000 " in capsys.readouterr().err
    assert rows(out)[0]["instruction_set"] == "i8086/00000000"


@pytest.mark.parametrize(
    ("N", "told"),
    [((1, 9), "2 of 4 images"), ((8, 9), None), ((1, 1), "4 of 4 images")],
    ids=["some", "none", "all"],
)
def test_images_in_double_precision_are_counted(
    N: tuple[int, int], told: str | None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Mixed precision is asked for, and a crystal of one cell cannot have it."""
    (tmp_path / "shots.csv").write_text("\n".join(["N", *map(str, N * 2), ""]))
    vary = 'csv = "shots.csv"'
    spec_file = spec(tmp_path, vary, precision="mixed", count=4, command=f"{COMMAND} -N 5")
    assert batch(spec_file, "-o", tmp_path / "out") == 0
    lines = [line for line in capsys.readouterr().err.splitlines() if "precision" in line]
    assert len(lines) == (0 if told is None else 1)
    if told is not None:
        assert f": notice: precision mixed: {told} in double precision; the processor has mixed " in lines[0]


def start(words: list[str], limit: int | None = None) -> subprocess.Popen[str]:
    def prepare() -> None:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        if limit is not None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

    return subprocess.Popen(
        [sys.executable, "-m", "nbnumba", "batch", *words],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
        preexec_fn=prepare,
    )


def test_one_batch_at_a_time_in_a_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = spec(tmp_path, count=400, images_per_file=2)
    first = start([path, "-o", str(tmp_path / "out")])
    try:
        until(lambda: list((tmp_path / "out").glob("shots_*.h5")), first)
        assert batch(path, "-o", tmp_path / "out", "--resume") == 2
        assert "another nbnumba batch is at work in this folder; wait for its end" in capsys.readouterr().err
        assert first.poll() is None
    finally:
        first.send_signal(signal.SIGINT)
        first.communicate(timeout=30)


def until(condition: Callable[[], object], process: subprocess.Popen[str]) -> None:
    end = time.monotonic() + 60
    while not condition():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < end
        time.sleep(0.002)


@pytest.mark.alone
def test_ctrl_c_and_resume(tmp_path: Path) -> None:
    path = spec(tmp_path, count=200, images_per_file=20)
    out = tmp_path / "out"
    running = start([path, "-o", str(out)])
    until(lambda: (out / "shots_0001.h5").exists(), running)
    running.send_signal(signal.SIGINT)
    begun = time.monotonic()
    _, printed = running.communicate(timeout=30)
    assert time.monotonic() - begun < 5  # the cores are shared with other tests
    assert running.returncode == 130
    assert printed.splitlines()[-1] == "nbnumba: interrupted"
    finished = len(list(out.glob("shots_*.h5")))
    assert 2 <= finished < 10
    assert not list(out.glob(".*"))
    assert not (out / "labels.csv").exists()
    assert (out / "batch.log").read_text().endswith(" interrupted\n")
    assert batch(path, "-o", out, "--resume") == 0
    assert batch(path, "-o", tmp_path / "whole") == 0
    assert np.array_equal(images(out / "shots.h5"), images(tmp_path / "whole/shots.h5"))
    assert (out / "labels.csv").read_bytes() == (tmp_path / "whole/labels.csv").read_bytes()


def test_full_disk_and_resume(tmp_path: Path) -> None:
    """Files beyond a size cannot be written; those of dark images stay below it."""
    fluences = ["1e10"] * 8 + ["1e27"] * 5
    (tmp_path / "t.csv").write_text("\n".join(["fluence", *fluences]) + "\n")
    path = spec(
        tmp_path,
        'csv = "t.csv"',
        dtype="int32",
        command=COMMAND.replace("-detpixels 32 -pixel 2", "-detpixels 128 -pixel 0.5"),
    )
    out = tmp_path / "out"
    assert batch(path, "-o", tmp_path / "whole") == 0
    sizes = [(tmp_path / f"whole/shots_{number:04d}.h5").stat().st_size for number in range(4)]
    limit = (sizes[1] + sizes[2]) // 2
    assert sizes[1] < 0.9 * limit < 1.1 * limit < sizes[2]
    running = start([path, "-o", str(out)], limit)
    _, printed = running.communicate(timeout=60)
    assert running.returncode == 3, printed
    assert printed.startswith(f"nbnumba: error: {out}/shots_0002.h5: cannot be written: file too large")
    assert sorted(path.name for path in out.iterdir()) == ["batch.json", "batch.log", "shots_0000.h5", "shots_0001.h5"]
    assert batch(path, "-o", out, "--resume") == 0
    assert np.array_equal(images(out / "shots.h5"), images(tmp_path / "whole/shots.h5"))
    assert (out / "labels.csv").read_bytes() == (tmp_path / "whole/labels.csv").read_bytes()


def test_contact_sheet(tmp_path: Path) -> None:
    from PIL import Image

    shots = np.zeros((5, 40, 20), dtype=np.uint16)
    for number, shot in enumerate(shots):
        shot[number, 3] = 1000
    write_contact_sheet(tmp_path / "c.png", ((shot, None, "") for shot in shots))
    sheet = np.asarray(Image.open(tmp_path / "c.png"))
    small = thumbnail(shots[0])
    assert small.shape == (80, 40)
    # One bright pixel, grown to be seen: 3 x 3, each 2 x 2 on the sheet; in the first row a third is cut off.
    assert np.count_nonzero(small == 0) == 2 * 3 * 4
    assert np.array_equal(sheet[18:98, 4:44], small)
    # Each has its number above it.
    strips = [sheet[4:18, left : left + 40] for left in range(4, sheet.shape[1], 44)]
    assert all(strip.min() < 100 for strip in strips)
    assert len({strip.tobytes() for strip in strips}) == len(strips) == 4
    # Dark spots: one in each image.
    assert sum(np.any(sheet[:, left : left + 44] == 0) for left in range(4, sheet.shape[1], 44)) == 4
    # A forward peak that is left out does not take the contrast from the spots.
    peak = np.ones((40, 40), dtype=np.float32)
    peak[30, 3:6], peak[15:25, 15:25] = 5.0, 1e6
    outside = np.ones(peak.shape, dtype=np.bool_)
    outside[15:25, 15:25] = False
    assert thumbnail(peak)[60, 8] > 250 > 50 > thumbnail(peak, outside)[60, 8]
    wide = thumbnail(np.ones((10, 1000), dtype=np.float32))
    assert max(wide.shape) <= 160


def test_dim_images_are_reported(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = COMMAND.replace("-water 0.1", "-misset 10 20 30 -N 20")
    # Of four crystals the second and third are too dim; the last image has none.
    for kind, more in (("uint16", {"noise": True}), ("float32", {"noise": False})):
        (tmp_path / "t.csv").write_text("fluence,hit\n1e30,1\n1e12,1\n2e12,1\n1e30,1\n1e12,0\n")
        source = spec(tmp_path, 'csv = "t.csv"', command=command, count=5, dtype=kind, **more)
        assert batch(source, "-o", tmp_path / kind) == 0
        said = "hint: away from the direct beam no pixel reaches 3 in 2 of the first 5 images (1, 2)"
        assert said in capsys.readouterr().err
        assert said in (tmp_path / kind / "batch.log").read_text()


def test_contact_sheet_of_many(tmp_path: Path) -> None:
    from PIL import Image

    asked = []

    def shots() -> object:
        for number in range(1000):
            asked.append(number)
            yield np.full((8, 8), number, dtype=np.int32), None, ""

    write_contact_sheet(tmp_path / "c.png", shots())  # type: ignore[arg-type]
    assert len(asked) == 100
    with contextlib.closing(Image.open(tmp_path / "c.png")) as sheet:
        assert sheet.size == (10 * 84 + 4, 10 * 98 + 4)


def test_benchmark_runs(tmp_path: Path) -> None:
    from bench.batch import ROWS, measure

    row = dataclasses.replace(ROWS[1], command=ROWS[1].command.replace("256", "16"), images=3)
    found = measure(row, tmp_path, 1, 2)
    assert {name: len(speeds) for name, speeds in found.items()} == {"kernel": 2, "batch": 2}
    assert all(speed.per_second > 0 for speeds in found.values() for speed in speeds)


def test_several_panels(tmp_path: Path) -> None:
    panels = [
        {
            "fast_axis": [1, 0, 0],
            "slow_axis": [0, -1, 0],
            "origin": [-3, top, -100],
            "image_size": [30, 20],
            "pixel_size": [0.2, 0.2],
        }
        for top in (4.5, -0.5)
    ]
    experiment = {
        "__id__": "ExperimentList",
        "experiment": [{"beam": 0, "detector": 0, "crystal": 0}],
        "beam": [{"direction": [0, 0, 1], "wavelength": 1.25}],
        "detector": [{"panels": panels}],
        "crystal": [{"real_space_a": [50, 0, 0], "real_space_b": [0, 80, 0], "real_space_c": [0, 0, 100]}],
    }
    (tmp_path / "a.expt").write_text(json.dumps(experiment))
    vary = 'orientation = "random"\nenergy_ev = { uniform = [9000, 9100] }\nfluence = 1e25\ncell_jitter_percent = 1'
    command = "-expt a.expt -default_F 200 -N 9 -water 0.1 -oversample 1"
    path = spec(tmp_path, vary, command=command, count=3, images_per_file=2)
    assert batch(path, "-o", tmp_path / "out", "--threads", "1") == 0
    found = images(tmp_path / "out/shots.h5")
    assert found.shape == (3, 40, 30)
    for index, line in enumerate(commands(tmp_path / "out/shots.h5")):
        image = simulate(resolve(parse(line.split()).settings), "cpu")
        assert image.array.shape == (2, 20, 30)
        noisy = poisson_image_counter(image.array.reshape(40, 30), 7, 0.0, image_number=index)
        assert np.array_equal(found[index], noisy.counts)
    assert batch(spec(tmp_path, "distance_mm = 99", command=command), "-o", tmp_path / "other") == 2


def test_mask_beside_the_spec(tmp_path: Path) -> None:
    mask = np.ones((32, 32), dtype=np.uint16)
    mask[:, :5] = 0
    header = "{\nHEADER_BYTES=512;\nDIM=2;\nBYTE_ORDER=little_endian;\nTYPE=unsigned_short;\nSIZE1=32;\nSIZE2=32;\n"
    header += "PIXEL_SIZE=2;\n}\n"
    (tmp_path / "m.img").write_bytes(header.encode().ljust(512) + mask.astype("<u2").tobytes())
    path = spec(tmp_path, command=f"{COMMAND} -mask m.img", count=2)
    assert batch(path, "-o", tmp_path / "out") == 0
    found = images(tmp_path / "out/shots.h5")
    assert np.all(found[:, :, :5] == 0)
    assert found[:, :, 5:].min() >= 0
    assert np.count_nonzero(found[:, :, 5:]) > 0.9 * found[:, :, 5:].size


def test_two_processes_draw_the_same(done: Path, tmp_path: Path) -> None:
    assert batch(spec(tmp_path), "-o", tmp_path / "out", "--workers", "2") == 0
    assert np.array_equal(images(tmp_path / "out/shots.h5"), images(done / "shots.h5"))
    assert (tmp_path / "out/labels.csv").read_bytes() == (done / "labels.csv").read_bytes()


@requires("no GPU")
def test_gpu_that_is_not_there(tmp_path: Path) -> None:
    assert batch(spec(tmp_path, backend="cuda"), "-o", tmp_path / "out") == 4
    assert not (tmp_path / "out").exists()


def test_mistakes_load_nothing_heavy(tmp_path: Path) -> None:
    program = (
        "import sys; from nbnumba import cli; status = cli.main(sys.argv[1:]); "
        "print(status, sorted({'numba', 'h5py'} & set(sys.modules)))"
    )
    words = ["batch", spec(tmp_path, "N = 0"), "-o", str(tmp_path / "out")]
    found = subprocess.run(
        [sys.executable, "-c", program, *words],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert found.stdout == "2 []\n", found.stderr


def test_a_file_makes_its_first_experiment_again(tmp_path: Path) -> None:
    (tmp_path / "a.mat").write_text("0.002 0.0003 -0.001 0.0004 0.0018 0.0002 0.0011 -0.0001 0.0016")
    command = COMMAND.replace("-cell 50 60 70", "-mat a.mat -lambda 0.1")
    assert batch(spec(tmp_path, command=command, count=3, images_per_file=2), "-o", tmp_path / "out") == 0
    experiment = nbnumba.Experiment.from_file(tmp_path / "out/shots_0001.h5")
    noisy = poisson_image_counter(simulate(experiment, "cpu").array, 7, 0.0, image_number=2)
    assert np.array_equal(images(tmp_path / "out/shots_0001.h5")[0], noisy.counts)


@pytest.mark.parametrize("more", [(), ("--workers", "2")], ids=["one process", "two processes"])
def test_interpolation_latch_is_reported_once(
    more: tuple[str, ...], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "a.hkl").write_text("".join(f"{h} {k} {l} 5\n" for h in range(5) for k in range(5) for l in range(5)))
    command = f"{COMMAND} -hkl a.hkl".replace("-nointerpolate", "-interpolate")
    assert batch(spec(tmp_path, command=command, semantics="c"), "-o", tmp_path / "out", *more) == 0
    assert capsys.readouterr().err.count("interpolation latch: as C, samples beyond the table's range") == 1
    assert (tmp_path / "out/batch.log").read_text().count("notice: interpolation latch") == 1


def test_a_file_of_one_image_states_its_detector(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = spec(tmp_path, "distance_mm = { choice = [95, 105] }", count=4, images_per_file=1)
    assert batch(source, "-o", tmp_path / "out") == 0
    assert "every file states the geometry of its own image" in capsys.readouterr().err
    drawn = [float(row["distance_mm"]) for row in rows(tmp_path / "out")]
    assert len(set(drawn)) == 2
    for number, distance in enumerate(drawn):
        with h5py.File(tmp_path / "out" / f"shots_{number:04d}.h5") as file:
            assert file["/entry/instrument/detector/distance"][()] == pytest.approx(distance / 1000, rel=1e-12)


def test_a_file_of_one_image_states_its_beam(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    vary = "beam_tilt_fast_mrad = { choice = [-8, 8] }\nbeam_tilt_slow_mrad = 3\nfluence = 1e23"
    source = spec(tmp_path, vary, count=4, images_per_file=1)
    assert batch(source, "-o", tmp_path / "out") == 0
    assert "beam_tilt_fast_mrad, beam_tilt_slow_mrad: every file states" in capsys.readouterr().err
    drawn = [float(row["beam_tilt_fast_mrad"]) for row in rows(tmp_path / "out")]
    assert set(drawn) == {-8.0, 8.0}
    for number, tilt in enumerate(drawn):
        path = tmp_path / "out" / f"shots_{number:04d}.h5"
        (line,) = commands(path)
        made = resolve(parse(line.split()).settings)
        panel = made.detector.panels[0]
        with h5py.File(path) as file:
            # The file's beam lies along z, so that its detector is turned the other way.
            fast = file["/entry/instrument/detector/module/fast_pixel_direction"].attrs["vector"]
        assert fast[2] == pytest.approx(panel.fast @ made.beam.direction, abs=1e-12)
        assert fast[2] == pytest.approx(np.sin(tilt * 1e-3), rel=1e-4)
        mean = simulate(made, "cpu").array
        noisy = poisson_image_counter(mean, 7, 0.0, image_number=number)
        assert np.array_equal(images(path)[0], noisy.counts)


@pytest.mark.parametrize(("dtype", "missing"), [("uint16", 65535), ("int32", -1), ("float32", np.nan)])
def test_an_image_whose_file_is_gone_is_not_black(dtype: str, missing: float, tmp_path: Path) -> None:
    source = spec(tmp_path, "fluence = 1e25", count=2, images_per_file=1, dtype=dtype)
    assert batch(source, "-o", tmp_path / "out") == 0
    (tmp_path / "out" / "shots_0001.h5").unlink()
    with h5py.File(tmp_path / "out" / "shots.h5") as file:
        data = file["/entry/data/data"]
        np.testing.assert_array_equal(data[1], np.full((32, 32), missing, dtype=dtype))
        np.testing.assert_array_equal(data.attrs["missing_image"], missing)
        assert data[0].max() > 0
