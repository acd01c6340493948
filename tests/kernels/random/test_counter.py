"""Photon counts that depend on seed, image number and pixel alone."""

from __future__ import annotations

import math

import numba
import numpy as np
import pytest
from numpy.typing import NDArray

from nbnumba.errors import InputError
from nbnumba.kernels import draw_noise
from nbnumba.kernels.random import counter as counter_random
from nbnumba.kernels.random import park_miller
from nbnumba.readout.poisson import poisson_image_c, poisson_image_counter


@numba.njit
def _philox(c0, c1, c2, c3, k0, k1):
    return counter_random.philox(c0, c1, c2, c3, k0, k1)


@numba.njit
def _fraction(high, low):
    return counter_random.fraction(high, low)


def _counts(mean: float, size: int, seed: int = 1, image: int = 0) -> NDArray[np.float64]:
    """Draw one mean for many pixels; photons, not what fits a file."""
    out = np.empty(size)
    _draw_many(np.float64(np.float32(mean)), np.uint64(seed), np.uint64(image), out)
    return out


@numba.njit
def _draw_many(mean, seed, image, out):
    for i in range(out.size):
        out[i] = counter_random.poisson_count(mean, seed, image, np.uint64(i))


# From the file kat_vectors of Random123, the generator's own distribution: counter, key, result.
KNOWN = [
    ((0, 0, 0, 0), (0, 0), (0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8)),
    ((0xFFFFFFFF,) * 4, (0xFFFFFFFF,) * 2, (0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD)),
    (
        (0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344),
        (0xA4093822, 0x299F31D0),
        (0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1),
    ),
]


@pytest.mark.parametrize(("counter", "key", "result"), KNOWN)
def test_philox(counter: tuple[int, ...], key: tuple[int, ...], result: tuple[int, ...]) -> None:
    words = _philox(*(np.uint64(word) for word in (*counter, *key)))
    assert tuple(int(word) for word in words) == result


def test_fractions_lie_inside_0_and_1() -> None:
    most = np.uint64(0xFFFFFFFF)
    assert _fraction(np.uint64(0), np.uint64(0)) == 2.0**-53
    assert _fraction(most, most) == 1.0 - 2.0**-53


@pytest.mark.parametrize("mean", [0.01, 0.7, 3.0, 9.99, 10.0, 13.0, 60.0, 1e3, 3e4, 1e6, 2.5e7, 1e12])
def test_mean_and_variance(mean: float) -> None:
    counts = _counts(mean, 200_000)
    mean = float(np.float32(mean))
    assert np.all(counts == np.floor(counts))
    # Five standard deviations each: the test fails by chance once in a million.
    assert abs(counts.mean() - mean) < 5.0 * math.sqrt(mean / counts.size)
    assert abs(counts.var() / mean - 1.0) < 5.0 * math.sqrt((2.0 + 1.0 / mean) / counts.size)


@pytest.mark.parametrize("mean", [0.3, 4.0, 9.9, 10.0, 15.5, 47.0, 700.0])
def test_every_count_has_its_probability(mean: float) -> None:
    drawn = _counts(mean, 300_000, seed=8)
    mean = float(np.float32(mean))
    counts = np.arange(int(mean + 12.0 * math.sqrt(mean)) + 12)
    expected = np.array([math.exp(k * math.log(mean) - mean - math.lgamma(k + 1)) for k in counts]) * drawn.size
    observed = np.bincount(drawn.astype(int), minlength=counts.size)
    assert observed.size == counts.size
    likely = expected > 10.0
    chi_squared = np.sum((observed[likely] - expected[likely]) ** 2 / expected[likely])
    freedom = int(np.count_nonzero(likely)) - 1
    # Chi-squared minus its freedom, over sqrt(2 freedom), is nearly Gaussian: beyond 6 once in a hundred million.
    assert chi_squared - freedom < 6.0 * math.sqrt(2.0 * freedom) + 12.0
    rest = expected[~likely].sum()
    assert abs(observed[~likely].sum() - rest) < 6.0 * math.sqrt(rest + 1.0)


def test_a_million_means() -> None:
    means = np.exp(np.random.default_rng(4).uniform(math.log(1e-3), math.log(5e4), (1000, 1000))).astype(np.float32)
    drawn = poisson_image_counter(means, seed=3, adc=0.0)
    exact = means.astype(np.float64)
    deviations = (drawn.counts - exact) / np.sqrt(exact)
    # The mean of a million squares of deviations of variance 1; their own variance is 2 + 1/mean.
    spread = math.sqrt(float(np.sum(2.0 + 1.0 / exact))) / means.size
    assert abs(float(np.mean(deviations**2)) - 1.0) < 5.0 * spread
    assert abs(float(np.mean(deviations))) < 5e-3
    assert drawn.photons == float(drawn.counts.astype(np.float64).sum())
    assert drawn.overloads == 0


def test_neighbors_images_and_seeds_are_independent() -> None:
    mean = np.full((400, 500), 25.0, dtype=np.float32)

    def deviations(seed: int, image_number: int) -> NDArray[np.float64]:
        drawn = poisson_image_counter(mean, seed, 0.0, image_number=image_number)
        return (drawn.counts.astype(np.float64) - 25.0) / 5.0

    first = deviations(7, 0)
    others = [deviations(8, 0), deviations(7, 1), deviations(7 + 2**32, 0), deviations(7, 2**32), deviations(-7, 0)]
    others += [np.roll(first, 1, axis=1), np.roll(first, 1, axis=0)]
    for other in others:
        # A mean of 200 000 products of independent numbers of variance 1: five standard deviations.
        assert abs(float(np.mean(first * other))) < 5.0 / math.sqrt(first.size)
    assert np.array_equal(first, deviations(7, 0))
    assert np.array_equal(deviations(-1, 0), deviations(2**64 - 1, 0))


def test_threads_and_region_change_nothing() -> None:
    mean = np.random.default_rng(2).uniform(0.0, 40.0, (700, 400)).astype(np.float32)
    whole = poisson_image_counter(mean, 11, 40.0, threads=1)
    again = poisson_image_counter(mean, 11, 40.0, threads=2)
    assert np.array_equal(whole.counts, again.counts)
    assert whole.photons == again.photons
    part = poisson_image_counter(mean, 11, 40.0, (30, 99, 5, 650))
    assert np.array_equal(part.counts[5:651, 30:100], whole.counts[5:651, 30:100])
    assert not part.counts[:5].any()
    assert not part.counts[:, 100:].any()


def test_a_count_does_not_depend_on_other_means() -> None:
    mean = np.full((3, 3), 1000.0, dtype=np.float32)
    other = mean.copy()
    other[0] = 0.2
    first, second = (poisson_image_counter(means, 5, 0.0).counts for means in (mean, other))
    assert np.array_equal(first[1:], second[1:])


def test_odd_means() -> None:
    odd = np.array([[np.nan, -3.0, 0.0, -0.0, np.inf, 2e15, 1e-30]], dtype=np.float32)
    drawn = poisson_image_counter(odd, 1, 40.0)
    assert drawn.counts.tolist() == [[40, 40, 40, 40, 65535, 65535, 40]]
    assert drawn.overloads == 2
    assert np.isinf(drawn.photons)


def test_offset_and_overloads() -> None:
    mean = np.array([[0.0, 70000.0]], dtype=np.float32)
    # As C's file: cut to a whole number, clipped above, wrapped around below 0.
    assert poisson_image_counter(mean, 1, 0.9).counts.tolist() == [[0, 65535]]
    drawn = poisson_image_counter(mean, 1, -2.5)
    assert drawn.counts.tolist() == [[65534, 65535]]
    assert drawn.overloads == 1


def test_nothing_to_draw() -> None:
    drawn = poisson_image_counter(np.ones((4, 5), dtype=np.float32), 1, 40.0, (3, 2, 0, 3))
    assert not drawn.counts.any()
    assert (drawn.photons, drawn.overloads) == (0.0, 0)


def test_shapes_and_regions_are_checked() -> None:
    with pytest.raises(InputError, match="two dimensions"):
        poisson_image_counter(np.ones(4, dtype=np.float32), 1, 0.0)
    with pytest.raises(InputError, match="outside"):
        poisson_image_counter(np.ones((4, 4), dtype=np.float32), 1, 0.0, (0, 4, 0, 3))


def test_progress_reaches_the_end() -> None:
    seen: list[float] = []
    draw_noise(np.ones((600, 600), dtype=np.float32), (0, 599, 0, 599), 0.0, 1, progress=seen.append)
    assert seen == sorted(seen)
    assert seen[-1] == 1.0
    assert len(seen) > 1


def test_it_is_not_the_stream_of_c() -> None:
    mean = np.full((20, 20), 30.0, dtype=np.float32)
    theirs = poisson_image_c(mean, 1, 0.0, table=park_miller.new_table())
    assert not np.array_equal(poisson_image_counter(mean, 1, 0.0).counts, theirs.counts)
