"""A real job: 2463 x 2527 pixels, ten phi steps, 64 333 reflections, in both semantics."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import dxtbx_reader
import golden_runs
import numpy as np
import pytest
from agreement import TOLERANCES, judge
from large_job import large_job_folder
from numpy.typing import NDArray
from requirements import requires

import nbnumba
from nbnumba.beam.frames import to_imgcif

pytestmark = [pytest.mark.golden, requires("large job")]

BLOCK = 64
TRACED = (685, 1039)  # slow, fast; its value before it is stored as float32 is known to 15 digits
TRACED_VALUE = 2.88139542684698e-07


@dataclass(frozen=True)
class Job:
    """Our picture of the job and what is known of C's."""

    image: NDArray[np.float32]
    report: str
    known: dict[str, NDArray]

    def crops(self) -> list[tuple[int, int, NDArray]]:
        """Return (slow, fast, pixels) of the stored crops."""
        found = []
        for key, pixels in self.known.items():
            if key.startswith("crop_"):
                slow, fast = (int(part[1:]) for part in key.split("_")[1:])
                found.append((slow, fast, pixels))
        return found


@pytest.fixture(scope="module")
def job_c(tmp_path_factory: pytest.TempPathFactory) -> Job:
    job = _run("c", "c_main.npz", tmp_path_factory.mktemp("c"))
    # The first pixel is left out of every comparison with C (row phi0): C's own value stands in for ours.
    job.image[0, 0] = job.known["crop_s0_f0"][0, 0]
    return job


@pytest.fixture(scope="module")
def job_exact(tmp_path_factory: pytest.TempPathFactory) -> Job:
    return _run("exact", "exact.npz", tmp_path_factory.mktemp("exact"))


@pytest.fixture(params=["c", "exact"])
def job(request: pytest.FixtureRequest) -> Job:
    return request.getfixturevalue(f"job_{request.param}")


def _run(semantics: str, stored: str, folder: Path) -> Job:
    source = large_job_folder()
    for name in ("A.mat", "scaled.hkl"):
        shutil.copyfile(source / name, folder / name)
    words = [*(source / "args.txt").read_text().split(), "-semantics", semantics]
    status, report, notices = golden_runs.run(words, folder)
    assert status == 0, notices
    with np.load(source / stored) as arrays:
        known = {key: arrays[key] for key in arrays.files}
    return Job(np.fromfile(folder / "img.bin", "<f4").reshape(known["shape"]), report, known)


def test_brightest_pixels_and_crops(
    job: Job, request: pytest.FixtureRequest, record_golden: Callable[..., None]
) -> None:
    golden = [job.known["top_value"]]
    ours = [job.image.ravel()[job.known["top_index"]]]
    for slow, fast, pixels in job.crops():
        golden.append(pixels.ravel())
        ours.append(job.image[slow : slow + pixels.shape[0], fast : fast + pixels.shape[1]].ravel())
    verdict = judge(np.concatenate(golden), np.concatenate(ours))
    name = f"large job {request.node.callspec.id}, stored pixels"
    record_golden(name, verdict.worst_relative, verdict.equal_fraction, verdict.sum_ratio, verdict.passed)
    assert verdict.passed, verdict.reason


def test_sums(job: Job) -> None:
    image = job.image.astype(np.float64)
    n_slow, n_fast = image.shape
    rows = np.add.reduceat(image, np.arange(0, n_slow, BLOCK), axis=0)
    sums = np.add.reduceat(rows, np.arange(0, n_fast, BLOCK), axis=1)
    # Every pixel of a block may differ by the gate's share of itself and of the brightest pixel.
    gate = TOLERANCES["cpu"]
    allowed = gate.relative * job.known["block_sums_64"] + gate.absolute * float(job.known["maximum"]) * BLOCK**2
    assert np.all(np.abs(sums - job.known["block_sums_64"]) <= allowed)
    assert abs(image.sum() / float(job.known["total"]) - 1.0) <= gate.sum_ratio
    assert np.count_nonzero(image) == job.known["nonzero"]


def test_brightest_pixel_is_where_it_was(job: Job) -> None:
    assert int(np.argmax(job.image)) == int(job.known["top_index"][0])


def test_traced_pixel_and_maximum(job_c: Job) -> None:
    assert job_c.image[TRACED] == np.float32(TRACED_VALUE)
    assert f"{job_c.image.max():g}" == "446.254"


def test_report(job_c: Job) -> None:
    golden = (large_job_folder() / "c_main_stdout.txt").read_text()
    differences = golden_runs.report_differences(golden, job_c.report)
    assert not differences, "\n".join(differences)


@requires("DIALS' reader")
@pytest.mark.readers
def test_dials_opens_the_file_of_the_job(tmp_path: Path) -> None:
    """Its typed axes miss right angles by 5e-7, which dxtbx refuses."""
    source = large_job_folder()
    for name in ("A.mat", "scaled.hkl"):
        shutil.copyfile(source / name, tmp_path / name)
    words = (source / "args.txt").read_text().split()
    more = ["-semantics", "exact", "-roi", "0", "0", "0", "0", "-h5file", "job_0001.h5"]
    status, _, notices = golden_runs.run([*words, *more], tmp_path)
    assert status == 0
    assert "are not at right angles; the file has the nearest axes that are" in notices
    record = nbnumba.Experiment.from_command([*words, "-semantics", "exact"], folder=tmp_path, notify=lambda line: None)
    panel = record.detector.panels[0]
    places = [(0, 0.0, 0.0), (0, 2463.0, 0.0), (0, 0.0, 2527.0), (0, 2463.0, 2527.0)]
    (found,) = dxtbx_reader.read([(tmp_path / "job_0001.h5", places)], data=False)
    turn = to_imgcif(record.beam)
    for (_, fast, slow), place in zip(places, found["points_mm"], strict=True):
        moved = np.linalg.norm(np.array(place) * 1e-3 - turn @ panel.position(slow, fast))
        assert moved < 0.01 * panel.pixel_size
