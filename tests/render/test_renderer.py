"""The public functions: images and the numbers that the report states of them."""

from __future__ import annotations

import contextlib
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from goldens import copy_inputs, load

from nbnumba.api import Experiment
from nbnumba.experiment.resolve import resolve
from nbnumba.parameters.parser import parse
from nbnumba.render.moments import moments
from nbnumba.render.renderer import simulate


def test_an_image_of_a_command_line(tmp_path: Path) -> None:
    golden = load("still_lysozyme")
    copy_inputs(tmp_path)
    before = Path.cwd()
    image = simulate(Experiment.from_command(golden.words, tmp_path)).array
    assert Path.cwd() == before
    assert image.dtype == np.float32
    np.testing.assert_allclose(
        image, golden.float_image, rtol=2.5e-7, atol=1e-12 * golden.float_image.max()
    )  # the gate
    assert not (tmp_path / "float.bin").exists()


def test_statistics_of_a_masked_region(tmp_path: Path) -> None:
    copy_inputs(tmp_path)
    words = [*load("mask").words, "-roi", "20", "99", "30", "110", "-nodump"]
    with contextlib.chdir(tmp_path):
        experiment = resolve(parse(words).settings)
    image = simulate(experiment)
    region = image.array[30:111, 20:100].astype(np.float64)
    rendered = int(np.count_nonzero(experiment.detector.panels[0].mask[30:111, 20:100]))
    assert 0 < rendered < region.size
    mean = region.sum() / rendered
    found = image.statistics
    # Another order of the same additions.
    assert found.mean == pytest.approx(mean, rel=1e-12)
    assert found.rmsd == pytest.approx(np.sqrt(((region - mean) ** 2).sum() / (region.size - 1)), rel=1e-12)
    # The squares are rounded to float32.
    assert found.rms == pytest.approx(np.sqrt((region**2).sum() / (rendered - 1)), rel=1e-7)
    assert found.maximum == image.array.max()


@pytest.mark.parametrize("shape", [(1, 1), (7, 5), (1500, 333), (3, 1 << 18)])
def test_sums_do_not_depend_on_threads(shape: tuple[int, int]) -> None:
    image = np.random.default_rng(5).gamma(0.3, 1.0, (shape[0] + 2, shape[1] + 2)).astype(np.float32)
    image[: shape[0] // 2] = 0.0  # some blocks hold nothing
    region = image[1:-1, 1:-1]
    one = moments(region, region.size, 1)
    assert moments(region, region.size, 2) == one
    exact = region.astype(np.float64)
    assert one[0] == pytest.approx(exact.mean(), rel=1e-12)
    assert one[1] == pytest.approx((exact**2).sum(), rel=1e-7)  # squares are rounded to float32
    assert one[2] == pytest.approx(((exact - exact.mean()) ** 2).sum(), rel=1e-12)
    assert one[3] == np.unravel_index(np.argmax(exact), exact.shape)


def test_an_overflow_is_infinite_and_silent() -> None:
    assert moments(np.full((2, 2), 3e38, dtype=np.float32), 4, 1)[1] == np.inf
    mean, squares, deviations, brightest = moments(np.array([[np.inf, 1.0]], dtype=np.float32), 2, 1)
    assert (mean, squares) == (np.inf, np.inf)
    assert np.isnan(deviations)
    assert brightest == (0, 0)


def test_statistics_take_no_copy_of_a_large_image() -> None:
    image = np.zeros((2048, 2048), dtype=np.float32)
    image.flags.writeable = False
    tracemalloc.start()
    try:
        moments(image, image.size, 2)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 8e6  # blocks of 1.5 MB on two threads; the image has 17 MB


def test_precision_of_several_crystals() -> None:
    """Square crystals are drawn in mixed precision, round ones beside them in double."""
    common = {"cell": 40, "N": 5, "default_F": 10}
    words = dict(distance_mm=100, wavelength_A=1, pixel_mm=1, detpixels=16, semantics="exact", interpolate=False)
    both = Experiment(crystals=[{**common, "shape": "round"}, {**common, "shape": "square"}], **words)
    image = simulate(both, "cpu", precision="mixed")
    assert image.precision == "mixed"
    assert simulate(both, "cpu").precision == "double"
    np.testing.assert_allclose(image.array, simulate(both, "cpu").array, rtol=5e-6, atol=1e-9 * image.array.max())
