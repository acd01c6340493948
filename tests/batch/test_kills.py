"""Batches on every executor: the same bytes, and nothing lost when a part of it is killed in the middle.

Each blow falls when some files are finished and some are missing, which is asserted; then `--resume`
completes the set, and every image is compared with that of an undisturbed run.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import h5py
import hdf5plugin  # noqa: F401 - registers the compression of the files
import numpy as np
import pytest
from batch_processes import Started, cluster, environment, eventually, mpi_words, started
from requirements import ROOT, requires

from nbnumba.errors import FileError, WorkerError

pytestmark = [pytest.mark.command_line, pytest.mark.slow, pytest.mark.alone]

IMAGES, PER_FILE, FILES = 15, 2, 8
SIDE = 64  # pixels
DATA = "/entry/data/data"

# A file takes a fifth of a second and more of one thread: time enough to strike in the middle of the next.
SPEC = f"""
command = '''-mat lyso.mat -hkl lyso.hkl -lambda 1.0 -distance 200 -pixel 1.6 -detpixels {SIDE} -N 12
-flux 1e16 -beamsize 0.01 -oversample 12 -mosaic 0.5 -mosaic_domains 40'''
count = {IMAGES}
seed = 7
images_per_file = {PER_FILE}
dtype = "uint16"
noise = true
[vary]
orientation = "random"
energy_ev = {{ normal = [12398.0, 15.0] }}
"""

LOCAL, TWO = ["--threads", "1"], ["--workers", "2"]
DASK, MPI = ["--engine", "dask", "--workers", "2"], ["--engine", "mpi"]


class Set:
    """A folder for a batch of the SPEC.

    Attributes
    ----------
    folder : Path
        Of the output.
    """

    def __init__(self, spec: Path, folder: Path) -> None:
        self.spec = spec
        self.folder = folder

    def words(self, *options: str) -> list[str]:
        """Return the command line that makes it."""
        return [sys.executable, "-m", "nbnumba", "batch", str(self.spec), "-o", str(self.folder), *options]

    def run(self, *options: str, before: list[str] | None = None) -> subprocess.CompletedProcess[str]:
        """Make it."""
        words = [*(before or []), *self.words(*options)]
        return subprocess.run(words, env=environment(""), capture_output=True, text=True, timeout=120)

    def files(self) -> list[Path]:
        """Return the files of images that are there, by name."""
        return sorted(self.folder.glob("shots_*.h5"))

    def unfinished(self) -> bool:
        """Tell whether some files are finished and some are missing."""
        return 0 < len(self.files()) < FILES


def images(path: Path) -> list[bytes]:
    """Return the bytes of each image of a file."""
    with h5py.File(path) as file:
        data = file[DATA]
        assert data.dtype == np.uint16
        assert data.shape[1:] == (SIDE, SIDE)
        return [data[index].tobytes() for index in range(len(data))]


def assert_parts(found: Set, undisturbed: Set) -> None:
    """Every file that bears its final name is whole."""
    for path in found.files():
        assert images(path) == images(undisturbed.folder / path.name), path.name


def assert_whole(found: Set, undisturbed: Set) -> None:
    """Nothing is lost, doubled, different or left over."""
    names = {path.name for path in undisturbed.folder.iterdir()}
    assert {path.name for path in found.folder.iterdir()} == names
    assert_parts(found, undisturbed)
    every = [image for path in found.files() for image in images(path)]
    assert len(every) == len(set(every)) == IMAGES
    assert images(found.folder / "shots.h5") == every
    labels = (found.folder / "labels.csv").read_bytes()
    assert labels == (undisturbed.folder / "labels.csv").read_bytes()
    assert [line.split(b",")[0] for line in labels.splitlines()[1:]] == [b"%d" % i for i in range(IMAGES)]
    sheet = "contact_sheet.png"
    assert (found.folder / sheet).read_bytes() == (undisturbed.folder / sheet).read_bytes()


@pytest.fixture(scope="module")
def spec(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("spec")
    for name in ("lyso.mat", "lyso.hkl"):
        shutil.copyfile(ROOT / "golden" / "inputs" / name, folder / name)
    (folder / "SPEC.toml").write_text(SPEC)
    return folder / "SPEC.toml"


@pytest.fixture(scope="module")
def undisturbed(spec: Path, tmp_path_factory: pytest.TempPathFactory) -> Set:
    made = Set(spec, tmp_path_factory.mktemp("undisturbed") / "out")
    done = made.run()
    assert (done.returncode, done.stderr) == (0, "")
    assert len(made.files()) == FILES
    return made


@pytest.fixture
def batch(spec: Path, tmp_path: Path) -> Set:
    return Set(spec, tmp_path / "out")


@contextmanager
def under_way(batch: Set, words: list[str], log: Path) -> Iterator[Started]:
    """Start a batch; the block begins when its first file is there."""
    with started(words, log) as program:
        assert eventually(lambda: batch.files() or program.process.poll() is not None, 60.0)
        yield program


def resume(batch: Set, undisturbed: Set) -> None:
    """Complete a batch that was struck down in the middle."""
    assert batch.unfinished(), "the blow fell outside the work"
    assert_parts(batch, undisturbed)
    before = {path: path.stat().st_mtime_ns for path in batch.files()}
    done = batch.run("--resume")
    assert done.returncode == 0, done.stderr
    assert {path: path.stat().st_mtime_ns for path in before} == before, "what was finished is not made again"
    assert_whole(batch, undisturbed)


class TestSameBytes:
    def test_processes(self, batch: Set, undisturbed: Set) -> None:
        done = batch.run(*TWO)
        assert (done.returncode, done.stderr) == (0, "")
        assert_whole(batch, undisturbed)

    @requires("Dask")
    def test_dask(self, batch: Set, undisturbed: Set, tmp_path: Path) -> None:
        with cluster(tmp_path) as running:
            done = batch.run("--engine", "dask", "--scheduler", running.address, "--workers", "2")
        assert (done.returncode, done.stderr) == (0, "")
        assert_whole(batch, undisturbed)

    @requires("MPI")
    def test_mpi(self, batch: Set, undisturbed: Set) -> None:
        done = batch.run(*MPI, before=mpi_words())
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout.count("\n") == 1
        assert_whole(batch, undisturbed)


@requires("MPI")
@pytest.mark.parametrize("options", [["--threads", "0"], ["--dry-run"]], ids=["a mistake", "a dry run"])
def test_one_rank_speaks_for_all(options: list[str], batch: Set) -> None:
    done = batch.run(*MPI, *options, before=mpi_words())
    if options == ["--dry-run"]:
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout.count(f"{IMAGES} images in {FILES} files") == 1
    else:
        assert (done.returncode, done.stdout) == (2, "")
        assert done.stderr == "nbnumba: error: --threads: 0 is less than 1\n"
    assert not batch.folder.exists()


@pytest.mark.parametrize(
    ("options", "number", "status"),
    [
        (LOCAL, signal.SIGKILL, -signal.SIGKILL),
        (LOCAL, signal.SIGINT, 130),
        (LOCAL, signal.SIGTERM, 143),
        (TWO, signal.SIGKILL, -signal.SIGKILL),
        (TWO, signal.SIGINT, 130),
        pytest.param(DASK, signal.SIGINT, 130, marks=requires("Dask")),
        pytest.param(MPI, signal.SIGINT, 130, marks=requires("MPI")),
        pytest.param(MPI, signal.SIGTERM, 143, marks=requires("MPI")),
    ],
    ids=lambda value: " ".join(value).strip("-") if isinstance(value, list) else getattr(value, "name", ""),
)
def test_the_whole_run_is_ended(
    options: list[str], number: signal.Signals, status: int, batch: Set, undisturbed: Set, tmp_path: Path
) -> None:
    words = [*(mpi_words() if options == MPI else []), *batch.words(*options)]
    with under_way(batch, words, tmp_path / "log") as program:
        program.process.send_signal(number)
        assert program.wait(20.0) == status, program.printed
        assert eventually(lambda: not program.living(), 10.0), program.living()
        assert "Traceback" not in program.printed
        assert program.printed.count("nbnumba: ") <= 1
    in_this_process = options == LOCAL and number != signal.SIGKILL
    if in_this_process or (options == TWO and number == signal.SIGINT):
        assert not list(batch.folder.glob(".*")), "it had time to clean up"
    resume(batch, undisturbed)


def test_ctrl_c_twice(batch: Set, tmp_path: Path) -> None:
    with under_way(batch, batch.words(*TWO), tmp_path / "log") as program:
        for _ in range(2):
            program.process.send_signal(signal.SIGINT)
            time.sleep(0.01)
        assert program.wait(20.0) == 130, program.printed
        assert eventually(lambda: not program.living(), 10.0), program.living()
        assert program.printed == "nbnumba: interrupted\n"
    assert not list(batch.folder.glob(".*"))


def test_a_worker_process_is_killed(batch: Set, undisturbed: Set, tmp_path: Path) -> None:
    with under_way(batch, batch.words(*TWO), tmp_path / "log") as program:
        os.kill(program.find("spawn_main")[-1], signal.SIGKILL)
        assert program.wait(20.0) == WorkerError.exit_status, program.printed
        assert eventually(lambda: not program.living(), 10.0), program.living()
        assert "nbnumba: error: --engine local: a worker process was ended by SIGKILL" in program.printed
        assert "Traceback" not in program.printed
    resume(batch, undisturbed)


@requires("Dask")
class TestDask:
    def test_a_worker_is_killed_and_the_other_does_its_work(self, batch: Set, undisturbed: Set, tmp_path: Path) -> None:
        with cluster(tmp_path) as running:
            words = batch.words("--engine", "dask", "--scheduler", running.address, "--workers", "2")
            with under_way(batch, words, tmp_path / "log") as program:
                running.workers[0].process.kill()
                assert batch.unfinished()
                assert program.wait(60.0) == 0, program.printed
        assert_whole(batch, undisturbed)

    def test_the_scheduler_is_killed(self, batch: Set, undisturbed: Set, tmp_path: Path) -> None:
        with cluster(tmp_path) as running:
            words = batch.words("--engine", "dask", "--scheduler", running.address, "--workers", "2")
            with under_way(batch, words, tmp_path / "log") as program:
                running.scheduler.process.kill()
                assert program.wait(30.0) == WorkerError.exit_status, program.printed
                assert f"{running.address}: the connection to the scheduler is lost" in program.printed
                assert "Traceback" not in program.printed
        resume(batch, undisturbed)


@requires("MPI")
def test_a_rank_is_killed(batch: Set, undisturbed: Set, tmp_path: Path) -> None:
    with under_way(batch, [*mpi_words(), *batch.words(*MPI)], tmp_path / "log") as program:
        hydra = {number for name in ("mpiexec", "hydra") for number in program.find(name)}
        rank = [number for number in program.find("nbnumba", "batch") if number not in hydra][-1]
        os.kill(rank, signal.SIGKILL)
        assert program.wait(20.0) != 0
        assert eventually(lambda: not program.living(), 10.0), program.living()
    resume(batch, undisturbed)


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Callable[[int], Path]]:
    """Return a function that mounts a disk of so many bytes, or changes its size."""
    folder = tmp_path / "disk"
    folder.mkdir()

    def make(size: int) -> Path:
        again = ["-o", f"remount,size={size}"] if folder.is_mount() else ["-t", "tmpfs", "-o", f"size={size}", "tmpfs"]
        subprocess.run(["mount", *again, str(folder)], check=True)
        return folder

    yield make
    subprocess.run(["umount", "--lazy", str(folder)], check=False)


@requires("small disk")
@pytest.mark.parametrize("options", [LOCAL, TWO], ids=["one process", "two processes"])
def test_the_disk_is_full(options: list[str], spec: Path, undisturbed: Set, disk: Callable[[int], Path]) -> None:
    batch = Set(spec, disk(sum(path.stat().st_size for path in undisturbed.files()[:4])) / "out")
    done = batch.run(*options)
    assert done.returncode == FileError.exit_status, done.stderr
    assert done.stderr.splitlines()[-1].startswith("nbnumba: error: ")
    assert "no space left on device" in done.stderr
    assert "Traceback" not in done.stderr
    assert not list(batch.folder.glob(".*"))
    disk(20_000_000)
    resume(batch, undisturbed)
