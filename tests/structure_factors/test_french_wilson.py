"""Amplitudes of measured intensities, against integrals of their definition and simulated measurements."""

from __future__ import annotations

import gemmi
import numpy as np
import pytest
from scipy.integrate import quad

from nbnumba.structure_factors.french_wilson import amplitudes, from_measured, wilson_means


def mean_amplitude(intensity: float, sigma: float, mean: float, centric: bool) -> float:
    """Integrate amplitude times likelihood times Wilson's prior; the variable is the amplitude itself."""

    def weight(F: float) -> float:
        prior = np.exp(-F * F / (2.0 * mean)) if centric else F * np.exp(-F * F / mean)
        return float(prior * np.exp(-((F * F - intensity) ** 2 - min(intensity, 0.0) ** 2) / (2.0 * sigma**2)))

    top = np.sqrt(max(intensity, 0.0) + 12.0 * sigma)
    near = [np.sqrt(max(intensity, 0.0))]
    weighted, whole = (
        quad(lambda F, n=n: F**n * weight(F), 0.0, top, points=near, epsabs=0.0, epsrel=1e-11, limit=400)[0]
        for n in (1, 0)
    )
    return float(weighted / whole)


@pytest.mark.parametrize("centric", [False, True])
@pytest.mark.parametrize("ratio", [-5.0, -1.0, 0.0, 0.5, 3.0, 20.0, 100.0])
@pytest.mark.parametrize("mean", [2.0, 50.0, 1000.0])
def test_the_mean_amplitude_is_the_integral(ratio: float, mean: float, centric: bool) -> None:
    sigma = 7.0
    found = amplitudes(np.array([ratio * sigma]), np.array([sigma]), np.array([mean]), np.array([centric]))
    # 1e-7: the series beyond 36 standard deviations leave out 2e-8 at most; the rest is exact to 1e-12.
    assert found[0] == pytest.approx(mean_amplitude(ratio * sigma, sigma, mean, centric), rel=1e-7)


def test_published_values() -> None:
    """Entries of tables 1 and 2 of French and Wilson (1978): h, and the mean amplitude over the root of sigma."""
    for h, acentric, centric in ((-4.0, 0.423, 0.273), (0.0, 0.822, 0.581), (3.0, 1.706, 1.632)):
        for flag, expected in ((False, acentric), (True, centric)):
            shift = 1.0 / (2.0 if flag else 1.0)
            found = amplitudes(np.array([h + shift]), np.ones(1), np.ones(1), np.array([flag]))
            assert found[0] == pytest.approx(expected, abs=6e-4)  # three decimals are printed


def test_strong_intensities_are_square_roots() -> None:
    strong = np.array([1e4, 1e8, 1e30])
    found = amplitudes(strong, np.ones(3), np.full(3, 1e6), np.array([False, True, False]))
    np.testing.assert_allclose(found, np.sqrt(strong), rtol=1e-6)  # the terms in (sigma/I)^2


def test_amplitudes_of_simulated_measurements_have_no_bias() -> None:
    """Where the true intensity is known, the mean of the amplitudes is right, which square roots miss by far."""
    random = np.random.default_rng(5)
    n, mean, sigma = 40_000, 10.0, 12.0
    for centric in (False, True):
        true = mean * (random.standard_normal(n) ** 2 if centric else random.exponential(size=n))
        measured = true + sigma * random.standard_normal(n)
        ours = amplitudes(measured, np.full(n, sigma), np.full(n, mean), np.full(n, centric))
        # Five standard deviations of the mean over n.
        assert ours.mean() == pytest.approx(np.sqrt(true).mean(), abs=5.0 * np.sqrt(true).std() / np.sqrt(n))
        roots = np.sqrt(np.maximum(measured, 0.0))
        assert np.square(ours - np.sqrt(true)).mean() < 0.6 * np.square(roots - np.sqrt(true)).mean()


def test_means_follow_resolution_and_stay_above_zero() -> None:
    random = np.random.default_rng(6)
    spacing = 1.0 / np.sqrt(random.uniform(0.001, 0.25, 20_000))
    expected = 1000.0 * np.exp(-10.0 / spacing**2)
    found = wilson_means(expected * random.exponential(size=20_000), np.ones(20_000), spacing)
    # Shells of 333: the mean of one is known to 1/sqrt(333) = 5.5 percent; four of these.
    np.testing.assert_allclose(found, expected, rtol=0.25)
    assert np.std(found / expected) < 0.06
    assert (wilson_means(np.full(50, -3.0), np.ones(50), np.full(50, np.nan)) > 0.0).all()


def test_rows_without_an_error_and_absences_are_square_roots() -> None:
    operations = gemmi.SpaceGroup("P 21 21 21").operations()
    hkl = np.array([[1, 2, 3], [1, 0, 0], [2, 2, 2], [3, 2, 2]])
    I, sigma = np.array([9.0, 4.0, -2.0, 16.0]), np.array([np.nan, 1.0, 0.0, -1.0])
    found = from_measured(hkl, I, sigma, operations, lambda indices: np.full(len(indices), np.nan))
    np.testing.assert_array_equal(found, [3.0, 2.0, 0.0, 4.0])


def test_multiplicities_count() -> None:
    """A reflection on an axis is measured twice as strong as its like elsewhere, and taken for no stronger."""
    operations = gemmi.SpaceGroup("P 1 2 1").operations()
    hkl = np.array([[0, 2, 0]] + [[1, 2, k] for k in range(1, 40)])
    I = np.full(40, 10.0)
    I[0] = 20.0
    found = from_measured(hkl, I, np.full(40, 5.0), operations, lambda indices: np.full(len(indices), np.nan))
    means = np.full(40, 10.0)
    means[0] = 20.0
    expected = amplitudes(I, np.full(40, 5.0), means, np.zeros(40, dtype=bool))
    np.testing.assert_allclose(found, expected, rtol=1e-12)  # rounding of the mean
