"""Ways to draw a value: their statistics, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from nbnumba.batch.distributions import KEYS, BadValue, distribution

COUNT = 4000


def drawn(value: object, key: str = "energy_ev") -> np.ndarray:
    found = distribution(KEYS[key], value)
    generator = np.random.default_rng(1)
    return np.array([found.draw(generator) for _ in range(COUNT)])


@pytest.mark.parametrize(("mean", "low", "high"), [(10.0, 9.0, 12.0), (10.0, 14.0, 30.0), (10.0, 1.0, 5.0)])
def test_a_truncated_normal_distribution(mean: float, low: float, high: float) -> None:
    values = drawn({"truncated_normal": [mean, 2.0, low, high]})
    assert low <= values.min() <= values.max() <= high
    expected = stats.truncnorm((low - mean) / 2.0, (high - mean) / 2.0, loc=mean, scale=2.0)
    # One seed of many: a true sample is rejected once in a thousand.
    assert stats.kstest(values, expected.cdf).pvalue > 1e-3


def test_a_uniform_distribution_of_logarithms() -> None:
    values = drawn({"loguniform": [1e3, 1e7]})
    assert stats.kstest(np.log10(values), stats.uniform(3.0, 4.0).cdf).pvalue > 1e-3


def test_a_choice_with_weights() -> None:
    values = drawn({"choice": [1.0, 2.0, 3.0], "weights": [1, 0, 3]})
    assert np.count_nonzero(values == 2.0) == 0
    # Four standard deviations of a binomial distribution.
    assert np.count_nonzero(values == 3.0) / COUNT == pytest.approx(0.75, abs=4 * np.sqrt(0.75 * 0.25 / COUNT))
    assert str(distribution(KEYS["N"], {"choice": [5, 7], "weights": [1, 2.5]})) == (
        "{ choice = [5, 7], weights = [1, 2.5] }"
    )


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({"truncated_normal": [1, 1, 2]}, "it takes .mean, standard deviation, lowest, highest"),
        ({"truncated_normal": [1, -1, 0, 2]}, "standard deviation of -1; it must be at least 0"),
        ({"truncated_normal": [1, 1, 3, 2]}, "lowest must not be above highest"),
        ({"truncated_normal": [1, 1, 100, 200]}, "the limits leave nothing of the distribution"),
        ({"truncated_normal": [-5, 1, -9, -3]}, "draws no possible value"),
        ({"loguniform": [0, 5]}, "the first number must be above 0"),
        ({"loguniform": [5, 2]}, "the first number must not be above the second"),
        ({"choice": [1, 2], "weights": [1]}, "weights = .1.; allowed: 2 numbers of at least 0"),
        ({"choice": [1, 2], "weights": [0, 0]}, "not all of them 0"),
        ({"choice": [1, 2], "weights": [1, -1]}, "numbers of at least 0"),
        ({"choice": [1, 2], "weights": [1, float("nan")]}, "numbers of at least 0"),
        ({"uniform": [1, 2], "weights": [1, 1]}, "weights: go with choice, not with uniform"),
        ({"weights": [1, 1]}, "is not a way to draw"),
    ],
)
def test_what_is_refused(value: object, expected: str) -> None:
    with pytest.raises(BadValue, match=expected):
        distribution(KEYS["energy_ev"], value)
