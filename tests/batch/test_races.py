"""Processes that fall asleep in the middle of a file and wake up when others have finished it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from batch_processes import Started, cluster, environment, eventually, started
from requirements import requires

from nbnumba import cli
from nbnumba.io.nexus.read import read_images

pytestmark = [pytest.mark.command_line, pytest.mark.slow, pytest.mark.alone]

# A file takes a second and more of one thread: time enough to stop in the middle of it.
SPEC = """
command = '''-cell 50 60 70 -default_F 100 -lambda 1.5 -distance 50 -pixel 0.5 -detpixels 64 -N 6 -flux 1e14
-beamsize 0.01 -mosaic 0.5 -mosaic_domains 100 -oversample 4'''
count = 8
seed = 7
images_per_file = 4
backend = "cpu"
[vary]
orientation = "random"
"""

# Make the first file of a batch, as a worker does that has lost the program that gave it the task.
WORKER = """
import sys
from pathlib import Path
from nbnumba.batch import folder
from nbnumba.batch.chunk import ChunkTask, render_chunk
from nbnumba.batch.spec import read_spec
spec, command = read_spec(sys.argv[1])
digests = folder.input_digests(sys.argv[1], spec, command.settings)
mark = folder.fingerprint(folder.identity(spec, digests))
render_chunk(ChunkTask(spec, sys.argv[2], 0, mark, digests))
"""


@pytest.fixture
def spec(tmp_path: Path) -> Path:
    path = tmp_path / "s.toml"
    path.write_text(SPEC)
    return path


def written(folder: Path) -> list[Path]:
    """Return the temporary files with a part of a file in them."""
    return [path for path in folder.glob(".nbnumba-*.part") if path.stat().st_size]


def make(spec: Path, out: Path, *options: str) -> int:
    return cli.main(["batch", str(spec), "-o", str(out), "--threads", "1", *options])


def test_a_worker_wakes_up_after_its_file_was_made(spec: Path, tmp_path: Path) -> None:
    """The file of the others stays as it is, nothing is left over, and the set is whole."""
    out = tmp_path / "out"
    out.mkdir()
    with started([sys.executable, "-c", WORKER, str(spec), str(out)], tmp_path / "log") as worker:
        assert eventually(lambda: written(out), 120.0), worker.printed
        worker.process.send_signal(signal.SIGSTOP)
        (part,) = written(out)
        assert make(spec, out) == 0
        assert part.exists(), "nobody removes the file of a process that lives"
        before = (out / "shots_0000.h5").stat()
        pixels = read_images(out / "shots.h5")
        worker.process.send_signal(signal.SIGCONT)
        assert worker.wait(120.0) == 0, worker.printed
    after = (out / "shots_0000.h5").stat()
    assert (after.st_ino, after.st_size, after.st_mtime_ns) == (before.st_ino, before.st_size, before.st_mtime_ns)
    assert not list(out.glob(".*"))
    assert np.array_equal(read_images(out / "shots.h5"), pixels)
    assert cli.main(["batch", str(out), "--verify"]) == 0


def test_a_worker_whose_temporary_file_is_gone(spec: Path, tmp_path: Path) -> None:
    """As after a clean-up by hand: the worker fails, and puts nothing in the place of the finished file."""
    out = tmp_path / "out"
    out.mkdir()
    with started([sys.executable, "-c", WORKER, str(spec), str(out)], tmp_path / "log") as worker:
        assert eventually(lambda: written(out), 120.0), worker.printed
        worker.process.send_signal(signal.SIGSTOP)
        written(out)[0].unlink()
        worker.process.send_signal(signal.SIGCONT)
        assert worker.wait(120.0) != 0
        assert "was removed or replaced before it was finished" in worker.printed
    assert not list(out.iterdir())


def test_a_single_image_in_the_folder_of_a_batch(spec: Path, tmp_path: Path) -> None:
    """It is being written while the batch begins and goes on: it ends whole."""
    out = tmp_path / "out"
    assert make(spec, out) == 0
    words = "-cell 50 60 70 -default_F 10 -lambda 1.5 -distance 50 -pixel 1 -detpixels 64 -N 3 -nopgm -nonoise -quiet"
    words += f" -nodump -floatfile {out}/f.bin -intfile /dev/null -h5file {out}/z.h5"
    with started([sys.executable, "-m", "nbnumba", *words.split()], tmp_path / "log") as single:
        assert eventually(lambda: list(out.glob(".nbnumba-*.part")), 120.0), single.printed
        single.process.send_signal(signal.SIGSTOP)
        assert make(spec, out, "--resume") == 0
        single.process.send_signal(signal.SIGCONT)
        assert single.wait(60.0) == 0, single.printed
    assert (out / "f.bin").stat().st_size == 4 * 64 * 64
    assert read_images(out / "z.h5").shape == (1, 64, 64)


@requires("Dask")
def test_a_frozen_dask_worker(spec: Path, tmp_path: Path) -> None:
    """The scheduler gives it up and the other worker makes its file; then it wakes up."""
    out = tmp_path / "out"

    def by_workers(program: Started) -> list[int]:
        """Processes that write files of the batch, but for the one that shares out the work."""
        processes = [int(path.name.split("-")[1]) for path in written(out)]
        return [process for process in processes if process != program.process.pid]

    os.environ["DASK_DISTRIBUTED__SCHEDULER__WORKER_TTL"] = "8s"
    try:
        with cluster(tmp_path) as running:
            del os.environ["DASK_DISTRIBUTED__SCHEDULER__WORKER_TTL"]
            words = [sys.executable, "-m", "nbnumba", "batch", str(spec), "-o", str(out), "--engine", "dask"]
            words += ["--scheduler", running.address, "--workers", "2", "--threads", "1"]
            with started(words, tmp_path / "log") as program:
                assert eventually(lambda: by_workers(program), 120.0), program.printed
                frozen = by_workers(program)[0]
                os.kill(frozen, signal.SIGSTOP)
                assert program.wait(240.0) == 0, program.printed
            before = {path: path.stat().st_ino for path in out.glob("shots*.h5")}
            os.kill(frozen, signal.SIGCONT)
            assert eventually(lambda: not list(out.glob(".nbnumba-*.part")), 60.0)
    finally:
        os.environ.pop("DASK_DISTRIBUTED__SCHEDULER__WORKER_TTL", None)
    assert {path: path.stat().st_ino for path in out.glob("shots*.h5")} == before
    ran = subprocess.run(
        [sys.executable, "-m", "nbnumba", "batch", str(out), "--verify"], env=environment(""), capture_output=True
    )
    assert ran.returncode == 0, ran.stdout
