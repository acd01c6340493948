"""The readout: mean and variance of every term, and images that depend on seed, number and pixel alone."""

from __future__ import annotations

import math
from dataclasses import replace
from statistics import NormalDist

import numba
import numpy as np
import pytest

from nbnumba.errors import InputError
from nbnumba.kernels.readout import chain, normal
from nbnumba.readout.chain import bad_pixels, read_out
from nbnumba.readout.model import Readout
from nbnumba.readout.poisson import poisson_image_counter
from nbnumba.readout.psf import PointSpread

EDGE = 1000  # of an image of a million pixels
QUIET = Readout(photon_noise=False)


def flat(level: float, edge: int = EDGE) -> np.ndarray:
    return np.full((edge, edge), level, dtype=np.float32)


def check_moments(values: np.ndarray, mean: float, variance: float, kurtosis: float = 3.0) -> None:
    """Both within four standard errors of the sample."""
    n = values.size
    assert abs(values.mean() - mean) < 4.0 * math.sqrt(variance / n)
    assert abs(values.var() - variance) < 4.0 * variance * math.sqrt((kurtosis - 1.0) / n)


@pytest.mark.parametrize("level", [0.3, 7.0, 150.0])
def test_photon_noise(level: float) -> None:
    image = read_out(flat(level), Readout(), seed=3, threads=2)
    check_moments(image.pixels, level, level, 3.0 + 1.0 / level)
    assert image.photons == image.pixels.sum()


def test_photons_are_those_of_the_noise_image() -> None:
    mean = np.random.default_rng(2).exponential(20.0, (64, 80)).astype(np.float32)
    ours = read_out(mean, Readout(), seed=11, image_number=4).pixels
    np.testing.assert_array_equal(ours, poisson_image_counter(mean, 11, 0.0, image_number=4, dtype="int32").counts)


def test_readout_noise_gain_and_offset() -> None:
    image = read_out(flat(10.0), replace(QUIET, gain=3.0, offset=500.0, readout=20.0), seed=5, threads=2)
    # Rounding to whole numbers adds a twelfth.
    check_moments(image.pixels, 530.0, 400.0 + 1.0 / 12.0)


def test_dark_current() -> None:
    check_moments(
        read_out(flat(0.0), replace(QUIET, dark=12.0), seed=5, threads=2).pixels, 12.0, 12.0, 3.0 + 1.0 / 12.0
    )


def test_calibration() -> None:
    image = read_out(flat(1e5), replace(QUIET, calibration=0.03), seed=5, threads=2)
    check_moments(image.pixels, 1e5, 3e3**2)


def test_the_calibration_map_is_the_same_in_every_image() -> None:
    readout = Readout(calibration=0.03)
    shots = [read_out(flat(1e6, 300), readout, seed=1, image_number=i).pixels.ravel() for i in (0, 1)]
    assert np.corrcoef(shots)[0, 1] > 0.99
    other = read_out(flat(1e6, 300), replace(readout, calibration_seed=8), seed=1).pixels.ravel()
    assert abs(np.corrcoef(shots[0], other)[0, 1]) < 0.02  # 6 standard errors of 90000 pixels


def test_flicker_is_one_number_an_image() -> None:
    factors = []
    for number in range(400):
        image = read_out(flat(1e6, 3), replace(QUIET, flicker=0.1), seed=1, image_number=number)
        assert len(np.unique(image.pixels)) == 1
        assert abs(image.pixels[0, 0] - 1e6 * image.brightness) < 0.6  # float32 at 1e6, and rounding
        factors.append(image.brightness)
    check_moments(np.array(factors), 1.0, 0.01)


def test_flicker_of_pixels_is_another_in_every_image() -> None:
    images = [read_out(flat(1e5), replace(QUIET, flicker_pixels=0.03), 5, number, threads=2) for number in (0, 1)]
    for image in images:
        check_moments(image.pixels, 1e5, 3e3**2)
        assert image.brightness == 1.0
    assert abs(np.corrcoef(*(image.pixels.ravel() for image in images))[0, 1]) < 6.0 / EDGE  # 6 standard errors


def test_pixels_beyond_the_count_rate_are_overloads() -> None:
    mean = np.array([[999.0, 1001.0, 5e6], [0.0, 400.0, 2000.0]], dtype=np.float32)
    limited = replace(QUIET, rate_limit=1e4, exposure=0.1, dead_time=1e-6)
    image = read_out(mean, limited, seed=1)
    np.testing.assert_array_equal(image.pixels == limited.top, mean > 1000.0)
    assert image.overloads == 3
    without = read_out(mean, replace(limited, rate_limit=None), seed=1)
    assert without.overloads == 0
    assert without.pixels[0, 2] < 1000  # which a paralysable counter cannot tell from a few photons


def test_dead_time() -> None:
    image = read_out(flat(1e5, 10), replace(QUIET, dead_time=1e-6, exposure=1.0), seed=1)
    assert image.pixels[0, 0] == round(1e5 * math.exp(-0.1))


def test_a_phosphor_spreads_counts_and_a_counter_does_not() -> None:
    spread = PointSpread("gauss", 2.0)
    first = read_out(flat(50.0), Readout(spread=spread, spread_first=True), seed=1, threads=2).pixels[20:-20, 20:-20]
    after = read_out(flat(50.0), Readout(spread=spread), seed=1, threads=2).pixels[20:-20, 20:-20]
    check_moments(first, 50.0, 50.0)
    # Neighbors share photons: the variance falls by the sum of the squared kernel.
    assert after.var() < 10.0


def test_rounding_overloads_and_negative_numbers() -> None:
    row = np.array([[0.0, 1.4, 1.6, 2.5, 99999.0]], dtype=np.float32)
    image = read_out(row, Readout(photon_noise=False, dtype="uint16"), seed=1)
    assert image.pixels.tolist() == [[0, 1, 2, 2, 65533]]
    assert (image.overloads, image.below) == (1, 0)
    image = read_out(row, Readout(photon_noise=False, offset=-2.0, saturation=100), seed=1)
    assert image.pixels.tolist() == [[0, 0, 0, 0, 100]]
    assert (image.overloads, image.below) == (1, 2)
    assert image.truth()["saturation"] == 100


def test_bad_pixels_stay_where_they_are() -> None:
    readout = Readout(dead_pixels=7, hot_pixels=5, dtype="uint16")
    a, b = (read_out(flat(9.0, 50), readout, seed=seed, image_number=seed) for seed in (1, 2))
    assert a.bad is not None
    assert b.bad is not None
    np.testing.assert_array_equal(a.bad, b.bad)
    assert a.bad.sum() == 12
    assert sorted(np.bincount(a.pixels[a.bad])[[0, 65533]].tolist()) == [5, 7]
    with pytest.raises(InputError, match="the detector has 9 pixels"):
        bad_pixels(9, Readout(dead_pixels=10))


def test_threads_and_panels_change_nothing() -> None:
    mean = np.random.default_rng(1).exponential(30.0, (2, 130, 70)).astype(np.float32)
    readout = Readout(flicker=0.1, flicker_pixels=0.2, calibration=0.05, readout=2.0, dark=1.0, offset=10.0, gain=1.5)
    one, two = (read_out(mean, readout, 9, 3, threads).pixels for threads in (1, 2))
    np.testing.assert_array_equal(one, two)
    tall = read_out(mean.reshape(260, 70), readout, 9, 3).pixels
    np.testing.assert_array_equal(one.reshape(260, 70), tall)  # panels are counted on
    assert not np.array_equal(one[0], one[1])


def test_gaussian_deviates() -> None:
    quantile = numba.njit(lambda u: normal.normal_quantile(u))
    for u in (1e-300, 1e-17, 1e-9, 0.01, 0.0749, 0.2, 0.5, 0.7, 0.99999):
        assert quantile(u) == pytest.approx(NormalDist().inv_cdf(u), rel=1e-12, abs=1e-15)
    field = np.zeros((EDGE, EDGE), dtype=np.float32)
    pixels = np.zeros((EDGE, EDGE), dtype=np.int32)
    chain.read_rows(field, pixels, np.uint64(0), 0, EDGE - 1, 1.0, 1e8, 1e5, 0.0, 2e9, np.uint64(1), np.uint64(0))
    deviates = (pixels - 1e8) / 1e5
    check_moments(deviates, 0.0, 1.0)
    assert abs((deviates**3).mean()) < 4.0 * math.sqrt(15.0 / deviates.size)
    assert abs((deviates**4).mean() - 3.0) < 4.0 * math.sqrt(96.0 / deviates.size)


@pytest.mark.parametrize(
    "wrong", [{"gain": 0.0}, {"flicker": -1.0}, {"readout": math.nan}, {"dtype": "int8"}, {"saturation": 99999999999},
              {"dead_pixels": -1}, {"exposure": 0.0}],
)  # fmt: skip
def test_bad_values(wrong: dict[str, object]) -> None:
    with pytest.raises(InputError, match=next(iter(wrong))):
        Readout(**wrong)  # type: ignore[arg-type]
