"""No bit of a finished set changes unnoticed, and no input changes under a batch."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import h5py
import hdf5plugin  # noqa: F401 - registers the compression of the files
import numpy as np
import pytest
from batch_processes import eventually, started
from requirements import ROOT

import nbnumba
from nbnumba import cli
from nbnumba.batch import inputs, record
from nbnumba.errors import FileError, InputError
from nbnumba.io.nexus import checksums
from nbnumba.io.nexus.read import read_image, read_images

pytestmark = pytest.mark.command_line

SPEC = """
command = "-hkl a.hkl -cell 50 60 70 -lambda 1.5 -distance 50 -pixel 1 -detpixels 32 -N 4 -fluence 1e30 -water 100"
count = 7
seed = 3
images_per_file = 3
backend = "cpu"
[vary]
orientation = "random"
"""


def reflections(F: float) -> str:
    return "".join(f"{h} {k} {l} {F}\n" for h in range(-3, 4) for k in range(-3, 4) for l in range(-3, 4))


def write_spec(folder: Path) -> Path:
    (folder / "a.hkl").write_text(reflections(50.0))
    (folder / "s.toml").write_text(SPEC)
    return folder / "s.toml"


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("done")
    assert cli.main(["batch", str(write_spec(folder)), "-o", str(folder / "out")]) == 0
    return folder / "out"


@pytest.fixture
def out(done: Path, tmp_path: Path) -> Path:
    shutil.copytree(done.parent, tmp_path, dirs_exist_ok=True)
    return tmp_path / "out"


def verify(folder: Path) -> int:
    return cli.main(["batch", str(folder), "--verify"])


def resume(out: Path) -> int:
    return cli.main(["batch", str(out.parent / "s.toml"), "-o", str(out), "--resume"])


def flip(path: Path, at: int) -> None:
    data = bytearray(path.read_bytes())
    data[at] ^= 1
    path.write_bytes(data)


def test_a_finished_set_is_as_it_was_written(out: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert verify(out) == 0
    assert capsys.readouterr().out == f"{out}: 7 images in 3 files, all as they were written\n"
    # Checked by another program, which takes the two last lines for comments.
    ran = subprocess.run(["sha256sum", "-c", record.NAME], cwd=out, capture_output=True, text=True)
    assert (ran.returncode, ran.stdout.count(": OK\n"), ran.stderr) == (0, 4, "")


@pytest.mark.parametrize(
    "name", ["shots_0001.h5", "shots.h5", "labels.csv", "contact_sheet.png", "batch.log", "checksums.sha256"]
)
def test_a_damaged_file_is_reported_and_made_again(
    name: str, out: Path, done: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    flip(out / name, 50)
    assert verify(out) == 1
    assert f"{out / name}: " in capsys.readouterr().out
    assert resume(out) == 0
    assert "complete already" not in capsys.readouterr().err
    assert verify(out) == 0
    assert resume(out) == 0
    assert "complete already" in capsys.readouterr().err
    assert np.array_equal(read_images(out / "shots.h5"), read_images(done / "shots.h5"))
    assert (out / "labels.csv").read_bytes() == (done / "labels.csv").read_bytes()


@pytest.mark.parametrize("name", ["shots_0001.h5", "shots.h5", "labels.csv", "contact_sheet.png", "checksums.sha256"])
def test_a_missing_file(name: str, out: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (out / name).unlink()
    assert verify(out) == 1
    assert f"{out / name}: is missing" in capsys.readouterr().out
    assert resume(out) == 0
    assert verify(out) == 0


def test_what_holds_no_batch(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert verify(tmp_path / "absent") == 3
    assert verify(tmp_path) == 3
    assert "holds no batch" in capsys.readouterr().err
    (tmp_path / "batch.json").write_text('{"spec": {"count": 0}, "files": {}}')
    assert verify(tmp_path) == 2


def stored(path: Path, image: int) -> tuple[int, int]:
    with path.open("rb") as file:
        found = checksums.read(file)
    assert found is not None
    return found.images[image][0]


def test_readers_check_what_they_decompress(out: Path) -> None:
    """A flip in one image leaves the others readable, through the master too; nobody hands damaged bytes on."""
    path = out / "shots_0001.h5"
    good = read_images(out / "shots.h5")
    offset, size = stored(path, 1)
    flip(path, offset + size // 2)
    assert np.array_equal(read_image(path, 0)[0], good[3])
    assert np.array_equal(read_image(out / "shots.h5", 5)[0], good[5])
    for read in (
        lambda: read_image(path, 1),
        lambda: read_images(path),
        lambda: read_image(out / "shots.h5", 4),
        lambda: read_images(out / "shots.h5"),
    ):
        with pytest.raises(InputError, match=r"shots_0001\.h5: is damaged: the bytes of image 1 are not those"):
            read()
    assert cli.main(["compare", f"{path}", f"{path}", "-image", "2"]) == 2
    assert cli.main(["convert", str(path), "-o", str(out / "all.h5")]) == 2
    assert not (out / "all.h5").exists()


def test_readers_check_what_is_not_an_image(out: Path) -> None:
    """The superblock of the HDF5 file, where the library itself looks first."""
    flip(out / "shots_0001.h5", 9)
    with pytest.raises(InputError, match="is damaged: bytes outside the images are not those"):
        read_image(out / "shots_0001.h5", 0)
    with pytest.raises(InputError, match="is damaged"):
        nbnumba.Experiment.from_file(out / "shots_0001.h5")
    with pytest.raises(InputError, match="is damaged"):
        read_image(out / "shots.h5", 3)


def test_a_master_whose_files_are_gone(out: Path) -> None:
    """HDF5 itself would give zeros."""
    (out / "shots_0002.h5").unlink()
    with pytest.raises(FileError, match=r"shots_0002\.h5: cannot be read: no such file"):
        read_images(out / "shots.h5")


def test_the_checksums_are_behind_what_others_read(done: Path) -> None:
    path = done / "shots_0000.h5"
    with path.open("rb") as file:
        found = checksums.read(file)
    assert found is not None
    assert [extent.size > 0 for extent, _ in found.images] == [True] * 3
    with h5py.File(path) as file:
        assert file["labels/image"].id.get_offset() < found.end < path.stat().st_size
    whole = path.read_bytes()
    shorter = done.parent / "shorter.h5"
    shorter.write_bytes(whole[: found.end])
    with h5py.File(shorter) as file:
        assert np.array_equal(file["/entry/data/data"][()], read_images(path))
    assert not checksums.check(shorter)


# Flip bits of all files of a set, one at a time; none may go unnoticed, nor crash a reader.
FLIPS = """
import random, sys
from pathlib import Path
import numpy as np
from nbnumba.batch import record
from nbnumba.batch.chunk import is_whole
from nbnumba.batch.folder import fingerprint, read_state
from nbnumba.batch.names import Names
from nbnumba.errors import NbnumbaError
from nbnumba.io.nexus.read import read_images
folder, trials = Path(sys.argv[1]), int(sys.argv[2])
mark = fingerprint(read_state(folder))
good = {path: path.read_bytes() for path in sorted(folder.iterdir())}
pixels = {path: read_images(path) for path in good if path.suffix == ".h5"}
images = {folder / f"shots_{n:04d}.h5": range(3 * n, min(3 * n + 3, 7)) for n in range(3)}
generator = random.Random(5)
for trial in range(trials):
    path = list(good)[trial % len(good)]
    data = bytearray(good[path])
    at, bit = generator.randrange(len(data)), generator.randrange(8)
    data[at] ^= 1 << bit
    path.write_bytes(data)
    noticed = is_whole(path, images[path], mark) if path in images else record.damaged(folder, Names(1).products)
    assert noticed, f"{path.name}, bit {bit} of byte {at}: unnoticed"
    if path in pixels:
        try:
            found = read_images(path)
        except NbnumbaError:
            pass
        else:
            assert np.array_equal(found, pixels[path]), f"{path.name}, bit {bit} of byte {at}: other pixels"
    path.write_bytes(good[path])
print("noticed", trials)
"""


@pytest.mark.slow
def test_bits_of_every_file_are_flipped(out: Path) -> None:
    words = [sys.executable, "-c", FLIPS, str(out), "1000"]
    ran = subprocess.run(words, env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True)
    assert (ran.returncode, ran.stdout) == (0, "noticed 1000\n"), ran.stderr


def test_an_input_that_changes_is_named(tmp_path: Path) -> None:
    path = tmp_path / "a.hkl"
    path.write_text("1")
    expected = {str(path): inputs.digest(str(path))}
    with inputs.unchanged(expected):
        path.touch()  # the same content

    def change(content: str) -> None:
        with inputs.unchanged(expected):
            path.write_text(content)
            if not content:
                raise InputError("a.hkl: is empty")

    for content in ("2", ""):
        path.write_text("1")
        with pytest.raises(InputError, match=r"a\.hkl: has changed since the batch was begun"):
            change(content)
    with pytest.raises(InputError, match="has changed"), inputs.unchanged(expected):
        raise AssertionError("the block must not begin")
    path.unlink()
    with pytest.raises(FileError, match="no such file"), inputs.unchanged(expected):
        raise AssertionError("the block must not begin")


@pytest.mark.slow
def test_an_input_changes_while_workers_start(tmp_path: Path) -> None:
    """The list of reflections is written anew right after the batch was begun, before its workers have read it."""
    spec, out = write_spec(tmp_path), tmp_path / "out"
    words = [sys.executable, "-m", "nbnumba", "batch", str(spec), "-o", str(out), "--workers", "2"]
    with started(words, tmp_path / "log") as program:
        assert eventually((out / "batch.json").exists, 60.0)
        (tmp_path / "b.hkl").write_text(reflections(500.0))
        (tmp_path / "b.hkl").replace(tmp_path / "a.hkl")
        assert program.wait(60.0) == 2
        error = f"nbnumba: error: {tmp_path / 'a.hkl'}: has changed since the batch was begun"
        assert program.printed.splitlines()[-1].startswith(error)
    assert not list(out.glob("shots*"))


@pytest.mark.parametrize("make", [os.mkfifo, lambda path: Path(path).symlink_to("/dev/zero")], ids=["pipe", "device"])
def test_an_input_that_never_ends(make: Callable[[Path], None], tmp_path: Path) -> None:
    spec = write_spec(tmp_path)
    (tmp_path / "a.hkl").unlink()
    make(tmp_path / "a.hkl")
    assert cli.main(["batch", str(spec), "-o", str(tmp_path / "out")]) == 3
