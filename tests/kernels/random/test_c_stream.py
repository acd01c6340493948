"""C's deviates against numbers that the C functions printed, built by gcc -O3 without FMA on glibc.

Equality to the bit holds where log, exp and tan are glibc's; another C library may differ in a last place.
"""

from __future__ import annotations

import math

import numpy as np
import pytest

from nbnumba.kernels.random import c_stream as c_random
from nbnumba.kernels.random import park_miller

MEANS = (0, 0.001, 0.5, 0.5, 3.25, 11.99, 12, 12, 13.5, 0.5, 250, 250, 9999.5, 65000, 123456.7, 999999, 1000001, 3e6,
         2e6, -2, 5, math.nan, math.inf, 20, 20)  # fmt: skip
COUNTS_OF_SEED_20260 = (0, 0, 0, 0, 1, 4, 10, 15, 17, 0, 229, 255, 9815, 64193, 123781, 1000003, 999031.625, 2999324.25,
                        2000214.125, 0, 3, math.nan, math.inf, 26, 9)  # fmt: skip


def seeded(seed: int) -> tuple[np.ndarray, np.ndarray]:
    table, kept = c_random.new_state()
    table[park_miller.VALUE] = park_miller.start_value(seed)
    return table, kept


@pytest.mark.parametrize("seed", [1, 7, 12345678, 2147483647, -2147483648, 0, -5])
def test_compiled_and_plain_uniform_numbers_are_the_same(seed: int) -> None:
    table, _ = seeded(seed)
    plain_table = park_miller.new_table()
    plain_table[park_miller.VALUE] = park_miller.start_value(seed)
    plain = [park_miller.ran1(plain_table) for _ in range(500)]
    assert [c_random.ran1(table) for _ in range(500)] == plain
    assert table.tolist() == plain_table
    assert all(0.0 <= number < 1.0 for number in plain)
    assert plain[0].dtype == np.float32


def test_gaussian_deviates_are_those_of_c() -> None:
    table, kept = seeded(7)
    drawn = np.array([c_random.gaussian_deviate(table, kept) for _ in range(6)], np.float32)
    bits = (0xBE442B76, 0xBF814BA7, 0xBEF6BD6F, 0x400A1AA3, 0xBEA876A6, 0x3E0E5DA7)
    assert tuple(drawn.view(np.uint32)) == bits


@pytest.mark.parametrize("x", [1.0, 0.5, 13.25, 1001.0, 123456.7, 1.0e6])
def test_log_gamma(x: float) -> None:
    x32 = np.float32(x)
    got = c_random.log_gamma(x32)
    assert np.float32(got) == got
    # Half a unit in the last place of float32, and 2e-10 of Lanczos' series where the logarithm is 0.
    assert got == pytest.approx(math.lgamma(float(x32)), rel=6.1e-8, abs=4e-10)


def test_poisson_deviates_are_those_of_c() -> None:
    table, kept = seeded(20260)
    drawn = [float(c_random.poisson_deviate(np.float32(mean), table, kept)) for mean in MEANS]
    np.testing.assert_array_equal(drawn, COUNTS_OF_SEED_20260)


def test_mean_of_zero_and_below_take_one_uniform_number() -> None:
    for mean in (0.0, -0.0, -2.0, -math.inf):
        table, kept = seeded(11)
        ahead, _ = seeded(11)
        c_random.ran1(ahead)
        assert c_random.poisson_deviate(np.float32(mean), table, kept) == 0.0
        assert table.tolist() == ahead.tolist()


def test_not_a_number_takes_two_uniform_numbers() -> None:
    table, kept = seeded(11)
    ahead, _ = seeded(11)
    c_random.ran1(ahead)
    c_random.ran1(ahead)
    assert np.isnan(c_random.poisson_deviate(np.float32(math.nan), table, kept))
    assert table.tolist() == ahead.tolist()


def test_minus_one_is_c_value_for_no_mean_yet() -> None:
    table, kept = seeded(3)
    drawn = [float(c_random.poisson_deviate(np.float32(mean), table, kept)) for mean in (-1.0, -1.0, 0.0, -1.0)]
    assert drawn == [101.0, 112.0, 0.0, 0.0]


@pytest.mark.parametrize("mean", [0.3, 4.0, 11.5, 12.5, 80.0, 2000.0])
def test_mean_and_variance_are_those_of_poisson(mean: float) -> None:
    n = 40000
    table, kept = seeded(314159)
    counts = np.zeros((1, n), np.uint16)
    image = np.full((1, n), mean, np.float32)
    photons, overloads = c_random.draw_rows(image, counts, (0, n - 1, 0, 0), 0.0, table, kept, 0.0)
    assert overloads == 0
    assert photons == counts.sum()
    # Four standard errors of the mean, and of the variance of a Poisson distribution.
    assert abs(counts.mean() - mean) < 4.0 * math.sqrt(mean / n)
    assert abs(counts.var() - mean) < 4.0 * math.sqrt((mean + 2.0 * mean * mean) / n)


@pytest.mark.parametrize(
    ("value", "count"),
    [
        (40.9, 40),
        (65535.0, 65535),
        (-0.5, 0),
        (-3.7, 65533),
        (-2147483647.0, 1),
        (-5.0e9, 0),
        (math.nan, 0),
        (-math.inf, 0),
    ],
)
def test_conversion_to_unsigned_short_wraps_as_on_x86(value: float, count: int) -> None:
    assert c_random.to_unsigned_short(value) == count
